"""``python -m mmpose_sp.stand_ins``: make mmpose importable without compiled mmcv and xtcocotools, for good."""

from . import write

for path in write():
    print(f'wrote {path}')

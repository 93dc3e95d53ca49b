"""What a GPU machine without network needs, in one folder: wheels for its Python, and the faces, made smaller.

    python tools/misc/gpu_pack.py data/300w OUT [--quality 65] [--python 3.12]

OUT/wheels holds what the machine is not likely to have beside torch, torchvision, numpy, scipy, OpenCV and
matplotlib; OUT/300w the faces of the 300-W part as JPEG of this quality, at their size; OUT/commit what is checked out
here, for records of a copy without .git. Then, on that machine, with this repository:

    tools/misc/gpu_run.sh OUT RESULTS [--dry-run]
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
from tqdm import tqdm

WHEELS = [
    *('addict', 'json-tricks', 'mmcv-lite', 'mmdet', 'mmengine', 'mmpose', 'munkres', 'platformdirs', 'pycocotools'),
    *('setuptools', 'shapely', 'six', 'termcolor', 'terminaltables', 'yapf'),
]
LOCK = Path(__file__).resolve().parents[2] / 'requirements' / 'lock.txt'
ANNOTATIONS = 'face_landmarks_300w_part_{}.json'


def pinned(names: list, lock: str) -> list:
    """``name==version`` as the lock says; a name that it does not pin stays as it is."""
    versions = {}
    for line in lock.splitlines():
        name, equals, rest = line.partition('==')
        if equals and not line.startswith((' ', '#')):
            versions[name] = rest.split()[0].rstrip('\\').strip()
    return [f'{name}=={versions[name]}' if name in versions else name for name in names]


def download_wheels(folder: Path, python: str) -> None:
    """The wheels of :data:`WHEELS` without what they need; for Linux on x86-64."""
    platforms = [f'--platform=manylinux{tag}_x86_64' for tag in ('_2_28', '_2_27', '_2_24', '_2_17', '2014', '1')]
    command = [sys.executable, '-m', 'pip', 'download', '--quiet', '--no-deps', '--only-binary=:all:', *platforms]
    command += [f'--python-version={python}', '--implementation=cp', f'--dest={folder}']
    subprocess.run([*command, *pinned(WHEELS, LOCK.read_text())], check=True)


def shrink(data: Path, out: Path, quality: int) -> None:
    """Copy the annotations of the 300-W part, and its images as JPEG under the names that they have.

    Raises:
        FileNotFoundError: An annotation file or an image is not there.
    """
    (out / 'annotations').mkdir(parents=True, exist_ok=True)
    names = set()
    for split in ('train', 'val', 'test'):
        file = data / 'annotations' / ANNOTATIONS.format(split)
        names |= {image['file_name'] for image in json.loads(file.read_text())['images']}
        shutil.copy(file, out / 'annotations')
    for name in tqdm(sorted(names), unit='face'):
        image = cv2.imread(str(data / 'images' / name))
        if image is None:
            raise FileNotFoundError(f'{data / "images" / name}: no image that can be read')
        path = out / 'images' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        encoded = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        path.write_bytes(encoded.tobytes())  # a .png by name as well: readers look at the bytes


def main(argv=None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('data', type=Path, help='as tools/dataset_converters/300w2coco.py made it')
    parser.add_argument('out', type=Path)
    parser.add_argument('--quality', type=int, default=65, help='of the JPEG files (default: %(default)s)')
    parser.add_argument('--python', default='3.12', help='of that machine (default: %(default)s)')
    args = parser.parse_args(argv)
    from mmengine.utils import get_git_hash

    try:
        shrink(args.data, args.out / '300w', args.quality)
        download_wheels(args.out / 'wheels', args.python)
        (args.out / 'commit').write_text(get_git_hash(digits=7) + '\n')
    except (OSError, subprocess.CalledProcessError) as error:
        parser.error(str(error))
    size = sum(path.stat().st_size for path in args.out.rglob('*') if path.is_file())
    print(f'written: {args.out}, {size / 2**20:.1f} MiB')


if __name__ == '__main__':
    main()

"""Checkpoint files: whole or refused, nothing of them is run, and the newest one that a training can go on from."""

import functools
import os.path as osp
import zipfile
from glob import escape, glob
from typing import Any, Callable, List, Optional, Tuple

import torch
from mmengine.runner import CheckpointLoader

#: Before the name of a file that is not complete.
PARTIAL = '.partial-'
# Texts that mmengine runs as Python: the first in Runner.resume, the others in inferencers given weights alone.
_CODE = (('meta', 'config'), ('meta', 'cfg'), ('message_hub', 'runtime_info', 'cfg'))


def check_whole(path: str) -> None:
    """Compare every record of a file that torch has written (a zip) with its checksum (CRC-32).

    torch itself compares none: a bit that has flipped on the disk is loaded as another weight. Files of torch < 1.6
    are no zip and have no checksum; they pass.

    Raises:
        ValueError: Truncated, damaged, or larger inside than on the disk; names the file and the record.
    """
    with open(path, 'rb') as file:
        magic = file.read(4)
    if magic != b'PK\x03\x04' and not zipfile.is_zipfile(path):
        if not magic:
            raise ValueError(f'{path}: an empty file')
        return
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(record.file_size for record in archive.infolist()) > osp.getsize(path):
                raise ValueError(f'{path}: its records are compressed, which torch never does')
            damaged = archive.testzip()
    except ValueError:
        raise
    except Exception as error:  # zipfile has many for what it cannot read
        raise ValueError(f'{path}: truncated or damaged ({error}). Fix: fetch it again, or use another one') from error
    if damaged is not None:
        raise ValueError(
            f'{path}: damaged, the checksum of {damaged} does not fit. Fix: fetch it again, or use another one'
        )


def without_code(checkpoint: Any) -> Any:
    """The checkpoint (changed in place) without the texts that mmengine would run as Python."""
    for *folders, key in _CODE:
        place = checkpoint
        for folder in folders:
            place = place.get(folder) if isinstance(place, dict) else None
        if isinstance(place, dict):
            place.pop(key, None)
    return checkpoint


def guard_loaders() -> None:
    """Let all that mmengine loads pass :func:`check_whole`, where it is a file, and :func:`without_code`.

    Every way into mmengine ends here: resuming, ``load_from``, test.py, mmpose's ``init_model`` and inferencers,
    weights of a backbone (``init_cfg``).
    """
    for prefix, loader in list(CheckpointLoader._schemes.items()):
        if not hasattr(loader, 'guarded'):
            CheckpointLoader.register_scheme(prefix, _guarded(loader), force=True)


def _guarded(loader: Callable) -> Callable:
    @functools.wraps(loader)  # mmengine logs its name
    def load(filename: str, map_location: Any = None, **options: Any) -> Any:
        path = osp.expanduser(filename)
        if osp.isfile(path):
            check_whole(path)
        return without_code(loader(filename, map_location=map_location, **options))

    load.guarded = True  # type: ignore[attr-defined]
    return load


def _age(path: str) -> Optional[Tuple[bool, str, int]]:
    """Whether a checkpoint has the optimizer's state, when and after how many iterations it was made; None if bad."""
    try:
        check_whole(path)
        checkpoint = torch.load(path, map_location='cpu', mmap=True)
        meta = checkpoint['meta']
        return 'optimizer' in checkpoint, str(meta.get('time', '')), int(meta['iter'])
    except Exception:  # whatever is wrong with it, another one is wanted
        return None


def newest_checkpoint(work_dir: str, folder: str) -> Tuple[Optional[str], str]:
    """The checkpoint that a training in ``work_dir`` goes on from: the one that ``last_checkpoint`` names if that is
    intact, the newest intact one in ``folder`` otherwise.

    Returns:
        tuple[str | None, str]: Its path, and what there is to say. None where no training has ever saved anything.

    Raises:
        ValueError: There are files of a training, and it can go on from none of them.
    """
    pointer = osp.join(work_dir, 'last_checkpoint')
    named = ''
    if osp.exists(pointer):
        with open(pointer, encoding='utf-8', errors='replace') as file:
            named = file.read().strip()
    # A work_dir that was moved or copied names where it was: the file that lies here counts.
    here = osp.join(folder, osp.basename(named)) if named else ''
    named = here if here and osp.isfile(here) else named
    if named and osp.isfile(named) and _age(named):
        return named, ''
    files: List[str] = glob(osp.join(escape(folder), '*.pth'))
    if not files and not named:
        return None, ''
    reason = f'{pointer} names {named}, which is damaged or gone' if named else f'{pointer} is empty or missing'
    files = [path for path in files if not osp.basename(path).startswith('best_')]  # without the optimizer's state
    ages = {path: age for path, age in ((path, _age(path)) for path in files) if age}
    if not ages:
        raise ValueError(
            f'--resume: {reason}, and of {len(files)} checkpoint files in {folder} a training can go on from none. '
            'Fix: bring one back, or start anew in another --work-dir'
        )
    newest = max(ages, key=ages.__getitem__)
    return newest, f'{reason}: going on from {newest}, the newest that is intact.'

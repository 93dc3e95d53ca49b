"""Splitting training faces into (rest, held out): whole photos only, the same on every machine."""

import argparse
import hashlib
import os
import re
from pathlib import Path
from typing import Dict, List, Sequence, Tuple

from mmpose_sp.faces.annotation_files import AnnotationError, some_of

from .raw_faces import RawFace, read_names


def photo_of(stem: str) -> str:
    """Photo that a face crop or face entry belongs to: ``afw/134212_2`` -> ``afw/134212``.

    RawFace numbers have one or two digits; longer ones (``image_0001``) number the photos themselves.
    """
    return re.sub(r' ?_\d{1,2}$', '', stem)


def hold_out(faces: Sequence[RawFace], fraction: float, seed: int = 0) -> Tuple[List[RawFace], List[RawFace]]:
    """Split training faces into (rest, held out); whole photos only.

    The photos are ordered by a hash of seed and name, so the split depends neither on the platform
    nor on a library's random generator.

    Raises:
        AnnotationError: one of the two parts would be empty.
    """
    if not 0 < fraction < 1:
        raise AnnotationError(f'--val-fraction {fraction}: must lie between 0 and 1, e.g. 0.1.')
    photos: Dict[str, int] = {}
    for face in faces:
        photos[face.photo] = photos.get(face.photo, 0) + 1
    held, wanted = set(), fraction * len(faces)
    for photo in sorted(photos, key=lambda p: hashlib.sha256(f'{seed}:{p}'.encode()).hexdigest()):
        if wanted < photos[photo] / 2:
            continue
        held.add(photo)
        wanted -= photos[photo]
    return _divide(faces, held, f'--val-fraction {fraction}')


def hold_out_names(faces: Sequence[RawFace], path: Path) -> Tuple[List[RawFace], List[RawFace]]:
    """Split training faces into (rest, held out) by a list of image names; whole photos only."""
    stems = {os.path.splitext(face.file_name)[0]: face.photo for face in faces}
    names = read_names(path)
    unknown = [name for name in names if name not in stems]
    if unknown:
        raise AnnotationError(f'{path}: {len(unknown)} names are not in the training set: {some_of(unknown)}')
    return _divide(faces, {stems[name] for name in names}, str(path))


def _divide(faces, held, origin):
    rest = [face for face in faces if face.photo not in held]
    val = [face for face in faces if face.photo in held]
    if not rest or not val:
        raise AnnotationError(
            f'{origin}: leaves {len(rest)} faces for training and {len(val)} for validation of '
            f'{len(faces)}; choose another split.'
        )
    return rest, val


def add_held_out(splits: Dict[str, List[RawFace]], args: argparse.Namespace) -> None:
    """Add ``train_part`` and ``val`` to the splits, where the options hold training faces out."""
    if args.val_list:
        splits['train_part'], splits['val'] = hold_out_names(splits['train'], Path(args.val_list))
    elif args.val_fraction is not None:
        splits['train_part'], splits['val'] = hold_out(splits['train'], args.val_fraction, args.seed)

"""What the three dataset converters share: reading, checking and splitting faces.

A converter turns an official download into :class:`Face` records; what is here does not depend on
the benchmark. Needs only numpy, Pillow and tqdm, so that a conversion starts at once and runs on a
machine without torch.

Coordinates are pixel indices: the centre of the first pixel is (0, 0).
"""

import argparse
import contextlib
import hashlib
import os
import re
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Dict, Iterable, List, Optional, Sequence, Tuple

import numpy as np
from PIL import Image
from tqdm import tqdm

IMAGE_SUFFIXES = ('.jpg', '.png', '.jpeg', '.JPG', '.PNG', '.JPEG', '.bmp')
MAX_OUTSIDE = 0.5  # a landmark further outside than this share of the image's long side is a mistake
TAIL_BYTES = 4096


class ConversionError(ValueError):
    """Input that cannot be converted; the message names the file and what to do."""


@dataclass
class Face:
    """One annotated face.

    Args:
        file_name: image path relative to ``DST/images``.
        size: (width, height) of the image, px.
        keypoints: (K, 2) float64, pixel indices (0-based), image px.
        photo: faces that share it never get separated by a split.
        origin: file (and line) that the face was read from, for messages.
        visible: (K,) COCO flags 2 visible / 1 occluded; None stands for 1 everywhere, as in
            mmpose's own files.
        rect: official box (x1, y1, x2, y2), pixel indices, image px.
        rect_is_bbox: ``bbox`` is the official box (mmpose's COFW), not the landmarks' (its WFLW and
            300W).
        extra: further fields of the annotation.
    """

    file_name: str
    size: Tuple[int, int]
    keypoints: np.ndarray
    photo: str
    origin: str
    visible: Optional[Sequence[int]] = None
    rect: Optional[Sequence[float]] = None
    rect_is_bbox: bool = False
    extra: Dict = field(default_factory=dict)

    def __post_init__(self):
        if '..' in Path(self.file_name).parts or Path(self.file_name).is_absolute():
            raise ConversionError(f'{self.origin}: image name {self.file_name} points out of the image folder.')
        check_points(self.keypoints, self.size, self.origin)


# ---- reading
def read_lines(path: Path) -> List[str]:
    """Lines of a text file without byte order mark, line ends and outer spaces.

    Empty lines are kept: they count in the line numbers of messages.
    """
    try:
        text = Path(path).read_bytes().decode('utf-8-sig')
    except OSError as error:
        raise ConversionError(f'{path}: cannot be read ({error.strerror}).') from error
    except UnicodeDecodeError as error:
        raise ConversionError(f'{path}: is not a text file; download it again.') from error
    return [line.strip() for line in text.splitlines()]


def read_names(path: Path) -> List[str]:
    """Names of a list file, one a line; ``#`` starts a comment, an image or .pts suffix is dropped.

    Raises:
        ConversionError: an empty list, or a name that stands there twice.
    """
    names = [line for line in read_lines(path) if line and not line.startswith('#')]
    names = [n[: -len(s)] if (s := Path(n).suffix) in (*IMAGE_SUFFIXES, '.pts') else n for n in names]
    if not names:
        raise ConversionError(f'{path}: holds no names; write one name a line, e.g. afw/134212_1.')
    if len(set(names)) < len(names):
        twice = sorted({n for n in names if names.count(n) > 1})
        raise ConversionError(f'{path}: {_some(twice)} stand there twice; remove the repetitions.')
    return names


def to_floats(fields: Sequence[str], origin: str) -> np.ndarray:
    """Parse numbers; an error names the first field that is none."""
    try:
        return np.array(fields, dtype=np.float64)
    except ValueError:
        for i, text in enumerate(fields):
            with contextlib.suppress(ValueError):
                float(text)
                continue
            raise ConversionError(f'{origin}: field {i + 1} is "{text}", not a number.') from None
        raise


def image_size(path: Path, verify: bool = False) -> Tuple[int, int]:
    """(width, height) in px as an image reader delivers it (EXIF rotation applied).

    It is read from the header. The pixels are decoded only if ``verify`` is set or the file does
    not end as its format should, which is how an interrupted download looks.

    Raises:
        ConversionError: missing, unreadable or truncated file.
    """
    try:
        with Image.open(path) as image:
            width, height = image.size
            if image.getexif().get(0x0112, 1) in (5, 6, 7, 8):
                width, height = height, width
            if verify or not _has_ending(path, image.format):
                image.load()
    except FileNotFoundError:
        raise ConversionError(f'{path}: image is missing; unpack the image archive again.') from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ConversionError(f'{path}: unreadable image ({error}); unpack or download it again.') from None
    return width, height


def _has_ending(path: Path, image_format: Optional[str]) -> bool:
    ending = {'JPEG': b'\xff\xd9', 'PNG': b'IEND'}.get(image_format)
    if ending is None:
        return False
    with open(path, 'rb') as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL_BYTES))
        return ending in file.read()


def find_image(stem: Path) -> Path:
    """The image that belongs to ``stem`` (path without suffix)."""
    for suffix in IMAGE_SUFFIXES:
        path = stem.parent / (stem.name + suffix)  # with_suffix would cut names that contain a dot
        if path.is_file():
            return path
    raise ConversionError(f'{stem}.jpg|.png: image is missing; unpack the image archive again.')


# ---- checking
def check_points(points: np.ndarray, size: Tuple[int, int], origin: str) -> None:
    """Refuse landmarks that no annotator can have meant.

    Raises:
        ConversionError: NaN / infinite coordinates, landmarks far outside the image, all landmarks
            on one horizontal or vertical line.
    """
    bad = ~np.isfinite(points).all(axis=1)
    if bad.any():
        raise ConversionError(
            f'{origin}: landmark {bad.argmax()} is {points[bad.argmax()].tolist()}, not finite; '
            'correct the annotation or remove the face.'
        )
    outside = np.maximum(-0.5 - points, points - (np.array(size) - 0.5)).max(axis=1)
    if outside.max() > MAX_OUTSIDE * max(size):
        i = outside.argmax()
        raise ConversionError(
            f'{origin}: landmark {i} at {points[i].tolist()} is far outside the '
            f'{size[0]} x {size[1]} '
            'image; is it the right image (not resized), is the annotation damaged?'
        )
    if (np.ptp(points, axis=0) <= 0).any():
        raise ConversionError(f'{origin}: the landmarks have no extent; the annotation is damaged.')


def count_outside(faces: Iterable[Face]) -> int:
    """Number of landmarks outside their image (further than MAX_OUTSIDE they were refused)."""
    return int(sum(((f.keypoints < -0.5) | (f.keypoints > np.array(f.size) - 0.5)).any(axis=1).sum() for f in faces))


def find_duplicates(faces: Sequence[Face]) -> List[Tuple[Face, Face]]:
    """Pairs (first, later) with the same landmarks in images of one size, whatever their names."""
    first: Dict = {}
    pairs = []
    for face in faces:
        key = (face.size, face.keypoints.round(3).tobytes())
        if key in first:
            pairs.append((first[key], face))
        else:
            first[key] = face
    return pairs


class Problems:
    """Collects what is wrong with single faces, so that one run tells all of it."""

    def __init__(self):
        self.messages: List[str] = []

    @contextlib.contextmanager
    def collect(self):
        try:
            yield
        except ConversionError as error:
            self.messages.append(str(error))

    def raise_if_any(self) -> None:
        if self.messages:
            shown = '\n  '.join(self.messages[:10])
            more = len(self.messages) - 10
            raise ConversionError(
                shown
                if len(self.messages) == 1
                else f'{len(self.messages)} problems:\n  {shown}' + (f'\n  ... and {more} more' if more > 0 else '')
            )


def warn(message: str) -> None:
    print(f'WARNING: {message}', file=sys.stderr, flush=True)


def _some(names: Sequence[str], limit: int = 5) -> str:
    more = f' and {len(names) - limit} more' if len(names) > limit else ''
    return ', '.join(map(str, names[:limit])) + more


def check_counts(dataset: str, found: Dict[str, int], published: Dict[str, int], strict: bool) -> bool:
    """Compare face counts with the published ones; True if all agree.

    A set of another size is converted, but never silently: results on it must not be reported as
    results on the benchmark.

    Raises:
        ConversionError: they differ and ``strict`` is set, or there is no face at all.
    """
    if not sum(found.values()):
        raise ConversionError(f'no face of {dataset} was found; is SRC the folder that was unpacked?')
    if all(found.get(k, 0) == n for k, n in published.items()):
        print(f'{dataset}: the published counts agree (' + ', '.join(f'{k} {n:,}' for k, n in published.items()) + ')')
        return True
    width = max(map(len, published))
    table = '\n'.join(
        f'   {"  " if found.get(k, 0) == n else "!!"} {k:<{width}}  found {found.get(k, 0):>6,}   published {n:>6,}'
        for k, n in published.items()
    )
    text = (
        f'this is NOT {dataset} as published. Results on it are not results on {dataset}; '
        f'name the part you used.\n{table}'
    )
    if strict:
        raise ConversionError(text)
    bar = '#' * 100
    print(f'{bar}\nWARNING: {text}\n{bar}', file=sys.stderr, flush=True)
    return False


def report_faces(splits: Dict[str, Sequence[Face]]) -> None:
    """Tell about duplicates, landmarks outside their image, and photos that splits share."""
    faces = [face for split in splits.values() for face in split]
    pairs = find_duplicates(faces)
    if pairs:
        warn(
            f'{len(pairs)} faces stand there twice (same landmarks, same image size), both are '
            'kept: ' + _some([f'{b.origin} = {a.origin}' for a, b in pairs])
        )
    names = list(splits)
    for i, a in enumerate(names):
        for b in names[i + 1 :]:
            shared = sorted({f.photo for f in splits[a]} & {f.photo for f in splits[b]})
            if shared:
                warn(f'{len(shared)} photos are in both {a} and {b}: {_some(shared)}')
    outside = count_outside(faces)
    if outside:
        print(f'note: {outside:,} landmarks of {len(faces):,} faces lie outside their image, kept as annotated')


# ---- splitting
def photo_of(stem: str) -> str:
    """Photo that a face crop or face entry belongs to: ``afw/134212_2`` -> ``afw/134212``.

    Face numbers have one or two digits; longer ones (``image_0001``) number the photos themselves.
    """
    return re.sub(r' ?_\d{1,2}$', '', stem)


def hold_out(faces: Sequence[Face], fraction: float, seed: int = 0) -> Tuple[List[Face], List[Face]]:
    """Split training faces into (rest, held out); whole photos only.

    The photos are ordered by a hash of seed and name, so the split depends neither on the platform
    nor on a library's random generator.

    Raises:
        ConversionError: one of the two parts would be empty.
    """
    if not 0 < fraction < 1:
        raise ConversionError(f'--val-fraction {fraction}: must lie between 0 and 1, e.g. 0.1.')
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


def hold_out_names(faces: Sequence[Face], path: Path) -> Tuple[List[Face], List[Face]]:
    """Split training faces into (rest, held out) by a list of image names; whole photos only."""
    stems = {os.path.splitext(face.file_name)[0]: face.photo for face in faces}
    names = read_names(path)
    unknown = [name for name in names if name not in stems]
    if unknown:
        raise ConversionError(f'{path}: {len(unknown)} names are not in the training set: {_some(unknown)}')
    return _divide(faces, {stems[name] for name in names}, str(path))


def _divide(faces, held, origin):
    rest = [face for face in faces if face.photo not in held]
    val = [face for face in faces if face.photo in held]
    if not rest or not val:
        raise ConversionError(
            f'{origin}: leaves {len(rest)} faces for training and {len(val)} for validation of '
            f'{len(faces)}; choose another split.'
        )
    return rest, val


def split_training(faces: Sequence[Face], args: argparse.Namespace) -> Optional[Tuple[List[Face], List[Face]]]:
    """(rest, held out) as the options ask, None if they do not."""
    if args.val_list:
        return hold_out_names(faces, Path(args.val_list))
    if args.val_fraction is not None:
        return hold_out(faces, args.val_fraction, args.seed)
    return None


# ---- command line
def progress(items, desc: str, total: Optional[int] = None):
    return tqdm(items, desc=desc, total=total, unit='face', dynamic_ncols=True)


def argument_parser(description: str, src_help: str, dst: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('src', type=Path, metavar='SRC', help=src_help)
    parser.add_argument('dst', type=Path, metavar='DST', help=f'folder to write to; the configs expect {dst}')
    parser.add_argument(
        '--strict',
        action='store_true',
        help='a set that differs from the published counts is an error, not a warning',
    )
    parser.add_argument(
        '--val-fraction',
        type=float,
        metavar='F',
        help='hold out this share of the training faces (whole photos) for validation: further '
        'files *_train_part.json and *_val.json; model selection must never use the test set',
    )
    parser.add_argument('--val-list', metavar='FILE', help='... or hold out the images named in FILE, one a line')
    parser.add_argument('--seed', type=int, default=0, help='seed of --val-fraction (default: %(default)s)')
    return parser


def add_image_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--link',
        choices=('hard', 'symlink', 'copy'),
        default='hard',
        help='how images reach DST/images; hard links fall back to copies (default: %(default)s)',
    )
    parser.add_argument('--verify', action='store_true', help='decode every image (slower), not only its header')


def run(main) -> None:
    """Call ``main()``; bad input ends as one message and exit code 1, an interruption as 130."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that clean-up runs
    try:
        main()
    except ConversionError as error:
        sys.exit(f'ERROR: {error}\nNothing was written.')
    except OSError as error:  # a full disk, missing permissions
        sys.exit(f'ERROR: {error}')
    except KeyboardInterrupt:
        print('\ninterrupted, nothing was written', file=sys.stderr)
        sys.exit(130)

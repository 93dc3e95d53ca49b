"""One face of an official download: its record, its image file, and what no annotator can have meant.

Needs only numpy and Pillow. Coordinates are pixel indices: the centre of the first pixel is (0, 0).
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np
from PIL import Image

from mmpose_sp.faces.annotation_files import AnnotationError, read_lines, some_of
from mmpose_sp.faces.coordinates import far_outside
from mmpose_sp.utils.image_files import looks_complete

IMAGE_SUFFIXES = ('.jpg', '.png', '.jpeg', '.JPG', '.PNG', '.JPEG', '.bmp')


@dataclass
class RawFace:
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
            raise AnnotationError(f'{self.origin}: image name {self.file_name} points out of the image folder.')
        check_points(self.keypoints, self.size, self.origin)


def read_names(path: Path) -> List[str]:
    """Names of a list file, one a line; ``#`` starts a comment, an image or .pts suffix is dropped.

    Raises:
        AnnotationError: an empty list, or a name that stands there twice.
    """
    names = [line for line in read_lines(path) if line and not line.startswith('#')]
    names = [n[: -len(s)] if (s := Path(n).suffix) in (*IMAGE_SUFFIXES, '.pts') else n for n in names]
    if not names:
        raise AnnotationError(f'{path}: holds no names; write one name a line, e.g. afw/134212_1.')
    if len(set(names)) < len(names):
        twice = sorted({n for n in names if names.count(n) > 1})
        raise AnnotationError(f'{path}: {some_of(twice)} stand there twice; remove the repetitions.')
    return names


def image_size(path: Path, verify: bool = False) -> Tuple[int, int]:
    """(width, height) in px as an image reader delivers it (EXIF rotation applied).

    It is read from the header. The pixels are decoded only if ``verify`` is set or the file does
    not end as its format should, which is how an interrupted download looks.

    Raises:
        AnnotationError: missing, unreadable or truncated file.
    """
    try:
        with Image.open(path) as image:
            width, height = image.size
            if image.getexif().get(0x0112, 1) in (5, 6, 7, 8):
                width, height = height, width
            if verify or not looks_complete(path):
                image.load()
    except FileNotFoundError:
        raise AnnotationError(f'{path}: image is missing; unpack the image archive again.') from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise AnnotationError(f'{path}: unreadable image ({error}); unpack or download it again.') from None
    return width, height


def find_image(stem: Path) -> Path:
    """The image that belongs to ``stem`` (path without suffix)."""
    for suffix in IMAGE_SUFFIXES:
        path = stem.parent / (stem.name + suffix)  # with_suffix would cut names that contain a dot
        if path.is_file():
            return path
    raise AnnotationError(f'{stem}.jpg|.png: image is missing; unpack the image archive again.')


def check_points(points: np.ndarray, size: Tuple[int, int], origin: str) -> None:
    """Refuse landmarks that no annotator can have meant.

    Raises:
        AnnotationError: NaN / infinite coordinates, landmarks far outside the image, all landmarks
            on one horizontal or vertical line.
    """
    bad = ~np.isfinite(points).all(axis=1)
    if bad.any():
        raise AnnotationError(
            f'{origin}: landmark {bad.argmax()} is {points[bad.argmax()].tolist()}, not finite; '
            'correct the annotation or remove the face.'
        )
    far = far_outside(points, size)
    if far.any():
        i = far.argmax()
        raise AnnotationError(
            f'{origin}: landmark {i} at {points[i].tolist()} is far outside the {size[0]} x {size[1]} image; is it the '
            'right image (not resized), is the annotation damaged?'
        )
    if (np.ptp(points, axis=0) <= 0).any():
        raise AnnotationError(f'{origin}: the landmarks have no extent; the annotation is damaged.')


def find_duplicates(faces: Sequence[RawFace]) -> List[Tuple[RawFace, RawFace]]:
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

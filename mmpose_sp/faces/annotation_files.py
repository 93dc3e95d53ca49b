"""Annotated faces from files: iBUG's ``.pts`` and COCO-style ``.json``."""

import contextlib
import json
from pathlib import Path
from typing import List, NamedTuple, Optional, Sequence, Union

import numpy as np

from .schemes import subset_names


class AnnotationError(ValueError):
    """Input that cannot be used; the message names the file and what to do."""


class AnnotatedFace(NamedTuple):
    """An annotated face; ``landmarks`` (K, 2) image px, NaN where not annotated."""

    image: Optional[str]
    landmarks: np.ndarray
    subsets: List[str]


def read_lines(path: Union[str, Path]) -> List[str]:
    """Lines of a text file without byte order mark, line ends and outer spaces.

    Empty lines are kept: they count in the line numbers of messages.
    """
    try:
        text = Path(path).read_bytes().decode('utf-8-sig')
    except OSError as error:
        raise AnnotationError(f'{path}: cannot be read ({error.strerror}).') from error
    except UnicodeDecodeError as error:
        raise AnnotationError(f'{path}: is not a text file; download it again.') from error
    return [line.strip() for line in text.splitlines()]


def to_floats(fields: Sequence[str], origin: str) -> np.ndarray:
    """Parse numbers; an error names the first field that is none."""
    try:
        return np.array(fields, dtype=np.float64)
    except ValueError:
        for i, text in enumerate(fields):
            with contextlib.suppress(ValueError):
                float(text)
                continue
            raise AnnotationError(f'{origin}: field {i + 1} is "{text}", not a number.') from None
        raise


def some_of(names: Sequence[object], limit: int = 5) -> str:
    """The first names and how many more there are, for messages."""
    more = f' and {len(names) - limit} more' if len(names) > limit else ''
    return ', '.join(map(str, names[:limit])) + more


def read_pts(path: Union[str, Path], num_landmarks: Optional[int] = None) -> np.ndarray:
    """Landmarks (K, 2) float64 of an iBUG ``.pts`` file as pixel indices; iBUG counts pixels from 1.

    Args:
        path: The file.
        num_landmarks: K, where it is known.

    Raises:
        AnnotationError: No ``.pts`` file, damaged, or with another number of landmarks.
    """
    lines = [line for line in read_lines(path) if line]
    header = {}
    while lines and lines[0] != '{':
        key, _, value = lines.pop(0).partition(':')
        header[key.strip().lower()] = value.strip()
    if not lines or lines[-1] != '}':
        raise AnnotationError(f'{path}: no coordinates between {{ and }}; the file is damaged, unpack it again.')
    rows = [line.split() for line in lines[1:-1]]
    wanted = len(rows) if num_landmarks is None else num_landmarks
    announced = header.get('n_points', str(wanted))
    if not rows or len(rows) != wanted or announced != str(wanted):
        raise AnnotationError(f'{path}: {len(rows)} landmarks (n_points: {announced}), expected {wanted or "some"}.')
    for i, row in enumerate(rows):
        if len(row) != 2:
            raise AnnotationError(f'{path}: landmark {i} has {len(row)} coordinates, not 2.')
    return to_floats([value for row in rows for value in row], str(path)).reshape(-1, 2) - 1


def pts_text(landmarks: np.ndarray) -> str:
    """The inverse of :func:`read_pts`: what a ``.pts`` file of landmarks (K, 2), pixel indices, holds."""
    rows = ''.join(f'{x:.6f} {y:.6f}\n' for x, y in np.asarray(landmarks) + 1)
    return f'version: 1\nn_points: {len(landmarks)}\n{{\n{rows}}}\n'


def read_annotations(path: Union[str, Path], image_root: Optional[str] = None) -> List[AnnotatedFace]:
    """The faces of a COCO-style annotation file, as the dataset converters write it.

    Image paths are relative to ``image_root``, by default ``images/`` beside the ``annotations/`` folder.

    Raises:
        AnnotationError: Not such a file.
    """
    path = Path(path)
    root = Path(image_root) if image_root else path.parent.parent / 'images'
    try:
        data = json.loads(path.read_text())
        names = {image['id']: image['file_name'] for image in data['images']}
        faces = []
        for annotation in data['annotations']:
            points = np.array(annotation['keypoints'], dtype=np.float64).reshape(-1, 3)
            landmarks = np.where(points[:, 2:] > 0, points[:, :2], np.nan)
            faces.append(
                AnnotatedFace(str(root / names[annotation['image_id']]), landmarks, list(subset_names(annotation)))
            )
    except (json.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise AnnotationError(
            f'{path}: not a COCO-style landmark file ({type(error).__name__}: {error}); '
            'tools/dataset_converters write them'
        ) from error
    if not faces:
        raise AnnotationError(f'{path}: no annotation in it')
    return faces


def load_face(
    annotation: str, image: Optional[str] = None, index: int = 0, image_root: Optional[str] = None
) -> AnnotatedFace:
    """One face from a ``.pts`` file (``image`` is then needed) or a COCO-style ``.json`` (its ``index``-th face).

    Raises:
        FileNotFoundError, AnnotationError: With the file's name and what to do.
    """
    if not Path(annotation).is_file():
        raise FileNotFoundError(f'{annotation}: no such annotation file')
    if annotation.endswith('.pts'):
        if image is None:
            raise AnnotationError(f'{annotation}: a .pts file does not name its image; give --image')
        return AnnotatedFace(image, read_pts(annotation), [])
    faces = read_annotations(annotation, image_root)
    if not 0 <= index < len(faces):
        raise AnnotationError(f'{annotation}: face {index} asked for, it has {len(faces)} (0 to {len(faces) - 1})')
    return faces[index]._replace(image=image or faces[index].image)


def tight_box(landmarks: np.ndarray) -> np.ndarray:
    """(4,) x1 y1 x2 y2 of the annotated landmarks, the box that the models know."""
    return np.concatenate([np.nanmin(landmarks, axis=0), np.nanmax(landmarks, axis=0)])

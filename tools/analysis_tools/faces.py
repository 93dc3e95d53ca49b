"""What the analysis commands share: annotated faces from files, and the codec that fits their landmarks."""

import json
from pathlib import Path
from typing import List, NamedTuple, Optional

import numpy as np

from mmpose_sp.codecs import ImageAwareLabelSmoothing
from mmpose_sp.faces import scheme_of_count, subset_names


class Face(NamedTuple):
    """An annotated face; ``landmarks`` (K, 2) image px, NaN where not annotated."""

    image: str
    landmarks: np.ndarray
    subsets: List[str]


def read_pts(path: str) -> np.ndarray:
    """Landmarks (K, 2) of an iBUG ``.pts`` file as pixel indices; iBUG counts pixels from 1.

    Raises:
        ValueError: Not a ``.pts`` file; the message names it.
    """
    text = Path(path).read_text()
    body = text.partition('{')[2].partition('}')[0]
    try:
        points = np.array([[float(v) for v in line.split()] for line in body.splitlines() if line.strip()])
    except ValueError as error:
        raise ValueError(f'{path}: a coordinate is not a number ({error})') from error
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(f'{path}: no "x y" lines between {{ and }}; is it a .pts file?')
    return points - 1


def read_annotations(path: str, image_root: Optional[str] = None) -> List[Face]:
    """The faces of a COCO-style annotation file, as the dataset converters write it.

    Image paths are relative to ``image_root``, by default ``images/`` beside the ``annotations/`` folder.

    Raises:
        ValueError: Not such a file.
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
            faces.append(Face(str(root / names[annotation['image_id']]), landmarks, list(subset_names(annotation))))
    except (json.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f'{path}: not a COCO-style landmark file ({type(error).__name__}: {error}); '
            'tools/dataset_converters write them'
        ) from error
    if not faces:
        raise ValueError(f'{path}: no annotation in it')
    return faces


def load_face(annotation: str, image: Optional[str] = None, index: int = 0, image_root: Optional[str] = None) -> Face:
    """One face from a ``.pts`` file (``image`` is then needed) or a COCO-style ``.json`` (its ``index``-th face).

    Raises:
        FileNotFoundError, ValueError: With the file's name and what to do.
    """
    if not Path(annotation).is_file():
        raise FileNotFoundError(f'{annotation}: no such annotation file')
    if annotation.endswith('.pts'):
        if image is None:
            raise ValueError(f'{annotation}: a .pts file does not name its image; give --image')
        return Face(image, read_pts(annotation), [])
    faces = read_annotations(annotation, image_root)
    if not 0 <= index < len(faces):
        raise ValueError(f'{annotation}: face {index} asked for, it has {len(faces)} (0 to {len(faces) - 1})')
    return faces[index]._replace(**({'image': image} if image else {}))


def make_codec(
    num_landmarks: int, input_size: int = 256, heatmap_size: int = 64, **options
) -> ImageAwareLabelSmoothing:
    """The paper's codec for faces with so many landmarks; ``options`` go to :class:`ImageAwareLabelSmoothing`."""
    boundaries = scheme_of_count(num_landmarks).name
    return ImageAwareLabelSmoothing((input_size,) * 2, (heatmap_size,) * 2, boundaries=boundaries, **options)


def tight_box(landmarks: np.ndarray) -> np.ndarray:
    """(4,) x1 y1 x2 y2 of the annotated landmarks, the box that the models know."""
    return np.concatenate([np.nanmin(landmarks, axis=0), np.nanmax(landmarks, axis=0)])

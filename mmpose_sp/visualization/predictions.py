"""Ground truth and prediction side by side on faces: selecting them, and drawing their sheets (Fig. 5, A4-A12)."""

import pickle
from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple

import cv2
import numpy as np

from mmpose_sp.faces import SCHEMES, subset_names, transform_points
from mmpose_sp.utils.images import read_image

from .draw import crop_around, draw_comparison, draw_confidence
from .sheets import contact_sheet, subset_sheet

SELECTIONS = ('first', 'random', 'best', 'worst', 'spread')


class PredictedFace(NamedTuple):
    """A face with its annotation and its prediction, in image px."""

    image: str
    ground_truth: np.ndarray  # (K, 2), NaN where not annotated
    prediction: np.ndarray  # (K, 2)
    subsets: Tuple[str, ...] = ()
    confidence: Optional[np.ndarray] = None  # (K,) in [0, 1]
    error: Optional[float] = None  # percent

    @property
    def image_error(self) -> float:
        """Mean distance relative to the size of the ground truth, for ordering where ``error`` is not known."""
        if self.error is not None:
            return self.error
        size = np.nanmax(np.nanmax(self.ground_truth, 0) - np.nanmin(self.ground_truth, 0))
        return float(100 * np.nanmean(np.linalg.norm(self.prediction - self.ground_truth, axis=-1)) / size)


def load_predictions(path: str, errors: Optional[Dict[Any, float]] = None) -> List[PredictedFace]:
    """Read what ``tools/test.py --dump`` wrote. A pickle runs code: open only files that you made.

    Args:
        path: The ``.pkl`` file.
        errors: Annotation id -> error in percent, from the errors file of ``FaceAlignmentMetric``.

    Raises:
        ValueError: Not such a file.
    """
    try:
        with open(path, 'rb') as file:
            samples = pickle.load(file)
        return [_from_sample(sample, errors or {}) for sample in samples]
    except (pickle.UnpicklingError, KeyError, TypeError, AttributeError, EOFError, ImportError) as error:
        raise ValueError(
            f'{path}: not a dump of predictions ({type(error).__name__}: {error}); '
            'tools/test.py CONFIG CHECKPOINT --dump FILE writes one'
        ) from error


def _from_sample(sample: dict, errors: Dict[Any, float]) -> PredictedFace:
    truth, found = sample['gt_instances'], sample['pred_instances']
    landmarks = np.asarray(truth['keypoints'], dtype=np.float64)[0]
    visible = np.asarray(truth['keypoints_visible'])[0] if 'keypoints_visible' in truth else np.ones(len(landmarks))
    visible = visible[..., 0] if visible.ndim == 2 else visible
    identity = sample.get('id')
    identity = identity.item() if hasattr(identity, 'item') else identity
    return PredictedFace(
        sample['img_path'],
        np.where(visible[:, None] > 0, landmarks, np.nan),
        np.asarray(found['keypoints'], dtype=np.float64)[0],
        subset_names(sample.get('raw_ann_info')),
        np.asarray(found['keypoint_scores'], dtype=np.float64)[0],
        errors.get(identity),
    )


def select_faces(faces: Sequence[PredictedFace], count: int, how: str = 'first', seed: int = 0) -> List[PredictedFace]:
    """Pick at most ``count`` faces.

    Args:
        how: ``'first'``, ``'random'`` (seeded), ``'best'`` and ``'worst'`` by error, or ``'spread'``: evenly spaced
            from the smallest to the largest error, which shows what to expect.

    Raises:
        ValueError: Unknown selection.
    """
    if how not in SELECTIONS:
        raise ValueError(f'unknown selection {how!r}; choose from {SELECTIONS}')
    count = min(count, len(faces))
    if how == 'first':
        return list(faces[:count])
    if how == 'random':
        return [faces[i] for i in np.random.default_rng(seed).permutation(len(faces))[:count]]
    ordered = sorted(faces, key=lambda face: face.image_error)
    if how == 'spread':
        return [ordered[i] for i in np.round(np.linspace(0, len(ordered) - 1, count)).astype(int)]
    return ordered[:count] if how == 'best' else ordered[::-1][:count]


def group_by_subset(faces: Iterable[PredictedFace]) -> Dict[str, List[PredictedFace]]:
    """Subset -> its faces, in the order of the papers, then of appearance; a face may be in several, or in none."""
    groups: Dict[str, List[PredictedFace]] = {name: [] for part in SCHEMES.values() for name in part.subsets}
    for face in faces:
        for name in face.subsets:
            groups.setdefault(name, []).append(face)
    return {name: group for name, group in groups.items() if group}


def face_tile(face: PredictedFace, size: int = 256, style: str = 'comparison') -> np.ndarray:
    """The face cut out and drawn on: ground truth green and prediction red, or coloured by confidence.

    Raises:
        ValueError: Unknown style, or no confidence to draw.
    """
    # drawn at twice the size: OpenCV's discs of one or two pixels are diamonds
    crop, matrix = crop_around(read_image(face.image), face.ground_truth, 2 * size, padding=1.3)
    prediction = transform_points(face.prediction, matrix)
    radius = max(2.0, size / 85)
    if style == 'comparison':
        tile = draw_comparison(crop, transform_points(face.ground_truth, matrix), prediction, radius)
    elif style == 'confidence':
        if face.confidence is None:
            raise ValueError(f'{face.image}: this prediction has no confidence')
        tile = draw_confidence(crop, prediction, face.confidence, radius)
    else:
        raise ValueError(f"style must be 'comparison' or 'confidence', got {style!r}")
    return cv2.resize(tile, (size, size), interpolation=cv2.INTER_AREA)


def prediction_sheet(
    faces: Sequence[PredictedFace],
    title: Optional[str] = None,
    columns: int = 4,
    size: int = 256,
    style: str = 'comparison',
) -> np.ndarray:
    """A contact sheet of faces with their errors as captions."""
    captions = [f'{face.error:.2f}%' if face.error is not None else '' for face in faces]
    captions = None if not any(captions) else captions
    return contact_sheet([face_tile(face, size, style) for face in faces], captions, columns, (size, size), title)


def subset_overview(
    faces: Sequence[PredictedFace], count: int = 6, how: str = 'first', size: int = 192, title: Optional[str] = None
) -> np.ndarray:
    """One row per subset.

    Raises:
        ValueError: No face belongs to any.
    """
    groups = group_by_subset(faces)
    if not groups:
        raise ValueError('no face belongs to a subset: the annotations carry neither attributes nor subset')
    rows = [
        (name, [face_tile(face, size) for face in select_faces(group, count, how)]) for name, group in groups.items()
    ]
    return subset_sheet(rows, (size, size), title=title)

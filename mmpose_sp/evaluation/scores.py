"""The arithmetic of face alignment scores: normalised mean error, failure rate, area under the CED.

Pure NumPy on arrays of N faces with K landmarks. Units: landmarks and normalisers in image px, errors in percent of the
normaliser, failure rate in percent, AUC in [0, 1]. Everything is computed in float64. :class:`FaceAlignmentMetric` only
collects samples for these functions, so scores can be repeated from two arrays without any framework.
"""

from typing import Optional, Sequence

import numpy as np

from mmpose_sp.faces import BOX_DIAGONAL, FaceScheme

__all__ = ['ced_auc', 'face_normaliser', 'failure_rate', 'landmark_box_diagonal', 'landmark_distance', 'per_face_nme']

_LISTED = 5  # faces named in an error message


def per_face_nme(
    pred: np.ndarray, gt: np.ndarray, norm: np.ndarray, visible: Optional[np.ndarray] = None
) -> np.ndarray:
    """Normalised mean error of each face: mean landmark distance over the normaliser, in percent.

    The mean is taken inside each face first, as the benchmarks do; the score of a test set is the mean of the returned
    values. Pooling all landmarks of all faces gives another number as soon as some landmark is missing.

    >>> annotated = np.array([[[0.0, 0.0], [40.0, 0.0]]])
    >>> per_face_nme(annotated + [0.6, 0.8], annotated, norm=[40.0])
    array([2.5])

    Args:
        pred: (N, K, 2) predicted landmarks, image px.
        gt: (N, K, 2) annotated landmarks, image px.
        norm: (N,) normalising distances, image px, positive.
        visible: (N, K) bool, landmarks that are annotated and count; all of them by default.

    Returns:
        (N,) float64, percent.

    Raises:
        ValueError: for shapes that do not fit; for a face (its index is named) whose normaliser is zero, negative or
            not finite, whose landmarks that count are not finite, or where no landmark counts.
    """
    pred, gt = _landmarks(pred, 'pred'), _landmarks(gt, 'gt')
    norm = np.asarray(norm, dtype=np.float64)
    if pred.shape != gt.shape:
        raise ValueError(f'pred has shape {pred.shape}, gt has shape {gt.shape}: they must be the same (N, K, 2)')
    if norm.shape != gt.shape[:1]:
        raise ValueError(f'norm has shape {norm.shape}, expected one distance for each face: {gt.shape[:1]}')
    visible = _visibility(visible, gt)

    _reject(~(np.isfinite(norm) & (norm > 0)), 'the normaliser is zero, negative or not finite')
    _reject(~visible.any(axis=1), 'no landmark is annotated')
    for name, points in (('predicted', pred), ('annotated', gt)):
        _reject(
            (visible & ~np.isfinite(points).all(axis=2)).any(axis=1),
            f'a {name} landmark is NaN or infinite',
        )

    distance = np.linalg.norm(np.where(visible[..., None], pred - gt, 0.0), axis=2)
    return 100.0 * distance.sum(axis=1) / visible.sum(axis=1) / norm


def failure_rate(nme: np.ndarray, threshold: float) -> float:
    """Share of faces whose error exceeds ``threshold``, in percent.

    A face at exactly the threshold is a success, as in the evaluation code of the benchmarks (success: nme <= t).

    >>> failure_rate([2.0, 10.0, 14.0, 4.0], threshold=10.0)
    25.0

    Args:
        nme: (N,) errors of N >= 1 faces, in the unit of the threshold (percent).
        threshold: positive error, percent.

    Raises:
        ValueError: no face, an error that is NaN or negative (index named), a threshold that is not positive.
    """
    nme = _errors(nme, threshold)
    return 100.0 * float(np.mean(nme > threshold))


def ced_auc(nme: np.ndarray, threshold: float) -> float:
    """Area under the cumulative error distribution from 0 to ``threshold``, over ``threshold``: in [0, 1].

    The empirical CED is a staircase, CED(x) = #{i: nme_i <= x} / N, hence its integral needs no grid: face i adds the
    length of [nme_i, threshold], so that AUC = mean(max(0, 1 - nme_i / threshold)).

    >>> ced_auc([2.0, 10.0, 14.0, 4.0], threshold=10.0)
    0.35

    Args:
        nme: (N,) errors of N >= 1 faces, in the unit of the threshold (percent).
        threshold: positive error, percent.

    Raises:
        ValueError: as :func:`failure_rate`.
    """
    nme = _errors(nme, threshold)
    return float(np.mean(np.maximum(0.0, 1.0 - nme / threshold)))


def landmark_distance(gt: np.ndarray, left: Sequence[int], right: Sequence[int]) -> np.ndarray:
    """Distance between the centres of two groups of landmarks.

    One index on each side gives the inter-ocular distance between eye corners, or between annotated pupils; the six
    points of each eye give the inter-pupil distance where pupils are not annotated (300-W).

    Args:
        gt: (N, K, 2) landmarks, image px.
        left, right: landmark indices of the groups.

    Returns:
        (N,) float64, image px.

    Raises:
        ValueError: an empty group, or an index outside [0, K).
    """
    gt = _landmarks(gt, 'gt')
    for side, indices in (('left', left), ('right', right)):
        if len(indices) == 0:
            raise ValueError(f'the {side} group of landmark indices is empty')
        outside = [i for i in indices if not 0 <= i < gt.shape[1]]
        if outside:
            raise ValueError(f'{side} landmark indices {outside} do not exist: there are {gt.shape[1]} landmarks')
    return np.linalg.norm(gt[:, list(left)].mean(axis=1) - gt[:, list(right)].mean(axis=1), axis=1)


def face_normaliser(gt: np.ndarray, scheme: FaceScheme, visible: Optional[np.ndarray] = None) -> np.ndarray:
    """(N,) distances, image px, that divide the errors of faces (N, K, 2) by the protocol of their landmark scheme."""
    if scheme.norm == BOX_DIAGONAL:
        return landmark_box_diagonal(gt, visible)
    return landmark_distance(gt, *scheme.normalisers[scheme.norm])


def landmark_box_diagonal(gt: np.ndarray, visible: Optional[np.ndarray] = None) -> np.ndarray:
    """Diagonal of the tight box around the landmarks of each face.

    Args:
        gt: (N, K, 2) landmarks, image px.
        visible: (N, K) bool, landmarks that count; all of them by default.

    Returns:
        (N,) float64, image px; 0 for a face where no landmark counts.
    """
    gt = _landmarks(gt, 'gt')
    visible = _visibility(visible, gt)[..., None]
    size = np.where(visible, gt, -np.inf).max(axis=1) - np.where(visible, gt, np.inf).min(axis=1)
    return np.linalg.norm(np.where(np.isneginf(size), 0.0, size), axis=1)


def _landmarks(points: np.ndarray, name: str) -> np.ndarray:
    points = np.asarray(points, dtype=np.float64)
    if points.ndim != 3 or points.shape[1] == 0 or points.shape[2] != 2:
        raise ValueError(f'{name} has shape {points.shape}, expected (N, K, 2)')
    return points


def _visibility(visible: Optional[np.ndarray], gt: np.ndarray) -> np.ndarray:
    if visible is None:
        return np.ones(gt.shape[:2], dtype=bool)
    visible = np.asarray(visible, dtype=bool)
    if visible.shape != gt.shape[:2]:
        raise ValueError(f'visible has shape {visible.shape}, expected (N, K) = {gt.shape[:2]}')
    return visible


def _errors(nme: np.ndarray, threshold: float) -> np.ndarray:
    nme = np.asarray(nme, dtype=np.float64)
    if nme.ndim != 1 or nme.size == 0:
        raise ValueError(f'nme has shape {nme.shape}, expected (N,) with at least one face')
    if not (np.isfinite(threshold) and threshold > 0):
        raise ValueError(f'threshold must be a positive number of percent, got {threshold}')
    _reject(~(nme >= 0), 'the error is NaN or negative')
    return nme


def _reject(bad: np.ndarray, reason: str) -> None:
    indices = np.flatnonzero(bad)
    if indices.size:
        more = f' and {indices.size - _LISTED} more' if indices.size > _LISTED else ''
        raise ValueError(f'{reason}: face {", ".join(map(str, indices[:_LISTED]))}{more} (of {bad.size})')

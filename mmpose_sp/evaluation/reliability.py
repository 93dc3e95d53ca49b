"""How well confidences and covariances say what happens: coverage, reliability, and fitting both.

Pure functions. Coordinates are heatmap px; M counts landmarks, of all faces together.
"""

from typing import List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
import torch
from scipy.optimize import minimize, minimize_scalar
from scipy.stats import mannwhitneyu
from torch import Tensor

from mmpose_sp.faces import ellipse_radius
from mmpose_sp.posterior import Calibration, read_sites
from mmpose_sp.posterior.calibration import GRID_VARIANCE

LEVELS = (0.5, 0.9, 0.95)


def squared_mahalanobis(errors: np.ndarray, covariances: np.ndarray) -> np.ndarray:
    """e' C^-1 e of errors (M, 2) and covariances (M, 2, 2), shape (M,); 1 px^2 / 10^9 keeps C invertible."""
    errors = np.asarray(errors, dtype=np.float64)
    covariances = np.asarray(covariances, dtype=np.float64) + 1e-9 * np.eye(2)
    return (errors * np.linalg.solve(covariances, errors[..., None])[..., 0]).sum(axis=-1)


def coverage(
    errors: np.ndarray, covariances: np.ndarray, levels: Sequence[float] = LEVELS, tail_weight: float = 0.0
) -> np.ndarray:
    """Share of the landmarks inside of their ellipses of these probabilities, see :func:`ellipse_radius`.

    Args:
        errors: (M, 2) annotation - prediction.
        covariances: (M, 2, 2), in the square of the unit of the errors.
        levels: Probabilities in (0, 1).
        tail_weight: Of :func:`ellipse_radius`.

    Returns:
        (len(levels),); a calibrated model gives the levels themselves.
    """
    reached = ellipse_radius(levels, tail_weight) ** 2
    return (squared_mahalanobis(errors, covariances)[:, None] <= reached).mean(axis=0)


def ellipse_loss(errors: np.ndarray, covariances: np.ndarray, tail_weight: float = 0.0) -> float:
    """Mean negative log likelihood (nats) of errors (M, 2) under Student's t of these covariances, less log 2 pi.

    Of covariance C and nu = 1 / tail_weight degrees of freedom, in the plane: log det C / 2 + log(1 - 2 / nu) + (nu / 2
    + 1) log(1 + e' C^-1 e / (nu - 2)). The Gaussian, log det C / 2 + e' C^-1 e / 2, is the limit of tail weight 0.
    """
    determinant = np.linalg.det(np.asarray(covariances, dtype=np.float64) + 1e-9 * np.eye(2))
    distance = squared_mahalanobis(errors, covariances)
    if tail_weight == 0:
        of_distance = distance / 2
    else:
        of_distance = (0.5 / tail_weight + 1) * np.log1p(distance * tail_weight / (1 - 2 * tail_weight))
        of_distance += np.log1p(-2 * tail_weight)
    return float((of_distance + np.log(determinant) / 2).mean())


def fit_scale_and_floor(errors: np.ndarray, covariances: np.ndarray) -> Tuple[float, float]:
    """The numbers a and b under whose Gaussians of covariance a C + b I the errors are most likely.

    Args:
        errors: (M, 2) annotation - prediction, heatmap px.
        covariances: (M, 2, 2) C, heatmap px^2.

    Returns:
        A (without unit) and b (heatmap px^2), both within 0.001 and 1000.
    """

    def covariance(x: np.ndarray) -> np.ndarray:
        scale, floor = np.exp(x)
        return scale * covariances + floor * np.eye(2)

    # scipy steps by 5% of a coordinate, and log 1 = 0 has none: the search would end at a scale of 1, where it began.
    start = np.log([1.0, 0.1])
    found = minimize(
        lambda x: ellipse_loss(errors, covariance(x)),
        start,
        method='Nelder-Mead',
        bounds=[np.log((1e-3, 1e3))] * 2,
        options=dict(xatol=1e-2, fatol=1e-5, initial_simplex=start + np.array([[0, 0], [0.5, 0], [0, 0.5]])),
    )
    scale, floor = np.exp(found.x)
    return float(scale), float(floor)


def fit_tail_weight(errors: np.ndarray, covariances: np.ndarray) -> float:
    """The tail weight under which errors (M, 2) of given covariances (M, 2, 2) are most likely, within 0 and 0.45."""
    found = minimize_scalar(
        lambda weight: ellipse_loss(errors, covariances, weight), bounds=(0, 0.45), method='bounded'
    )
    return float(found.x)


def peak_window(scores: Tensor) -> Tensor:
    """Centre (..., 2) of the 3x3 window whose mass is the confidence: the arg max of (..., h, w), moved inward."""
    h, w = scores.shape[-2:]
    index = scores.flatten(-2).argmax(dim=-1)
    return torch.stack([(index % w).clamp(1, w - 2), (index // w).clamp(1, h - 2)], dim=-1)


def in_window(scores: Tensor, labels: Tensor) -> np.ndarray:
    """Whether labels (..., 2) lie in the 3x3 pixels that the confidence speaks of: what it is the probability of."""
    return ((labels - peak_window(scores)).abs() <= 1.5).all(dim=-1).cpu().numpy()


class Reliability(NamedTuple):
    """Of the bins that hold landmarks: their mean confidence, the share of hits, and how many."""

    confidence: np.ndarray
    hits: np.ndarray
    count: np.ndarray

    @property
    def expected_error(self) -> float:
        """Expected calibration error: mean distance of confidence and hits over the landmarks."""
        return float(np.average(np.abs(self.confidence - self.hits), weights=self.count))


def reliability(confidence: np.ndarray, hits: np.ndarray, bins: int = 10) -> Reliability:
    """Bins of equal numbers of landmarks, from the least to the most confident (M,)."""
    order = np.argsort(confidence, kind='stable')
    parts = [part for part in np.array_split(order, bins) if part.size]
    return Reliability(
        np.array([confidence[part].mean() for part in parts]),
        np.array([hits[part].mean() for part in parts]),
        np.array([part.size for part in parts]),
    )


def log_loss(confidence: np.ndarray, hits: np.ndarray) -> float:
    """Mean negative log likelihood of hits (M,) under confidences (M,)."""
    confidence = np.clip(np.asarray(confidence, dtype=np.float64), 1e-6, 1 - 1e-6)
    return float(-np.where(hits, np.log(confidence), np.log1p(-confidence)).mean())


def fit_calibration(
    scores: Tensor, labels: Tensor, predictions: Tensor, eps: float = 1.0, counted: Optional[np.ndarray] = None
) -> Calibration:
    """Fit the temperature to the hits by their log loss; by the likelihood scale and floor of the covariances, then
    the weight of the tails.

    Args:
        scores: (B, K, h, w) of validation faces.
        labels: (B, K, 2) annotations.
        predictions: (B, K, 2) decoded landmarks.
        eps: Of the codec.
        counted: (B, K) bool, the annotated ones; all by default.
    """
    counted = np.ones(labels.shape[:2], dtype=bool) if counted is None else counted
    hits = in_window(scores, labels)[counted]

    def loss(log_temperature: float) -> float:
        used = Calibration(float(np.exp(log_temperature)))
        confidence = read_sites(scores, 'none', eps, used, covariance=False).confidence
        return log_loss(confidence.cpu().numpy()[counted], hits)

    found = minimize_scalar(loss, bounds=(np.log(0.2), np.log(5)), method='bounded', options=dict(xatol=0.01))
    temperature = float(np.exp(found.x))
    used = Calibration(temperature, grid_variance=GRID_VARIANCE)
    covariances = read_sites(scores, 'none', eps, used).covariance.cpu().numpy()[counted]
    errors = (labels - predictions).cpu().numpy()[counted]
    scale, floor = fit_scale_and_floor(errors, covariances)
    tails = fit_tail_weight(errors, scale * covariances + floor * np.eye(2))
    return Calibration(temperature, scale, GRID_VARIANCE, floor, tails).checked()


def standard_deviations(covariances: np.ndarray) -> np.ndarray:
    """sqrt(trace C) (...,) of (..., 2, 2): the expected distance, as a root mean square."""
    return np.sqrt(np.trace(covariances, axis1=-2, axis2=-1))


def area_under_roc(good: np.ndarray, bad: np.ndarray) -> float:
    """Probability that a good one (N,) has a higher score than a bad one (M,); ties count half. NaN without either."""
    if not len(good) or not len(bad):
        return float('nan')
    return float(mannwhitneyu(good, bad).statistic / (len(good) * len(bad)))


def rounded(values: Sequence[float], digits: int = 4) -> List[float]:
    """Plain numbers for a report."""
    return [round(float(value), digits) for value in values]

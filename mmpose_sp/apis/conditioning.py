"""Correcting by hand: some landmarks of a Gaussian are put where they belong, the others follow. Without torch."""

from typing import Any, Mapping, Tuple

import numpy as np

#: Root mean square of the corrections, in standard deviations, up to which they are believed as they are.
BELIEVED = 4.0


def check_corrections(corrections: Mapping[int, Any], num_landmarks: int) -> Tuple[np.ndarray, np.ndarray]:
    """Indices (n,) and places (n, 2) of corrections ``{landmark: (x, y)}``.

    Raises:
        ValueError: No such landmark, or a place that is not two finite numbers; names it.
    """
    for index, place in corrections.items():
        if not isinstance(index, (int, np.integer)) or not 0 <= index < num_landmarks:
            raise ValueError(f'correction of landmark {index!r}: there are the landmarks 0 to {num_landmarks - 1}')
        if np.shape(place) != (2,) or not np.isfinite(np.asarray(place, dtype=np.float64)).all():
            raise ValueError(f'correction of landmark {index}: (x, y) must be two finite numbers, got {place!r}')
    places = np.array(list(corrections.values()), dtype=np.float64).reshape(-1, 2)
    return np.array(list(corrections), dtype=np.int64), places


def condition(
    mean: np.ndarray, covariance: np.ndarray, indices: np.ndarray, places: np.ndarray
) -> Tuple[np.ndarray, np.ndarray]:
    """The Gaussian of all landmarks once some are known.

    x' = x + V_s V_ss^-1 (y_s - x_s), as the rules of the Gaussian have it, where the corrections are ones that V
    expects. Corrections further off (contradictory ones, or of a face that was not found) would throw the others far
    away: they move the others as if they were as far as is :data:`BELIEVED`, and the covariance grows by the square of
    what was not.

    Args:
        mean: (K, 2).
        covariance: (2K, 2K), positive definite.
        indices: (n,) different landmarks.
        places: (n, 2).

    Returns:
        (K, 2) with the corrected landmarks exactly at their places, and (2K, 2K) with zeros for them.
    """
    variances = covariance.diagonal().reshape(-1, 2).sum(axis=1)
    fresh = variances[indices] > 0  # one that was corrected before is put elsewhere, and tells the others nothing more
    known = (2 * indices[fresh][:, None] + np.arange(2)).ravel()
    corrected = mean.copy()
    corrected[indices] = places
    if not known.size:
        return corrected, covariance.copy()
    moved, across = (corrected - mean)[indices[fresh]].ravel(), covariance[:, known].astype(np.float64)
    values, vectors = np.linalg.eigh(across[known])
    values = np.maximum(values, 1e-9 * values.max())
    inverse = (vectors / values) @ vectors.T
    excess = max(float(moved @ inverse @ moved) / len(moved) / BELIEVED**2, 1.0)
    gain = across @ inverse
    mean = mean + (gain @ moved / np.sqrt(excess)).reshape(-1, 2)
    covariance = excess * (covariance - gain @ across.T)
    mean[indices], covariance[known], covariance[:, known] = places, 0, 0
    return mean, (covariance + covariance.T) / 2

"""From the landmarks of one scheme to those of another, where they mark the same places."""

import numpy as np

_JAW = 17  # landmarks of 300-W's jaw; WFLW has 33 on the same line


def wflw_to_300w(points: np.ndarray, jaw_start: float = 0.0) -> np.ndarray:
    """The 68 landmarks of 300-W from the 98 of WFLW: a fixed linear map, so it takes predictions as well.

    Brows (their upper line), nose and mouth are the same landmarks. An eyelid has three landmarks in WFLW and two in
    300-W, at thirds of it: they are interpolated. Of the jaw every second landmark is taken.

    Args:
        points: (..., 98, 2), any px.
        jaw_start: Share of each half of WFLW's jaw line, from the temple, above the first landmark of 300-W's. No
            photographs are annotated both ways, so it is not known for real faces; 0 takes the lines for the same.

    Returns:
        (..., 68, 2) float64.

    Raises:
        ValueError: Another number of landmarks.
    """
    points = np.asarray(points, dtype=np.float64)
    if points.shape[-2:] != (98, 2):
        raise ValueError(f'the 98 landmarks of WFLW are needed, (..., 98, 2), got {points.shape}')
    half = np.linspace(16 * jaw_start, 16, _JAW // 2 + 1)
    jaw = _between(points, np.concatenate([half, 32 - half[-2::-1]]))
    brows = points[..., [*range(33, 38), *range(42, 47)], :]
    nose = points[..., 51:60, :]
    thirds = np.array([4 / 3, 8 / 3])
    eyes = [_between(points, first + np.array([0, *thirds, 4, *(thirds + 4)])) for first in (60, 68)]
    return np.concatenate([jaw, brows, nose, *eyes, points[..., 76:96, :]], axis=-2)


def _between(points: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Landmarks at fractional indices, linear between neighbours."""
    low = np.minimum(np.floor(positions).astype(int), points.shape[-2] - 2)
    share = (positions - low)[:, None]
    return np.asarray((1 - share) * points[..., low, :] + share * points[..., low + 1, :])

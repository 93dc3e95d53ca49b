"""Drawing on images: landmarks, boundary curves, confidence, uncertainty ellipses.

Every function is pure: it takes a uint8 BGR image (H, W, 3), as OpenCV reads it, and returns a new one. Coordinates
are image pixels with the centre of the first pixel at (0, 0); landmarks that are NaN or infinite are skipped.
Drawing is sub-pixel (OpenCV's fixed-point coordinates) and anti-aliased.
"""

from typing import Optional, Sequence, Tuple

import cv2
import numpy as np

from mmpose_sp.faces import compose
from mmpose_sp.utils.images import as_bgr

GREEN = (60, 220, 60)  # ground truth, as in Fig. 5
RED = (50, 50, 245)  # prediction, as in Fig. 5
WHITE = (255, 255, 255)
AMBER = (0, 200, 255)  # ellipses
_SHIFT = 4  # fractional bits of OpenCV's fixed-point coordinates


def auto_radius(image: np.ndarray) -> float:
    """Landmark radius (px) that stays readable at the size of this image."""
    return max(1.2, 0.006 * max(image.shape[:2]))


def draw_landmarks(
    image: np.ndarray,
    points: np.ndarray,
    color: Tuple[int, int, int] = RED,
    radius: Optional[float] = None,
    colors: Optional[np.ndarray] = None,
) -> np.ndarray:
    """Draw landmarks as filled discs.

    Args:
        image: uint8 BGR image.
        points: (K, 2) image px.
        color: One BGR colour for all.
        radius: Disc radius in px; by default it follows the image size.
        colors: (K, 3) BGR, one per landmark; replaces ``color``.
    """
    canvas = as_bgr(image).copy()
    points = _check_points(points)
    radius = auto_radius(canvas) if radius is None else radius
    for index, point in enumerate(points):
        own = color if colors is None else tuple(int(c) for c in colors[index])
        if np.isfinite(point).all():
            cv2.circle(canvas, _fixed(point), round(radius * (1 << _SHIFT)), own, cv2.FILLED, cv2.LINE_AA, _SHIFT)
    return canvas


def draw_polyline(
    image: np.ndarray, points: np.ndarray, color: Tuple[int, int, int] = GREEN, closed: bool = False, thickness: int = 1
) -> np.ndarray:
    """Draw (n, 2) image px points joined by straight segments.

    Raises:
        ValueError: Points of another shape.
    """
    canvas = as_bgr(image).copy()
    points = _check_points(points)
    points = points[np.isfinite(points).all(axis=1)]
    if len(points) >= 2:
        fixed = np.round(points * (1 << _SHIFT)).astype(np.int32)[:, None]
        cv2.polylines(canvas, [fixed], closed, color, thickness, cv2.LINE_AA, _SHIFT)
    return canvas


def draw_comparison(
    image: np.ndarray, ground_truth: np.ndarray, prediction: np.ndarray, radius: Optional[float] = None
) -> np.ndarray:
    """Draw the ground truth in green and the prediction in red, on top (Fig. 5, A4-A12).

    Args:
        image: uint8 BGR image.
        ground_truth: (K, 2) image px.
        prediction: (K, 2) image px.
        radius: Of the discs in px; by default it follows the image size.

    Raises:
        ValueError: Landmarks of another shape, or not as many predictions as annotations.
    """
    ground_truth, prediction = _check_points(ground_truth), _check_points(prediction)
    if ground_truth.shape != prediction.shape:
        raise ValueError(f'ground truth {ground_truth.shape} and prediction {prediction.shape} differ in shape')
    return draw_landmarks(draw_landmarks(image, ground_truth, GREEN, radius), prediction, RED, radius)


def confidence_colors(confidence: np.ndarray) -> np.ndarray:
    """Map confidences in [0, 1], shape (K,), to BGR colours (K, 3): red (0) over yellow to green (1)."""
    confidence = np.clip(np.nan_to_num(np.asarray(confidence, dtype=np.float64)), 0, 1)
    red = np.minimum(1, 2 * (1 - confidence))
    green = np.minimum(1, 2 * confidence)
    return np.round(255 * np.stack([np.zeros_like(red), green, red], axis=-1)).astype(np.uint8)


def draw_confidence(
    image: np.ndarray, points: np.ndarray, confidence: np.ndarray, radius: Optional[float] = None
) -> np.ndarray:
    """Draw landmarks (K, 2) in image px, coloured by their confidence (K,), see :func:`confidence_colors`.

    Raises:
        ValueError: Landmarks of another shape, or not as many confidences.
    """
    points = _check_points(points)
    if len(confidence) != len(points):
        raise ValueError(f'{len(points)} landmarks but {len(confidence)} confidences')
    return draw_landmarks(image, points, radius=radius, colors=confidence_colors(confidence))


def ellipse_axes(covariance: np.ndarray, n_std: float = 2.0) -> Tuple[float, float, float]:
    """Semi-axes (px, long one first) and angle (degrees, x towards y) of the ``n_std`` ellipse of a (2, 2) covariance.

    Raises:
        ValueError: Not symmetric positive semi-definite (up to rounding).
    """
    covariance = np.asarray(covariance, dtype=np.float64)
    scale = np.abs(covariance).max()
    if covariance.shape != (2, 2) or not np.allclose(covariance, covariance.T, atol=1e-5 * scale):
        raise ValueError(f'not a symmetric (2, 2) covariance: {covariance}')
    values, vectors = np.linalg.eigh(covariance)
    if values[0] < -1e-5 * max(scale, 1e-12):
        raise ValueError(f'covariance is not positive semi-definite, eigenvalues {values}')
    minor, major = n_std * np.sqrt(np.maximum(values, 0))
    angle = np.degrees(np.arctan2(vectors[1, 1], vectors[0, 1])) % 180
    return float(major), float(minor), float(angle)


def draw_uncertainty(image: np.ndarray, points: np.ndarray, covariances: np.ndarray, n_std: float = 2.0) -> np.ndarray:
    """Draw the ``n_std`` ellipse of each landmark.

    Args:
        image: uint8 BGR image.
        points: (K, 2) image px.
        covariances: (K, 2, 2) image px^2 (scale a heatmap covariance by stride^2 first).
        n_std: Size in standard deviations.
    """
    canvas = as_bgr(image).copy()
    points = _check_points(points)
    if np.shape(covariances) != (len(points), 2, 2):
        raise ValueError(f'{len(points)} landmarks but covariances of shape {np.shape(covariances)}')
    for point, covariance in zip(points, covariances):
        if not (np.isfinite(point).all() and np.isfinite(covariance).all()):
            continue
        major, minor, angle = ellipse_axes(covariance, n_std)
        axes = tuple(max(1, round(a * (1 << _SHIFT))) for a in (major, minor))
        cv2.ellipse(canvas, _fixed(point), axes, angle, 0, 360, AMBER, 1, cv2.LINE_AA, _SHIFT)
    return canvas


def overlay_heatmap(image: np.ndarray, heatmap: np.ndarray, opacity: float = 0.55) -> np.ndarray:
    """Blend a heatmap (h, w) over an image; the heatmap is scaled to [0, 1] by its own range and to the image's size.

    The image shows through where the heatmap is low. Map cells cover equal areas of the image (pixel centres).
    """
    canvas = as_bgr(image)
    unit = normalise(heatmap).astype(np.float32)
    unit = cv2.resize(unit, canvas.shape[1::-1], interpolation=cv2.INTER_CUBIC).clip(0, 1)
    colour = cv2.applyColorMap(np.round(255 * unit).astype(np.uint8), cv2.COLORMAP_TURBO)
    alpha = (opacity * np.sqrt(unit))[..., None]
    return np.round((1 - alpha) * canvas + alpha * colour).astype(np.uint8)


def normalise(heatmap: np.ndarray) -> np.ndarray:
    """Scale an array to [0, 1] by its own range; a constant array becomes 0."""
    heatmap = np.asarray(heatmap, dtype=np.float64)
    low, high = heatmap.min(), heatmap.max()
    if not np.isfinite([low, high]).all():
        raise ValueError('heatmap has NaN or infinite values')
    return (heatmap - low) / (high - low) if high > low else np.zeros_like(heatmap)


def crop_around(
    image: np.ndarray, points: np.ndarray, size: int = 256, padding: float = 1.25
) -> Tuple[np.ndarray, np.ndarray]:
    """Cut the square around landmarks and resize it to ``size`` x ``size``.

    Returns:
        The crop, uint8 BGR (size, size, 3), grey outside of the image, and the (2, 3) affine map from image px to crop
        px (:func:`mmpose_sp.faces.transform_points` applies it).

    Raises:
        ValueError: No finite landmark.
    """
    points = _check_points(points)
    points = points[np.isfinite(points).all(axis=1)]
    if not len(points):
        raise ValueError('no finite landmark to crop around')
    low, high = points.min(0), points.max(0)
    side = max(float((high - low).max()) * padding, 1.0)
    scale = size / side
    matrix = np.array([[scale, 0, 0], [0, scale, 0]])
    matrix[:, 2] = (size - 1) / 2 - scale * (low + high) / 2
    # shrinking needs area averaging; warpAffine samples single pixels
    source = as_bgr(image)
    if scale < 0.5:
        shrink = 2 * scale
        reduced = cv2.resize(source, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
        fx, fy = reduced.shape[1] / source.shape[1], reduced.shape[0] / source.shape[0]
        to_source = np.array([[1 / fx, 0, 0.5 / fx - 0.5], [0, 1 / fy, 0.5 / fy - 0.5]])
        warp = compose(matrix, to_source)
        source = reduced
    else:
        warp = matrix
    crop = cv2.warpAffine(source, warp, (size, size), flags=cv2.INTER_LINEAR, borderValue=(114, 114, 114))
    return crop, matrix


def draw_boundaries(image: np.ndarray, curves: Sequence[np.ndarray]) -> np.ndarray:
    """Draw boundary curves, each (n, 2) densely sampled image px, in one colour each."""
    canvas = as_bgr(image).copy()
    for curve, color in zip(curves, boundary_palette(len(curves))):
        canvas = draw_polyline(canvas, curve, color)
    return canvas


def boundary_palette(count: int) -> Sequence[Tuple[int, int, int]]:
    """``count`` distinct BGR colours around the colour circle."""
    hues = (np.arange(max(count, 1)) * 180 / max(count, 1)).astype(np.uint8)
    hsv = np.stack([hues, np.full_like(hues, 190), np.full_like(hues, 255)], axis=-1)[None]
    return [tuple(int(c) for c in row) for row in cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)[0][:count]]


def _check_points(points: np.ndarray) -> np.ndarray:
    points = np.asarray(points, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(f'landmarks must be (K, 2), got {points.shape}')
    return points


def _fixed(point: np.ndarray) -> Tuple[int, int]:
    # far-away points would overflow OpenCV's 32-bit fixed point
    x, y = np.clip(np.round(np.asarray(point) * (1 << _SHIFT)), -(2**24), 2**24)
    return int(x), int(y)

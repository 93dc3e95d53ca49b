"""Landmarks -> smooth boundary curves -> edge map -> blurred and sharpened edge map.

The edge map E of the paper's appendix A1.3: curves through the landmarks, the distance of every pixel to them, and a
Gaussian of that distance. All coordinates are heatmap pixels (pixel centres at the integers), x first.
"""
from functools import lru_cache
from typing import Iterator, Optional, Sequence, Tuple

import cv2
import numpy as np
from scipy.interpolate import CubicSpline

SAMPLES_PER_SEGMENT = 8  # points of the drawn curve between neighbouring landmarks
SUPERSAMPLING = 4  # lines are drawn on a grid this much finer: the distance is off by at most 1/8 heatmap px
SUPPORT = 3.  # the Gaussian of the distance is cut off at this many standard deviations
_SHIFT = 4  # fractional bits of the coordinates that cv2.polylines receives
_FAR = 1e4  # heatmap px; keeps wild landmarks within the integers of cv2.polylines


@lru_cache(maxsize=None)
def spline_matrix(num_points: int, closed: bool, samples: int = SAMPLES_PER_SEGMENT) -> np.ndarray:
    """Matrix that takes landmarks to points on the cubic spline through them.

    The spline has one unit of parameter between neighbours (periodic if closed, natural ends if open), so its points
    are fixed linear combinations of the landmarks and a curve costs one matrix product.

    Args:
        num_points (int): Number of landmarks, at least 2 (3 if closed).
        closed (bool): Whether the last landmark joins the first.
        samples (int): Curve points per segment.

    Returns:
        np.ndarray: (M, num_points) float32, M = samples * segments + 1. Row ``i * samples`` is landmark ``i``; rows
        sum to one. The last row of a closed curve is its first.
    """
    knots = np.arange(num_points + closed)
    values = np.eye(num_points)
    if closed:
        values = np.concatenate([values, values[:1]])
    spline = CubicSpline(knots, values, bc_type='periodic' if closed else 'natural')
    matrix = spline(np.linspace(0, knots[-1], samples * knots[-1] + 1)).astype(np.float32)
    matrix.setflags(write=False)
    return matrix


def visible_runs(visible: np.ndarray, closed: bool) -> Iterator[Tuple[np.ndarray, bool]]:
    """Split a boundary at its missing landmarks.

    Args:
        visible (np.ndarray): (P,) bool, in the order of the boundary.
        closed (bool): Whether the boundary is closed.

    Yields:
        tuple: positions (int array) of neighbouring visible landmarks and whether they form a closed curve. Single
        landmarks have no curve and are left out; so is everything between a missing landmark and its neighbours.
    """
    num = len(visible)
    if visible.all():
        yield np.arange(num), closed and num > 2
        return
    gaps = np.flatnonzero(~visible)
    # Start a closed boundary behind a gap, so that no run is cut at index 0.
    order = (np.arange(num) + (gaps[0] + 1 if closed else 0)) % num
    for run in np.split(order, np.flatnonzero(~visible[order])):
        run = run[visible[run]]
        if len(run) > 1:
            yield run, False


def boundary_curves(landmarks: np.ndarray, boundary, visible: Optional[np.ndarray] = None) -> list:
    """Smooth curves through the landmarks of one boundary.

    Args:
        landmarks (np.ndarray): (K, 2). NaN and infinite landmarks count as missing.
        boundary (Boundary): Its ``indices`` and ``closed`` say which landmarks are joined.
        visible (np.ndarray, optional): (K,) bool; False marks missing landmarks.

    Returns:
        list[np.ndarray]: Curves (M, 2); one when all landmarks are there, else one per run of neighbours.
    """
    points = landmarks[list(boundary.indices)]
    present = np.isfinite(points).all(axis=-1)
    if visible is not None:
        present &= visible[list(boundary.indices)]
    return [
        spline_matrix(len(run), closed) @ points[run]
        for run, closed in visible_runs(present, boundary.closed)
    ]


def edge_heatmaps(landmarks: np.ndarray,
                  boundaries: Sequence,
                  heatmap_size: Tuple[int, int],
                  sigma: float = 1.,
                  visible: Optional[np.ndarray] = None,
                  padding: int = 0) -> np.ndarray:
    """One edge map per boundary: exp(-d^2 / (2 sigma^2)) of the distance d to its curve, 0 beyond 3 sigma.

    Landmarks may lie outside the map: their curves enter it where they do.

    Args:
        landmarks (np.ndarray): (K, 2) in heatmap px; NaN = missing.
        boundaries (Sequence[Boundary]): E boundaries.
        heatmap_size (tuple): (w, h).
        sigma (float): Standard deviation of the line profile in heatmap px. Defaults to 1.
        visible (np.ndarray, optional): (K,) bool; curve parts through missing landmarks are left out.
        padding (int): Pixels of margin that are drawn around the map on each side.

    Returns:
        np.ndarray: (E, h + 2 * padding, w + 2 * padding) float32 in [0, 1].
    """
    width, height = (int(size) + 2 * padding for size in heatmap_size)
    maps = np.zeros((len(boundaries), height, width), dtype=np.float32)
    for edge_map, boundary in zip(maps, boundaries):
        curves = boundary_curves(landmarks, boundary, visible)
        if curves:
            _draw(edge_map, [np.clip(curve + padding, -_FAR, _FAR) for curve in curves], sigma)
    return maps


def _draw(edge_map: np.ndarray, curves: Sequence[np.ndarray], sigma: float) -> None:
    """Write the Gaussian of the distance to the curves into the part of the map that they reach."""
    reach = SUPPORT * sigma
    low = np.min([curve.min(axis=0) for curve in curves], axis=0)
    high = np.max([curve.max(axis=0) for curve in curves], axis=0)
    # The drawn box also keeps curve parts up to `reach` outside the map, which colour pixels inside.
    limit = np.array(edge_map.shape[::-1])
    x0, y0 = np.floor(np.maximum(low, -reach) - reach).astype(int)
    x1, y1 = np.ceil(np.minimum(high, limit - 1 + reach) + reach).astype(int) + 1
    left, top = max(x0, 0), max(y0, 0)
    right, bottom = min(x1, limit[0]), min(y1, limit[1])
    if left >= right or top >= bottom:
        return
    canvas = np.ones(((y1 - y0) * SUPERSAMPLING, (x1 - x0) * SUPERSAMPLING), dtype=np.uint8)
    scale = SUPERSAMPLING * 2**_SHIFT
    lines = [np.rint((curve - (x0, y0)) * scale).astype(np.int32) for curve in curves]
    cv2.polylines(canvas, lines, isClosed=False, color=0, thickness=1, shift=_SHIFT)
    distance = cv2.distanceTransform(canvas, cv2.DIST_L2, cv2.DIST_MASK_5)
    # Heatmap pixel i is fine pixel i * SUPERSAMPLING: the distances are read, not averaged.
    distance = distance[(top - y0) * SUPERSAMPLING:(bottom - y0) * SUPERSAMPLING:SUPERSAMPLING,
                        (left - x0) * SUPERSAMPLING:(right - x0) * SUPERSAMPLING:SUPERSAMPLING]
    distance = distance * (1. / SUPERSAMPLING)
    profile = np.exp(distance * distance * (-0.5 / sigma**2))
    profile[distance > reach] = 0
    edge_map[top:bottom, left:right] = profile


def blur_and_sharpen(edge_map: np.ndarray, blur_kernel: int = 9, sharpness: float = 5.) -> np.ndarray:
    """E -> E': Gaussian blur, then sharpening.

    The semantics are those of torchvision: ``gaussian_blur`` with its default sigma 0.3 * ((k - 1) / 2 - 1) + 0.8 and
    reflected borders, and ``adjust_sharpness``, which blends the map with its smoothed self (3x3, centre weight 5 of
    13) as factor * map + (1 - factor) * smoothed, keeps the outermost pixels, and clamps to [0, 1].

    Args:
        edge_map (np.ndarray): (h, w) float32 in [0, 1].
        blur_kernel (int): Odd kernel size in px; 1 does not blur. Defaults to 9.
        sharpness (float): Factor; 1 changes nothing. Defaults to 5.

    Returns:
        np.ndarray: (h, w) float32 in [0, 1].
    """
    if blur_kernel > 1:
        sigma = 0.3 * ((blur_kernel - 1) * 0.5 - 1) + 0.8
        edge_map = cv2.GaussianBlur(edge_map, (blur_kernel, blur_kernel), sigma)
    if sharpness == 1:
        return edge_map
    smooth = edge_map.copy()
    kernel = np.ones((3, 3), dtype=np.float32)
    kernel[1, 1] = 5
    smooth[1:-1, 1:-1] = cv2.filter2D(edge_map, -1, kernel / kernel.sum())[1:-1, 1:-1]
    return np.clip(sharpness * edge_map + (1 - sharpness) * smooth, 0, 1)

"""Landmarks -> smooth boundary curves -> edge map -> blurred and sharpened edge map.

The edge map E of the paper's appendix A1.3: curves through the landmarks, the distance of every pixel to them, and a
Gaussian of that distance. All coordinates are heatmap pixels (pixel centres at the integers), x first.
"""

import math
from functools import lru_cache
from typing import Iterator, NamedTuple, Optional, Sequence, Tuple

import cv2
import numpy as np

SAMPLES_PER_SEGMENT = 8  # points of a curve between neighbouring landmarks
# Lines are drawn on a grid this much finer than the map: distances are off by at most half a fine px.
SUPERSAMPLING = 4  # of edge heatmaps, the targets of a network
# ... and of the edge map that is only blurred: a third of the time, the label covariances change by 0.3 %
UNION_SUPERSAMPLING = 2
UNION_SAMPLES_PER_SEGMENT = 4
# Thin lines, as ADNet and STAR draw them: a quarter of a map px wide, on a grid of 16 px per map px.
THIN_WIDTH, THIN_SUPERSAMPLING = 4, 16
SUPPORT = 3.0  # the Gaussian of the distance is cut off at this many standard deviations
_SHIFT = 4  # fractional bits of the coordinates that cv2.polylines receives
_FAR = 1e4  # heatmap px; keeps wild landmarks within the integers of cv2.polylines


@lru_cache(maxsize=None)
def spline_matrix(num_points: int, closed: bool, samples: int = SAMPLES_PER_SEGMENT) -> np.ndarray:
    """Matrix that takes landmarks to points on the cubic spline through them.

    The spline has one unit of parameter between neighbours (periodic if closed, natural ends if open), so its points
    are fixed linear combinations of the landmarks and a curve costs one matrix product.

    Args:
        num_points: Number of landmarks, at least 2 (3 if closed).
        closed: Whether the last landmark joins the first.
        samples: Curve points per segment.

    Returns:
        (M, num_points) float32, M = samples * segments + 1. Row ``i * samples`` is landmark ``i``; rows
        sum to one. The last row of a closed curve is its first.
    """
    # Its second derivatives M at the points y: M[i-1] + 4 M[i] + M[i+1] = 6 (y[i-1] - 2 y[i] + y[i+1]); 0 at open ends.
    unit = np.eye(num_points)
    beside = np.roll(unit, 1, axis=0) + np.roll(unit, -1, axis=0)
    system, bending = beside + 4 * unit, 6 * (beside - 2 * unit)
    if not closed:
        system[[0, -1]], bending[[0, -1]] = unit[[0, -1]], 0
    bending = np.linalg.solve(system, bending)

    segments = num_points if closed else num_points - 1
    place = np.arange(samples * segments + 1) / samples
    first = np.minimum(place.astype(int), segments - 1)
    second, t = (first + 1) % num_points, (place - first)[:, None]
    matrix = (1 - t) * unit[first] + t * unit[second]
    matrix += ((1 - t) ** 3 - (1 - t)) / 6 * bending[first] + (t**3 - t) / 6 * bending[second]
    matrix = matrix.astype(np.float32)
    matrix.setflags(write=False)
    return matrix


def visible_runs(visible: np.ndarray, closed: bool) -> Iterator[Tuple[np.ndarray, bool]]:
    """Split a boundary at its missing landmarks.

    Args:
        visible: (P,) bool, in the order of the boundary.
        closed: Whether the boundary is closed.

    Yields:
        Positions (int array) of neighbouring visible landmarks and whether they form a closed curve. Single
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
        landmarks: (K, 2). NaN and infinite landmarks count as missing.
        boundary: A :class:`mmpose_sp.faces.Boundary`: its ``indices`` and ``closed`` say which landmarks are joined.
        visible: (K,) bool; False marks missing landmarks.

    Returns:
        Curves (M, 2); one when all landmarks are there, else one per run of neighbours.
    """
    points = landmarks[list(boundary.indices)]
    present = np.isfinite(points).all(axis=-1)
    if visible is not None:
        present &= visible[list(boundary.indices)]
    return [spline_matrix(len(run), closed) @ points[run] for run, closed in visible_runs(present, boundary.closed)]


def tangents(landmarks: np.ndarray, boundary) -> np.ndarray:
    """Unit vectors (P, 2) along the spline of one boundary at its P landmarks of (K, 2), all of which are there.

    NaN where neighbours coincide.
    """
    closed = boundary.closed and len(boundary.indices) > 2
    curve = spline_matrix(len(boundary.indices), closed) @ landmarks[list(boundary.indices)]
    at = np.arange(len(boundary.indices)) * SAMPLES_PER_SEGMENT
    if closed:
        around = len(curve) - 1  # its last point is its first
        along = curve[(at + 1) % around] - curve[(at - 1) % around]
    else:
        along = curve[np.minimum(at + 1, len(curve) - 1)] - curve[np.maximum(at - 1, 0)]
    length = np.linalg.norm(along, axis=-1, keepdims=True)
    return along / np.where(length > 0, length, np.nan)


class _Joined(NamedTuple):
    """The curves of a set of boundaries as one matrix product."""

    used: np.ndarray
    """(U,) landmarks that lie on a boundary."""
    matrix: np.ndarray
    """(M, U): landmarks -> points of all curves."""
    lengths: Tuple[int, ...]
    """Points of each curve."""


@lru_cache(maxsize=None)
def _joined(boundaries: tuple) -> _Joined:
    used = np.unique(np.concatenate([boundary.indices for boundary in boundaries]))
    blocks = []
    for boundary in boundaries:
        num = len(boundary.indices)
        spline = spline_matrix(num, boundary.closed and num > 2, UNION_SAMPLES_PER_SEGMENT)
        blocks.append(np.zeros((len(spline), len(used)), dtype=np.float32))
        blocks[-1][:, np.searchsorted(used, boundary.indices)] = spline
    return _Joined(used, np.concatenate(blocks), tuple(len(block) for block in blocks))


def edge_heatmaps(
    landmarks: np.ndarray,
    boundaries: Sequence,
    heatmap_size: Tuple[int, int],
    sigma: float = 1.0,
    visible: Optional[np.ndarray] = None,
    padding: int = 0,
) -> np.ndarray:
    """One edge map per boundary: exp(-d^2 / (2 sigma^2)) of the distance d to its curve, 0 beyond 3 sigma.

    Landmarks may lie outside the map: their curves enter it where they do.

    Args:
        landmarks: (K, 2) in heatmap px; NaN = missing.
        boundaries: E boundaries.
        heatmap_size: (w, h).
        sigma: Standard deviation of the line profile in heatmap px. Defaults to 1.
        visible: (K,) bool; curve parts through missing landmarks are left out.
        padding: Pixels of margin that are drawn around the map on each side.

    Returns:
        (E, h + 2 * padding, w + 2 * padding) float32 in [0, 1].
    """
    maps = _empty_maps(len(boundaries), heatmap_size, padding)
    for edge_map, boundary in zip(maps, boundaries):
        points, lengths = _concatenate(boundary_curves(landmarks, boundary, visible))
        _draw(edge_map, points, lengths, sigma, padding, SUPERSAMPLING)
    return maps


def thin_edge_heatmaps(
    landmarks: np.ndarray, boundaries: Sequence, heatmap_size: Tuple[int, int], visible: Optional[np.ndarray] = None
) -> np.ndarray:
    """One map per boundary with lines a quarter of a map px wide: the targets of ADNet and STAR, 1 px of 256 for 64.

    Theirs are drawn at input size and reduced bilinearly to a quarter, so that a map px is the mean of the middle 2 x 2
    of its 4 x 4 input px. OpenCV draws a line of 4 fine px 5 px wide, theirs as ours.

    Args: See :func:`edge_heatmaps`.

    Returns:
        (E, h, w) float32 in [0, 1].
    """
    width, height = heatmap_size
    maps, fine = _empty_maps(len(boundaries), heatmap_size, 0), THIN_SUPERSAMPLING
    for edge_map, boundary in zip(maps, boundaries):
        canvas = np.zeros((height * fine, width * fine), dtype=np.uint8)
        for curve in boundary_curves(landmarks, boundary, visible):
            pixels = (np.clip(curve, -_FAR, _FAR) + 0.5) * fine - 0.5
            points = np.rint(pixels * 2**_SHIFT).astype(np.int32)
            cv2.polylines(canvas, [points], isClosed=False, color=255, thickness=THIN_WIDTH, shift=_SHIFT)
        quarters = cv2.resize(canvas, (4 * width, 4 * height), interpolation=cv2.INTER_AREA).astype(np.float32)
        edge_map[:] = quarters.reshape(height, 4, width, 4)[:, 1:3, :, 1:3].mean(axis=(1, 3)) / 255
    return maps


def union_edge_map(
    landmarks: np.ndarray,
    boundaries: Sequence,
    heatmap_size: Tuple[int, int],
    sigma: float = 1.0,
    visible: Optional[np.ndarray] = None,
    padding: int = 0,
) -> np.ndarray:
    """E: the maximum of the edge maps of all boundaries, drawn at once (and on a coarser grid).

    Args: See :func:`edge_heatmaps`.

    Returns:
        (h + 2 * padding, w + 2 * padding) float32 in [0, 1].
    """
    edge_map = _empty_maps(1, heatmap_size, padding)[0]
    if not boundaries:
        return edge_map
    joined = _joined(tuple(boundaries))
    points = landmarks[joined.used]
    if np.isfinite(points).all() and (visible is None or visible[joined.used].all()):
        points, lengths = joined.matrix @ points, joined.lengths
    else:
        points, lengths = _concatenate(
            [curve for boundary in boundaries for curve in boundary_curves(landmarks, boundary, visible)]
        )
    _draw(edge_map, points, lengths, sigma, padding, UNION_SUPERSAMPLING)
    return edge_map


def _concatenate(curves: Sequence[np.ndarray]) -> Tuple[np.ndarray, Sequence[int]]:
    points = np.concatenate(curves) if curves else np.empty((0, 2), dtype=np.float32)
    return points, [len(curve) for curve in curves]


def _empty_maps(count: int, heatmap_size: Tuple[int, int], padding: int) -> np.ndarray:
    width, height = (int(size) + 2 * padding for size in heatmap_size)
    return np.zeros((count, height, width), dtype=np.float32)


def _draw(
    edge_map: np.ndarray, points: np.ndarray, lengths: Sequence[int], sigma: float, padding: int, fine: int
) -> None:
    """Write the Gaussian of the distance to the curves into the part of the map that they reach.

    Args:
        edge_map: (h, w), with ``padding`` px on each side, all 0.
        points: (M, 2) of all curves, heatmap px.
        lengths: How many of the points belong to each curve.
        fine: The distance is measured on a grid of that many px per heatmap px in each direction.
    """
    if not len(points):
        return
    reach = SUPPORT * sigma
    height, width = edge_map.shape
    points = np.minimum(np.maximum(points + np.float32(padding), -_FAR), _FAR)
    # The drawn box also keeps curve parts up to `reach` outside the map, which colour pixels inside.
    (x0, y0), (x1, y1) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    x0, y0 = math.floor(max(x0, -reach) - reach), math.floor(max(y0, -reach) - reach)
    x1, y1 = math.ceil(min(x1, width - 1 + reach) + reach) + 1, math.ceil(min(y1, height - 1 + reach) + reach) + 1
    left, top, right, bottom = max(x0, 0), max(y0, 0), min(x1, width), min(y1, height)
    if left >= right or top >= bottom:
        return
    canvas = np.ones(((y1 - y0) * fine, (x1 - x0) * fine), dtype=np.uint8)
    scale = fine * 2**_SHIFT
    pixels = np.rint(points * scale).astype(np.int32) - np.array([x0 * scale, y0 * scale], dtype=np.int32)
    ends = np.cumsum(lengths).tolist()
    lines = [pixels[start:end] for start, end in zip([0, *ends], ends)]
    cv2.polylines(canvas, lines, isClosed=False, color=0, thickness=1, shift=_SHIFT)
    distance = cv2.distanceTransform(canvas, cv2.DIST_L2, cv2.DIST_MASK_5)
    # Heatmap pixel i is fine pixel i * fine: the distances are read, not averaged.
    distance = distance[
        (top - y0) * fine : (bottom - y0) * fine : fine, (left - x0) * fine : (right - x0) * fine : fine
    ]
    exponent = np.square(distance) * (-0.5 / (sigma * fine) ** 2)
    edge_map[top:bottom, left:right] = np.exp(exponent) * (distance <= reach * fine)


def blur_and_sharpen(edge_map: np.ndarray, blur_kernel: int = 9, sharpness: float = 5.0) -> np.ndarray:
    """E -> E': Gaussian blur, then sharpening.

    The semantics are those of torchvision: ``gaussian_blur`` with its default sigma 0.3 * ((k - 1) / 2 - 1) + 0.8 and
    reflected borders, and ``adjust_sharpness``, which blends the map with its smoothed self (3x3, centre weight 5 of
    13) as factor * map + (1 - factor) * smoothed, keeps the outermost pixels, and clamps to [0, 1].

    Args:
        edge_map: (h, w) float32 in [0, 1].
        blur_kernel: Odd kernel size in px; 1 does not blur. Defaults to 9.
        sharpness: Factor; 1 changes nothing. Defaults to 5.

    Returns:
        (h, w) float32 in [0, 1].
    """
    if blur_kernel > 1:
        sigma = 0.3 * ((blur_kernel - 1) * 0.5 - 1) + 0.8
        edge_map = cv2.GaussianBlur(edge_map, (blur_kernel, blur_kernel), sigma)
    if sharpness == 1:
        return edge_map
    # One kernel for the whole blend; the outermost pixels stay.
    kernel = np.full((3, 3), (1 - sharpness) / 13, dtype=np.float32)
    kernel[1, 1] = sharpness + (1 - sharpness) * 5 / 13
    sharp = cv2.filter2D(edge_map, -1, kernel)
    for border in (np.s_[[0, -1]], np.s_[:, [0, -1]]):
        sharp[border] = edge_map[border]
    return np.minimum(np.maximum(sharp, 0, out=sharp), 1, out=sharp)

"""The one coordinate map: image px <-> input px <-> heatmap px.

Image px are those of a picture, input px those of the crop that a network sees, heatmap px those of its score maps. In
each the centre of the first pixel is at (0, 0), and x comes first. Affine maps are (2, 3) float64 matrices.
"""

from dataclasses import dataclass
from typing import Any, Tuple

import numpy as np

GRIDS = ('centers', 'corners', 'mmpose')


@dataclass(frozen=True)
class MapGrid:
    """Where the pixels of a score map lie in the network's input: input = (heatmap + shift) * stride - 0.5.

    Attributes:
        stride: (x, y) input px per heatmap px.
        shift: (x, y) heatmap px.
    """

    stride: Tuple[float, float]
    shift: Tuple[float, float]

    def to_input(self, x: Any, y: Any) -> Tuple[Any, Any]:
        """Heatmap px to input px.

        Args:
            x, y: Numbers, arrays or tensors: only plain arithmetic is done, on their own device and in their own dtype.
        """
        return (x + self.shift[0]) * self.stride[0] - 0.5, (y + self.shift[1]) * self.stride[1] - 0.5

    def to_heatmap(self, x: Any, y: Any) -> Tuple[Any, Any]:
        """Input px to heatmap px, the inverse of :meth:`to_input`."""
        return (x + 0.5) / self.stride[0] - self.shift[0], (y + 0.5) / self.stride[1] - self.shift[1]

    @property
    def matrix(self) -> np.ndarray:
        """(2, 3) map from heatmap px to input px."""
        return np.column_stack([np.diag(self.stride), self.to_input(0.0, 0.0)])


def map_grid(input_size: Tuple[int, int], heatmap_size: Tuple[int, int], grid: str = 'centers') -> MapGrid:
    """The grid of score maps of ``heatmap_size`` (w, h) over an input of ``input_size`` (W, H).

    Args:
        grid: ``'centers'``: each map pixel covers its W / w input px, the centres agree. ``'corners'``: the outermost
            pixel centres of the map are the corners of the input, as STAR and ADNet read their maps. ``'mmpose'``:
            input = heatmap * W / w, as mmpose's MSRAHeatmap has it.

    Raises:
        ValueError: An unknown grid.

    >>> map_grid((256, 256), (64, 64)).to_input(0.0, 63.0)
    (1.5, 253.5)
    >>> map_grid((256, 256), (64, 64), 'corners').to_input(0.0, 63.0)
    (-0.5, 255.5)
    """
    if grid not in GRIDS:
        raise ValueError(f'grid must be one of {GRIDS}, got {grid!r}')
    pixels = [max(size - 1, 1) for size in heatmap_size] if grid == 'corners' else heatmap_size
    stride = input_size[0] / pixels[0], input_size[1] / pixels[1]
    shift = {'centers': (0.5, 0.5), 'corners': (0.0, 0.0), 'mmpose': (0.5 / stride[0], 0.5 / stride[1])}[grid]
    return MapGrid(stride, shift)


def crop_of_box(box: np.ndarray, input_size: Tuple[int, int], padding: float = 1.25) -> Tuple[np.ndarray, np.ndarray]:
    """The part of an image that shows a face box, as mmpose's GetBBoxCenterScale and TopdownAffine choose it.

    Args:
        box: (4,) x1, y1, x2, y2, image px.
        input_size: (W, H) of the network, whose aspect ratio the crop gets by growing.
        padding: Factor by which the box grows.

    Returns:
        Middle and size of the crop, (2,) float64 each, image px.
    """
    low, high = np.asarray(box, dtype=np.float64).reshape(2, 2)
    size = np.asarray(input_size, dtype=np.float64)
    return (low + high) / 2, size * (padding * (high - low) / size).max()


def crop_to_image(center: np.ndarray, scale: np.ndarray, input_size: Tuple[int, int]) -> np.ndarray:
    """(2, 3) map from input px to image px, that of mmpose's TopdownAffine and TopdownPoseEstimator.

    Args:
        center, scale: (2,) middle and size of the crop, image px (``input_center``, ``input_scale``).
        input_size: (W, H); its middle, (W / 2, H / 2) in input px, lies at ``center``.
    """
    size, center, scale = (np.asarray(value, dtype=np.float64).reshape(2) for value in (input_size, center, scale))
    return np.column_stack([np.diag(scale / size), center - 0.5 * scale])


def turned_to_image(size: Tuple[int, int], turns: int) -> np.ndarray:
    """(2, 3) map from px of ``numpy.rot90(image, turns)`` to px of the image, whose size is (w, h)."""
    middle = (np.asarray(size, dtype=np.float64) - 1) / 2
    cosine, sine = ((1, 0), (0, 1), (-1, 0), (0, -1))[turns % 4]
    linear = np.array([[cosine, -sine], [sine, cosine]], dtype=np.float64)
    return np.column_stack([linear, middle - linear @ (middle[::-1] if turns % 2 else middle)])


def transform_boxes(boxes: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Map (..., 4) boxes x1 y1 x2 y2 by a map that keeps axes parallel to axes; float64."""
    corners = transform_points(np.reshape(boxes, (*np.shape(boxes)[:-1], 2, 2)), matrix)
    return np.concatenate([corners.min(axis=-2), corners.max(axis=-2)], axis=-1)


def overlap(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Intersection over union (N,) of a box x1 y1 x2 y2 (4,) with boxes (N, 4)."""
    sides = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    common = np.prod(np.maximum(sides, 0), axis=1)
    return np.asarray(common / (np.prod(box[2:] - box[:2]) + np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) - common))


def outside_image(points: np.ndarray, size: Tuple[int, int]) -> np.ndarray:
    """Which of (..., 2) points lie outside an image of ``size`` (w, h), whose first pixel reaches from -0.5 to 0.5."""
    return np.asarray(((points < -0.5) | (points > np.asarray(size) - 0.5)).any(axis=-1))


def far_outside(points: np.ndarray, size: Tuple[int, int]) -> np.ndarray:
    """Which of (..., 2) points lie so far outside an image of ``size`` (w, h) that no annotator can have meant them: by
    more than its longer side."""
    beyond = np.maximum(-0.5 - points, points - (np.asarray(size) - 0.5)).max(axis=-1)
    return np.asarray(beyond > max(size))


def compose(outer: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """The (2, 3) map ``outer(inner(x))``."""
    return np.asarray(outer @ np.vstack([inner, [0.0, 0.0, 1.0]]))


def invert(matrix: np.ndarray) -> np.ndarray:
    """The inverse of a (2, 3) map.

    Raises:
        numpy.linalg.LinAlgError: It has none.
    """
    linear = np.linalg.inv(np.asarray(matrix, dtype=np.float64)[:, :2])
    return np.column_stack([linear, -linear @ matrix[:, 2]])


def transform_points(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Map (..., 2) points; float64."""
    return np.asarray(np.asarray(points, dtype=np.float64) @ matrix[:, :2].T + matrix[:, 2])


def transform_covariances(covariances: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Map (..., 2, 2) covariances, px^2: only the linear part of the map counts."""
    return np.asarray(matrix[:, :2] @ covariances @ matrix[:, :2].T)


def transform_joint_covariance(covariance: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Map the (2K, 2K) covariance, px^2, of the coordinates x_1, y_1, x_2, ... of K points."""
    linear = matrix[:, :2]
    columns = (covariance.reshape(-1, 2) @ linear.T).reshape(len(covariance) // 2, 2, -1)
    return np.asarray((linear @ columns).reshape(covariance.shape))  # then the rows; einsum takes ten times as long

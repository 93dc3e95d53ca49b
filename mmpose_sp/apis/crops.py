"""How a face is cut out of a picture, and where the pixels of its score maps lie there. Without torch."""

from typing import Any, Optional, Tuple

import cv2
import numpy as np

from mmpose_sp.faces import MapGrid, compose, crop_to_image, map_grid


def cut_out(image: np.ndarray, center: np.ndarray, scale: np.ndarray, input_size: Tuple[int, int]) -> np.ndarray:
    """The crop (h, w, 3) of ``input_size`` (w, h), black outside of the picture, as mmpose's ``TopdownAffine`` cuts it.

    Args:
        image: (H, W, 3) uint8.
        center, scale: Of :func:`mmpose_sp.faces.crop_of_box`.
        input_size: (w, h) px.
    """
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(image, crop_to_image(center, scale, input_size), tuple(input_size), flags=flags)


def grid_of(codec: Any) -> MapGrid:
    """Where the pixels of a codec's maps lie in the input; input px themselves for a codec without maps.

    Args:
        codec: Knows the sizes and the grid of its maps; what has no ``grid`` is one of mmpose's.
    """
    if not hasattr(codec, 'heatmap_size'):
        return map_grid((1, 1), (1, 1))
    return map_grid(codec.input_size, codec.heatmap_size, getattr(codec, 'grid', 'mmpose'))


def heatmap_to_image(
    codec: Any, center: np.ndarray, scale: np.ndarray, input_size: Optional[Tuple[int, int]] = None
) -> np.ndarray:
    """Affine map (2, 3), float64, from heatmap px to image px, for a crop without rotation.

    Args:
        codec: See :func:`grid_of`.
        center: (2,) centre of the crop in image px (``input_center``).
        scale: (2,) size of the crop in image px (``input_scale``).
        input_size: (w, h) px, of a codec that does not say.
    """
    return compose(crop_to_image(center, scale, input_size or codec.input_size), grid_of(codec).matrix)

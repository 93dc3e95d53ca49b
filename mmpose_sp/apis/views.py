"""Views of a result for display: the picture or a close-up, with score maps under what was found."""

from typing import List, Optional, Sequence, Tuple

import cv2
import numpy as np

from mmpose_sp import visualization as vis

from .drawing import draw_result
from .results import FaceResult, ImageResult

SHOWN_SIDES = 512, 1280  # px: smaller pictures are enlarged for display, larger ones reduced


def display_size(image: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """The picture with a longer side within SHOWN_SIDES, and the (2, 3) map from old to new px (pixel centres)."""
    side = max(image.shape[:2])
    scale = np.clip(side, *SHOWN_SIDES) / side
    width, height = (max(1, round(length * scale)) for length in image.shape[1::-1])
    resized = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    factors = np.array([width / image.shape[1], height / image.shape[0]])
    return resized, np.column_stack([np.diag(factors), (factors - 1) / 2])


def place_score_map(faces: Sequence[FaceResult], landmark: int, size: Tuple[int, int]) -> np.ndarray:
    """The scores of one landmark over a picture of ``size`` (w, h): (h, w) in [0, 1], each map by its own range; 0
    outside the crops, the largest where crops overlap."""
    maps = [cv2.warpAffine(vis.normalise(face.score_maps[landmark]), face.heatmap_to_image, size) for face in faces]
    return np.maximum.reduce(maps)


def draw_view(
    image: np.ndarray,
    faces: List[FaceResult],
    layers: Sequence[str],
    landmark: Optional[int],
    boundaries: Sequence = (),
) -> np.ndarray:
    """RGB picture with the layers and, where a landmark (0-based) is chosen, its score map under them and a ring."""
    if landmark is not None and faces:
        image = vis.overlay_heatmap(image, place_score_map(faces, landmark, image.shape[1::-1]))
    drawn = draw_result(image, ImageResult('view', faces), layers, boundaries)
    if landmark is not None:
        angle = np.linspace(0, 2 * np.pi, 32)
        for face in faces:
            radius = max(5.0, 0.03 * np.ptp(face.landmarks, axis=0).max())
            ring = face.landmarks[landmark] + radius * np.column_stack([np.cos(angle), np.sin(angle)])
            drawn = vis.draw_polyline(drawn, ring, vis.WHITE, thickness=2, closed=True)
    return drawn[..., ::-1]

"""Results as pictures, by the drawing functions of :mod:`mmpose_sp.visualization`."""

from typing import Sequence

import cv2
import numpy as np

from mmpose_sp.codecs import boundary_curves
from mmpose_sp.utils.images import as_bgr
from mmpose_sp.visualization import draw

from .results import ImageResult

#: What can be drawn, in the order in which it is.
LAYERS = ('boxes', 'boundaries', 'ellipses', 'landmarks', 'confidence')


def draw_result(
    image: np.ndarray,
    result: ImageResult,
    layers: Sequence[str] = ('boundaries', 'confidence'),
    boundaries: Sequence = (),
) -> np.ndarray:
    """Draw the faces of a picture.

    Args:
        image: uint8 BGR (H, W, 3).
        result: What was found in it.
        layers: Some of :data:`LAYERS`: the face ``boxes`` (with the
            number of a face that is tracked), the curves through the landmarks, the 95% ``ellipses`` of
            the covariances, ``landmarks`` in one colour, or coloured by ``confidence`` (red 0, yellow 0.5, green 1).
        boundaries: The curves to draw, ``FaceLandmarker.boundaries``.

    Returns:
        A new picture.

    Raises:
        ValueError: An unknown layer, or ellipses of a model without covariances.
    """
    unknown = set(layers) - set(LAYERS)
    if unknown:
        raise ValueError(f'cannot draw {sorted(unknown)}; choose from {", ".join(LAYERS)}')
    canvas = as_bgr(image).copy()
    for face in result.faces:
        # dots that follow the face, not the picture, keep small faces readable
        radius = float(np.clip(0.008 * (face.box[2:] - face.box[:2]).max(), 1.0, 0.006 * max(image.shape[:2]) + 1))
        if 'boxes' in layers:
            x1, y1, x2, y2 = face.box
            corners = np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]])
            canvas = draw.draw_polyline(canvas, corners, draw.WHITE, closed=True)
            if face.track is not None:
                place = int(x1), max(int(y1) - 4, 10)
                cv2.putText(canvas, str(face.track), place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, draw.WHITE, 1, cv2.LINE_AA)
        if 'boundaries' in layers:
            curves = [curve for boundary in boundaries for curve in boundary_curves(face.landmarks, boundary)]
            canvas = draw.draw_boundaries(canvas, curves)
        if 'ellipses' in layers:
            if face.covariance is None:
                raise ValueError('this model gives no covariances, so there are no ellipses to draw')
            canvas = draw.draw_uncertainty(canvas, face.landmarks, face.covariance, face.ellipse_radius())
        if 'landmarks' in layers:
            canvas = draw.draw_landmarks(canvas, face.landmarks, radius=radius)
        if 'confidence' in layers:
            canvas = draw.draw_confidence(canvas, face.landmarks, face.confidence, radius)
    return canvas

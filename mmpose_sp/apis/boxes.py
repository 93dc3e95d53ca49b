"""Checks of the face boxes that are given: x1 y1 x2 y2 in image px."""

from typing import Any

import numpy as np


def check_boxes(boxes: Any, width: int, height: int, name: str = 'bboxes') -> np.ndarray:
    """Check the boxes that were given for a picture.

    Args:
        boxes: (N, 4) x1 y1 x2 y2 or (N, 5) with a score, or one of them as (4,) or (5,); image px. They may reach out
            of the picture (the crop is black there), but not lie outside of it.
        width: Of the picture in px.
        height: Of the picture in px.
        name: Of the picture, for the messages.

    Returns:
        (N, 5) float32, the score 1 where there was none.

    Raises:
        ValueError: Another shape, NaN or infinite, without area, or outside of the picture; names the box.
    """
    try:
        array = np.asarray(boxes, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise ValueError(f'{name}: boxes must be numbers x1, y1, x2, y2, got {boxes!r}') from error
    array = array.reshape(-1, 4) if not array.size else np.atleast_2d(array)
    if array.ndim != 2 or array.shape[1] not in (4, 5):
        raise ValueError(f'{name}: boxes must be (N, 4) x1 y1 x2 y2 or (N, 5) with a score, got shape {array.shape}')
    if array.shape[1] == 4:
        array = np.concatenate([array, np.ones((len(array), 1), dtype=np.float32)], axis=1)
    for index, (x1, y1, x2, y2, score) in enumerate(array.tolist()):
        which = f'{name}: box {index} ({x1:g}, {y1:g}, {x2:g}, {y2:g})'
        if not np.isfinite([x1, y1, x2, y2, score]).all():
            raise ValueError(f'{which} with score {score:g} is not finite')
        if x2 <= x1 or y2 <= y1:
            raise ValueError(f'{which} has no area; boxes are x1 y1 x2 y2, not x y width height')
        if x2 <= 0 or y2 <= 0 or x1 >= width or y1 >= height:
            raise ValueError(f'{which} lies outside of the image of {width} x {height} px')
    return array

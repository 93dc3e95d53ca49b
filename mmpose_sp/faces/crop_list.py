"""The lists of faces and crops that ADNet publishes as "metadata", and STAR trains and tests with."""

from pathlib import Path
from typing import List, NamedTuple, Optional, Union

import numpy as np

from .annotation_files import AnnotationError, read_lines, to_floats

UNIT = 200.0  # image px that a scale of 1 measures
# Image px: ours count pixels from 0, and a list may count them from 1. Two faces are never as near in all landmarks.
TOLERANCE = 1.5


def square_around(x: float, y: float, scale: float) -> np.ndarray:
    """The square (4,) x1, y1, x2, y2 of side 200 * scale (image px) with its middle at x, y."""
    half = scale * UNIT / 2
    return np.array([x - half, y - half, x + half, y + half])


class CropList(NamedTuple):
    """The faces of a list with their crops, which are found again by the landmarks: names of files differ."""

    path: str
    landmarks: np.ndarray
    """(N, K, 2) image px."""
    boxes: np.ndarray
    """(N, 4) x1, y1, x2, y2 of the square crops, image px."""

    def box_of(self, points: np.ndarray, visible: np.ndarray) -> Optional[np.ndarray]:
        """The crop (4,) of the face with these landmarks, or None if the list has no such face.

        Args:
            points: (K, 2) image px.
            visible: (K,) bool: which of them are annotated.
        """
        if len(points) != self.landmarks.shape[1]:
            return None
        near = np.arange(len(self.landmarks))
        for index in np.flatnonzero(visible):  # one landmark leaves a few faces of thousands
            near = near[np.abs(self.landmarks[near, index] - points[index]).max(axis=1) < TOLERANCE]
        return self.boxes[near[0]] if len(near) else None


def read_crop_list(path: Union[str, Path]) -> CropList:
    """Read a ``.tsv`` of ADNet.

    A line is a face, its fields stand between tabs: image, five landmarks, all landmarks (``x,y,x,y,...``), scale,
    centre's x, centre's y, perhaps flags. The crop is the square of side 200 * scale around the centre. A first line
    of names is passed over.

    Raises:
        AnnotationError: No such file, or a line that is none of these; names file and line.
    """
    landmarks: List[np.ndarray] = []
    boxes: List[np.ndarray] = []
    for number, line in enumerate(read_lines(path), 1):
        fields, origin = line.split('\t'), f'{path}:{number}'
        if not line or (number == 1 and fields[-1][:1].isalpha()):
            continue
        if len(fields) < 6:
            raise AnnotationError(
                f'{origin}: {len(fields)} fields between tabs, expected 6 or 7; is it a list of ADNet?'
            )
        points = to_floats(fields[2].split(','), origin)
        scale, x, y = to_floats(fields[3:6], origin)
        if len(points) % 2 or (landmarks and len(points) != len(landmarks[0])):
            raise AnnotationError(f'{origin}: {len(points) / 2:g} landmarks, the lines before have another number.')
        if not np.isfinite([scale, x, y]).all() or scale <= 0:
            raise AnnotationError(f'{origin}: scale {scale:g} and centre {x:g}, {y:g} make no crop.')
        landmarks.append(points)
        boxes.append(square_around(x, y, scale))
    if not boxes:
        raise AnnotationError(f'{path}: no faces; download the list again.')
    return CropList(str(path), np.reshape(landmarks, (len(boxes), -1, 2)), np.array(boxes))

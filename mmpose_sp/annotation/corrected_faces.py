"""The faces of a picture while they are corrected, with every step kept for undo and redo."""

from dataclasses import asdict, dataclass, field, replace
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from mmpose_sp.apis.results import FaceResult

DIGITS = 4  # of the coordinates that are kept, px


@dataclass(frozen=True)
class CorrectedFace:
    """A face as it was found or read, and what a hand has changed in it; plain numbers, for JSON.

    Attributes:
        box: x1 y1 x2 y2 image px, what the network saw; with it the face is found again in another session.
        landmarks: (K, 2) image px.
        corrections: Landmark -> (x, y) where a hand put it.
        visible: K flags of the file that the face was read from.
        extra: Fields of that file that are none of ours.
    """

    box: Tuple[float, ...]
    landmarks: Tuple[Tuple[float, float], ...]
    corrections: Mapping[int, Tuple[float, float]] = field(default_factory=dict)
    visible: Optional[Tuple[int, ...]] = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of_result(cls, found: FaceResult) -> 'CorrectedFace':
        """A face as the network found it."""
        return cls(tuple(map(float, found.box)), _rounded(found.landmarks))

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> 'CorrectedFace':
        """The inverse of :meth:`record` after JSON, which makes lists of tuples and strings of numbers."""
        corrections = {int(index): tuple(place) for index, place in record['corrections'].items()}
        return cls(tuple(record['box']), _rounded(record['landmarks']), corrections, record['visible'], record['extra'])

    def record(self) -> Dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def corrected(self, found: FaceResult, landmark: int, place: Optional[Sequence[float]]) -> 'CorrectedFace':
        """With a landmark at another place, or (None) where the others say; those that no hand has put follow.

        Raises:
            ValueError: No such landmark or place.
        """
        corrections = {index: where for index, where in self.corrections.items() if index != landmark}
        if place is not None:
            corrections[landmark] = tuple(place)
        moved = found.condition(corrections)
        corrections = {index: (float(x), float(y)) for index, (x, y) in corrections.items()}
        return replace(self, landmarks=_rounded(moved.landmarks), corrections=corrections)

    def result(self, found: FaceResult) -> FaceResult:
        """What the posterior says with these corrections, the landmarks as they are kept here.

        Args:
            found: The face in :attr:`box` before anything was corrected.
        """
        landmarks = np.array(self.landmarks, dtype=np.float32)
        return replace(found.condition(self.corrections), landmarks=landmarks)


class History:
    """What the faces of a picture were, step by step.

    Attributes:
        steps: Every step's faces, the first as they were found or read; empty until somebody looked.
        position: Of the step that counts.
        accepted: Whether somebody said that it is right.
    """

    def __init__(self) -> None:
        self.steps: List[List[CorrectedFace]] = []
        self.position = -1
        self.accepted = False

    @property
    def faces(self) -> List[CorrectedFace]:
        """Those that count."""
        return self.steps[self.position] if self.steps else []

    def replay(self, record: Mapping[str, Any]) -> None:
        """Apply a record: new ``faces``, the ``position`` of another step, ``accepted``, or several of them."""
        if 'faces' in record:
            faces = [CorrectedFace.of_record(face) for face in record['faces']]
            self.steps[self.position + 1 :] = [faces]
            self.position += 1
        if 'position' in record:
            self.position = record['position']
        self.accepted = record.get('accepted', self.accepted)


def _rounded(points: Any) -> Tuple[Tuple[float, float], ...]:
    return tuple((round(float(x), DIGITS), round(float(y), DIGITS)) for x, y in points)

"""A landmark scheme: everything that is known about one way to annotate faces, in one record.

The records of WFLW, COFW and 300-W are in :mod:`mmpose_sp.faces.benchmarks`. A scheme of your own is one more record,
see docs/own_landmarks.md.
"""

from dataclasses import dataclass, field
from typing import Any, Dict, Iterable, List, Mapping, NamedTuple, Tuple

import numpy as np

Groups = Tuple[Tuple[int, ...], Tuple[int, ...]]
JOINT = ('off', 'prior', 'offset')  # how landmarks are joined, see mmpose_sp.posterior.joint
BOX_DIAGONAL = 'box_diagonal'  # a normaliser that every scheme has: the diagonal of the box around the landmarks


class Boundary(NamedTuple):
    """One curve: its name, the landmarks it passes through in order, and whether the last joins the first."""

    name: str
    indices: Tuple[int, ...]
    closed: bool


class BoxMapping(NamedTuple):
    """Square landmark box of a detector's box, in units of the root s of the detector box's area.

    Attributes:
        scale: Side of the landmark box / s.
        down: How far its centre lies below the centre of the detector's box / s.
    """

    scale: float = 1.0
    down: float = 0.0

    def __call__(self, boxes: np.ndarray) -> np.ndarray:
        """Map (N, 4) boxes x1 y1 x2 y2, image px, to float32; the identity leaves them as they are, not squared."""
        boxes = np.asarray(boxes, dtype=np.float32).reshape(-1, 4)
        if self == BoxMapping():
            return boxes
        side = np.sqrt(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1, keepdims=True))
        centre = (boxes[:, :2] + boxes[:, 2:]) / 2 + side * np.array([0, self.down], dtype=np.float32)
        half = side * self.scale / 2
        return np.concatenate([centre - half, centre + half], axis=1).astype(np.float32)


@dataclass(frozen=True)
class FaceScheme:
    """The facts of one benchmark, or of landmarks of your own.

    Sides are the subject's, as in mmpose's keypoint names. Landmark indices count from 0.

    Attributes:
        name: As ``dataset_name`` of the dataset and ``boundaries`` of the codec have it.
        num_landmarks: K.
        mirror_pairs: Landmarks that change places when the face is mirrored; those in no pair stay.
        boundaries: Curves of the face through the landmarks, the edges of the paper's appendix A1.3.
        other_boundaries: Further sets of curves, by the name that ``boundaries`` of the codec takes.
        landmark_names: K names; ``kpt-0`` ... as in mmpose if there are none.
        normalisers: Name -> two groups of landmarks; the distance between their means divides the error.
        norm: The normaliser of the published protocol, or ``'box_diagonal'``.
        threshold: Of failure rate and AUC, percent of the normaliser.
        subsets: Parts of the test set that papers report besides the full set, in the papers' order; for WFLW also the
            order of the attribute flags in its lists.
        gamma: Scale of the label covariance that the paper trains with.
        shown: Landmarks for figures, one on an edge of each kind: jaw, brow, nose, eye corner, lip.
        haar_box: From the box of OpenCV's frontal-face cascade to the box around the landmarks.
        yunet_box: From the box of YuNet, the detector that comes with mmpose_sp.
        annotation_file: Pattern of converted files, ``{}`` stands for the split.
        download: What -> its path in the official download, where ``{}`` stands for the split or the subset.
        splits: Split of the converted files -> the parts (of ``published``) that it is made of.
        part_subsets: Part -> the subset that its faces belong to, for those that no flag of a face tells.
        published: Part of the dataset -> its published number of faces.
        published_private: The same of parts that not everybody has.
    """

    name: str
    num_landmarks: int
    mirror_pairs: Tuple[Tuple[int, int], ...]
    boundaries: Tuple[Boundary, ...] = ()
    other_boundaries: Mapping[str, Tuple[Boundary, ...]] = field(default_factory=dict)
    landmark_names: Tuple[str, ...] = ()
    normalisers: Mapping[str, Groups] = field(default_factory=dict)
    norm: str = BOX_DIAGONAL
    threshold: float = 10.0
    subsets: Tuple[str, ...] = ()
    gamma: float = 0.01
    shown: Tuple[int, ...] = ()
    haar_box: BoxMapping = BoxMapping(scale=0.88, down=0.147)  # noqa: RUF009  measured for 300-W
    yunet_box: BoxMapping = BoxMapping(scale=0.916, down=0.135)  # noqa: RUF009  likewise
    annotation_file: str = ''
    download: Mapping[str, str] = field(default_factory=dict)
    splits: Mapping[str, Tuple[str, ...]] = field(default_factory=dict)
    part_subsets: Mapping[str, str] = field(default_factory=dict)
    published: Mapping[str, int] = field(default_factory=dict)
    published_private: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.landmark_names:
            object.__setattr__(self, 'landmark_names', tuple(f'kpt-{i}' for i in range(self.num_landmarks)))
        if len(set(self.landmark_names)) != self.num_landmarks or len(self.landmark_names) != self.num_landmarks:
            self._fail('landmark_names', f'{self.num_landmarks} different names are needed')
        self._check('mirror_pairs', [index for pair in self.mirror_pairs for index in pair])
        for key, curves in {'boundaries': self.boundaries, **self.other_boundaries}.items():
            for curve in curves:
                self._check(f'{key}: {curve.name}', curve.indices, least=2)
        for name, groups in self.normalisers.items():
            for group in groups:
                self._check(f'normalisers: {name}', group, least=1)
        self._check('shown', self.shown)
        if self.norm != BOX_DIAGONAL and self.norm not in self.normalisers:
            self._fail('norm', f'{self.norm!r} is none of the normalisers {[*self.normalisers, BOX_DIAGONAL]}')
        if not self.threshold > 0 or not self.gamma >= 0:
            self._fail('threshold, gamma', f'must be positive, got {self.threshold} and {self.gamma}')

    def _check(self, where: str, indices: Iterable[int], least: int = 0) -> None:
        indices = list(indices)
        if len(indices) < least:
            self._fail(where, f'{least} or more landmarks are needed, got {indices}')
        if len(set(indices)) < len(indices):
            self._fail(where, f'a landmark stands there twice: {indices}')
        outside = [index for index in indices if not 0 <= index < self.num_landmarks]
        if outside:
            self._fail(where, f'landmarks {outside} do not exist, there are {self.num_landmarks}')

    def _fail(self, where: str, what: str) -> None:
        raise ValueError(f'landmark scheme {self.name!r}, {where}: {what}')

    @property
    def flip_indices(self) -> List[int]:
        """For each landmark the one that takes its place when the face is mirrored."""
        flipped = list(range(self.num_landmarks))
        for a, b in self.mirror_pairs:
            flipped[a], flipped[b] = b, a
        return flipped

    def metainfo(self) -> Dict[str, Any]:
        """``METAINFO`` of an mmpose dataset with these landmarks."""
        names = self.landmark_names
        keypoints = {
            i: dict(name=names[i], id=i, color=[255, 0, 0], type='', swap=names[j] if i != j else '')
            for i, j in enumerate(self.flip_indices)
        }
        return dict(
            dataset_name=self.name,
            keypoint_info=keypoints,
            skeleton_info={},
            joint_weights=[1.0] * self.num_landmarks,
            sigmas=[],
        )


#: Name -> record of every scheme that is known.
SCHEMES: Dict[str, FaceScheme] = {}


def register_scheme(scheme: FaceScheme) -> FaceScheme:
    """Make a record known to codecs, datasets, metric and tools, by its name; returns it.

    Raises:
        ValueError: Another record has this name, or one of its curve sets does.
    """
    if SCHEMES.get(scheme.name, scheme) != scheme:
        raise ValueError(f'another landmark scheme is called {scheme.name!r}: choose another name')
    taken = {key for other in SCHEMES.values() if other != scheme for key in (other.name, *other.other_boundaries)}
    both = sorted(taken & {scheme.name, *scheme.other_boundaries})
    if both:
        raise ValueError(f'landmark scheme {scheme.name!r}: there are curves called {both[0]!r}: choose another name')
    SCHEMES[scheme.name] = scheme
    return scheme


def find_scheme(name: str) -> FaceScheme:
    """The record of a name.

    Raises:
        ValueError: None has this name; says which there are.
    """
    if name not in SCHEMES:
        raise ValueError(
            f'{name!r} is no landmark scheme, known are {", ".join(SCHEMES)}; register_scheme() adds one of your own '
            '(docs/own_landmarks.md)'
        )
    return SCHEMES[name]


def scheme_of_count(num_landmarks: int) -> FaceScheme:
    """The first record with so many landmarks.

    Raises:
        ValueError: None has so many.
    """
    for scheme in SCHEMES.values():
        if scheme.num_landmarks == num_landmarks:
            return scheme
    known = ', '.join(f'{name} ({scheme.num_landmarks})' for name, scheme in SCHEMES.items())
    raise ValueError(f'{num_landmarks} landmarks fit no scheme; known: {known}')


def boundary_sets() -> Dict[str, Tuple[FaceScheme, Tuple[Boundary, ...]]]:
    """Name -> record and curves, of every set of curves that has a name."""
    sets = {}
    for scheme in SCHEMES.values():
        sets[scheme.name] = scheme, scheme.boundaries
        sets.update({name: (scheme, curves) for name, curves in scheme.other_boundaries.items()})
    return sets


def subset_flags(annotation: Any) -> Dict[str, int]:
    """Name -> 0 / 1 of the subsets that the annotation of a face tells: WFLW's ``attributes``, 300-W's ``subset``.

    Args:
        annotation: A COCO-style annotation; anything that is no dictionary has no subsets.
    """
    if not isinstance(annotation, dict):
        return {}
    flags = {str(name): int(bool(value)) for name, value in (annotation.get('attributes') or {}).items()}
    if annotation.get('subset'):
        flags[str(annotation['subset'])] = 1
    return flags


def subset_names(annotation: Any) -> Tuple[str, ...]:
    """The subsets that a face belongs to, see :func:`subset_flags`."""
    return tuple(name for name, flag in subset_flags(annotation).items() if flag)

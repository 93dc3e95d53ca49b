"""Errors of systems on photographs, kept in files: what was measured is not measured again."""

from pathlib import Path
from typing import Any, Callable, Dict, Iterable, Iterator, NamedTuple, Sequence, Tuple

import numpy as np

from mmpose_sp.evaluation.scores import per_face_nme
from mmpose_sp.faces.annotation_files import tight_box
from mmpose_sp.utils.atomic import atomic_path

from .photos import DISTURBANCES, Photo, matching
from .systems import MediaPipe

CLEAN, TIME = 'clean', 'time'
CAP = 20.0  # percent: the error of a face that is not found, and the largest that counts where errors are averaged
TIMED, ROUNDS = 20, 5  # photographs that are timed, and how often each
INNER = tuple(range(17, 68))
COMMON = (30, 36, 39, 42, 45, 48, 54)  # tip of the nose, corners of the eyes and of the mouth


class Condition(NamedTuple):
    """What befalls the photographs: nothing, or a disturbance of a strength."""

    disturbance: str = CLEAN
    strength: float = 0.0

    @property
    def key(self) -> str:
        return f'{self.disturbance.replace(" ", "-")}-{self.strength:g}' if self.strength else self.disturbance

    def apply(self, photo: Photo) -> Photo:
        """The same on every call."""
        if self.disturbance not in DISTURBANCES:
            return photo
        seed = np.random.default_rng([len(photo.name), *photo.name.encode()])
        return DISTURBANCES[self.disturbance].apply(photo, self.strength, seed)


def conditions() -> Iterator[Condition]:
    """All disturbances at all strengths."""
    for name, disturbance in DISTURBANCES.items():
        yield from (Condition(name, strength) for strength in disturbance.strengths)


def nearest_vertices(photos: Iterable[Photo]) -> Tuple[int, ...]:
    """Of mediapipe's mesh, for each of the 68 landmarks the vertex with the least mean error."""
    system, distances = MediaPipe(), []
    for photo in photos:
        meshes = system.vertices(photo.image)
        which = matching(photo, boxes_around(meshes))
        if which is not None:
            apart = np.linalg.norm(meshes[which][:, None] - photo.landmarks, axis=2)
            distances.append(apart / np.linalg.norm(photo.landmarks[36] - photo.landmarks[45]))
    return tuple(np.mean(distances, axis=0).argmin(axis=0).tolist())


def boxes_around(faces: Sequence[np.ndarray]) -> np.ndarray:
    """(N, 4) x1 y1 x2 y2 around the points of each face."""
    return np.array([tight_box(face) for face in faces]).reshape(-1, 4)


def landmarks_of(faces_in: Callable[[np.ndarray], Sequence[np.ndarray]], photos: Sequence[Photo]) -> np.ndarray:
    """(N, 68, 2) px of the annotated faces, NaN where a face is not found.

    Args:
        faces_in: From a uint8 BGR picture to the landmarks (68, 2) of each of its faces, px.
        photos: N of them.
    """
    found = np.full((len(photos), 68, 2), np.nan)
    for row, photo in zip(found, photos):
        faces = faces_in(photo.image)
        which = matching(photo, boxes_around(faces))
        if which is not None:
            row[:] = faces[which]
    return found


def time_of(timed: Callable[[Any], Tuple[Any, float]], things: Sequence[Any]) -> float:
    """CPU ms: of each of the first :data:`TIMED` things the least of several rounds, then the median.

    Args:
        timed: From a thing to what is made of it and the CPU ms that this took.
        things: Pictures, say.
    """
    rounds = [[timed(thing)[1] for thing in things[:TIMED]] for _ in range(ROUNDS)]
    return float(np.median(np.min(rounds, axis=0)))


def errors_of(found: np.ndarray, photos: Sequence[Photo], points: Sequence[int] = tuple(range(68))) -> np.ndarray:
    """(N,) percent of the distance of the outer corners of the eyes, infinite where the face is not found."""
    annotated = np.array([photo.landmarks for photo in photos])
    norm = np.linalg.norm(annotated[:, 36] - annotated[:, 45], axis=1)
    error = np.full(len(photos), np.inf)
    seen = np.isfinite(found).all(axis=(1, 2))
    chosen = list(points)
    error[seen] = per_face_nme(found[seen][:, chosen], annotated[seen][:, chosen], norm[seen])
    return error


class Store:
    """Results in a folder, one file for each system and condition, which says on which photographs.

    Args:
        folder: Made if need be.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def path(self, system: str, condition: str) -> Path:
        return self.folder / f'{system}_{condition}.npz'

    def load(self, system: str, condition: str, names: Sequence[str]) -> Dict[str, np.ndarray]:
        """What was kept of these photographs; empty if nothing was, or of others."""
        path = self.path(system, condition)
        if not path.is_file():
            return {}
        with np.load(path) as file:
            stored = dict(file)
        return stored if stored.pop('names').tolist() == list(names) else {}

    def save(self, system: str, condition: str, names: Sequence[str], **values: object) -> None:
        with atomic_path(str(self.path(system, condition))) as temporary, open(temporary, 'wb') as file:
            np.savez(file, names=np.array(names), **values)


def capped_mean(errors: np.ndarray) -> Tuple[float, float]:
    """Mean error, each at most ``CAP``, and the percentage of faces that are found."""
    return float(np.minimum(errors, CAP).mean()), 100 * float(np.isfinite(errors).mean())

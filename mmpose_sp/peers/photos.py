"""Annotated photographs, what befalls photographs, and which of the faces found is the annotated one. Without torch."""

from pathlib import Path
from typing import Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import cv2
import numpy as np

from mmpose_sp.apis.detectors import overlap
from mmpose_sp.faces import transform_points
from mmpose_sp.faces.annotation_files import read_lines, read_pts, tight_box
from mmpose_sp.utils.images import IMAGE_SUFFIXES, read_image

MATCH = 0.3  # least overlap, intersection over union, of the box of a face with the box around the annotated landmarks


class Photo(NamedTuple):
    """A photograph with one annotated face: uint8 BGR and (68, 2) px. Other faces may be in it."""

    name: str
    image: np.ndarray
    landmarks: np.ndarray

    @property
    def box(self) -> np.ndarray:
        """(4,) x1 y1 x2 y2 around the landmarks."""
        return tight_box(self.landmarks)

    @property
    def side(self) -> float:
        """The longer side of the box, px."""
        return float((self.box[2:] - self.box[:2]).max())

    def warped(self, matrix: np.ndarray, size: Tuple[int, int]) -> 'Photo':
        """Through the (2, 3) map of px into a picture of ``size`` (w, h)."""
        image = cv2.warpAffine(self.image, matrix, size, flags=cv2.INTER_LINEAR)
        return self._replace(image=image, landmarks=transform_points(self.landmarks, matrix))


def read_photos(folder: Path, names: Sequence[str]) -> Iterator[Photo]:
    """The faces ``afw/134212_1``, ... below a folder in the layout of 300-W.

    Raises:
        FileNotFoundError: No picture of that name.
    """
    for name in names:
        stem = Path(folder, name)
        file = next((path for path in map(stem.with_suffix, IMAGE_SUFFIXES) if path.is_file()), None)
        if file is None:
            raise FileNotFoundError(
                f'{stem}: no picture ({", ".join(IMAGE_SUFFIXES)}); the folder is to be that of 300-W'
            )
        yield Photo(name, read_image(file), read_pts(stem.with_suffix('.pts'), 68))


def names_of(folder: Path, source: str) -> List[str]:
    """The lines of a file, or the annotated faces of a sub-folder such as ``afw``.

    Raises:
        FileNotFoundError: Neither has any.
    """
    if Path(source).is_file():
        names = [line for line in read_lines(source) if line]
    else:
        names = [f'{source}/{path.stem}' for path in sorted(Path(folder, source).glob('*.pts'))]
    if not names:
        raise FileNotFoundError(f'{source}: no names in it, and no .pts files in {Path(folder, source)}')
    return names


def matching(photo: Photo, boxes: np.ndarray) -> Optional[int]:
    """Which of the boxes (N, 4) is the annotated face: the one that overlaps it most, by ``MATCH`` at least."""
    shares = overlap(photo.box, np.reshape(boxes, (-1, 4)))
    return int(shares.argmax()) if len(shares) and shares.max() >= MATCH else None


def shrunk(photo: Photo, side: float) -> Photo:
    """The face with ``side`` px of its landmarks' box; larger ones are left as they are."""
    factor = side / photo.side
    if factor >= 1:
        return photo
    height, width = (max(1, round(n * factor)) for n in photo.image.shape[:2])
    image = cv2.resize(photo.image, (width, height), interpolation=cv2.INTER_AREA)
    ratio = np.array([width, height]) / photo.image.shape[1::-1]
    return photo._replace(image=image, landmarks=(photo.landmarks + 0.5) * ratio - 0.5)


def placed(photo: Photo, size: Tuple[int, int], rng: np.random.Generator) -> Photo:
    """Somewhere in a gray picture of ``size`` (w, h) that is large enough for it."""
    height, width = photo.image.shape[:2]
    x, y = rng.integers(0, size[0] - width + 1), rng.integers(0, size[1] - height + 1)
    image = np.full((size[1], size[0], 3), 127, np.uint8)
    image[y : y + height, x : x + width] = photo.image
    return photo._replace(image=image, landmarks=photo.landmarks + [x, y])


def turned(photo: Photo, degrees: float) -> Photo:
    """Turned against the clock about its middle, in a picture that holds all of it, black beyond."""
    height, width = photo.image.shape[:2]
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    linear = np.array([[cosine, sine], [-sine, cosine]])
    size = np.ceil(np.abs(linear) @ [width, height] - 1e-6).astype(int)
    shift = (size - 1) / 2 - linear @ ((np.array([width, height]) - 1) / 2)
    return photo.warped(np.column_stack([linear, shift]), (int(size[0]), int(size[1])))


def blurred(photo: Photo, percent: float) -> Photo:
    """By a Gaussian whose deviation is so much of the face's side."""
    return photo._replace(image=cv2.GaussianBlur(photo.image, (0, 0), percent / 100 * photo.side))


def noisy(photo: Photo, deviation: float, rng: np.random.Generator) -> Photo:
    """With Gaussian noise of so many gray levels."""
    noise = rng.normal(0, deviation, photo.image.shape)
    return photo._replace(image=np.clip(np.round(photo.image + noise), 0, 255).astype(np.uint8))


def compressed(photo: Photo, quality: float) -> Photo:
    """As a JPEG of this quality."""
    done, data = cv2.imencode('.jpg', photo.image, [cv2.IMWRITE_JPEG_QUALITY, int(quality)])
    assert done
    return photo._replace(image=cv2.imdecode(data, cv2.IMREAD_COLOR))


def darkened(photo: Photo, factor: float, rng: np.random.Generator) -> Photo:
    """With so much of the light, and the noise of a sensor: 2 gray levels."""
    dark = photo._replace(image=np.round(photo.image * factor).astype(np.uint8))
    return noisy(dark, 2, rng)


def covered(photo: Photo, share: float) -> Photo:
    """The left of the face's box, so much of its width, behind gray."""
    image, (x1, y1, x2, y2) = photo.image.copy(), photo.box
    rows, columns = (slice(max(0, int(a)), max(0, int(b))) for a, b in ((y1, y2 + 1), (x1, x1 + share * (x2 - x1))))
    image[rows, columns] = 127
    return photo._replace(image=image)


class Disturbance(NamedTuple):
    """Something that befalls photographs: its unit, its strengths from mild to severe, and what it does."""

    unit: str
    strengths: Tuple[float, ...]
    apply: Callable[[Photo, float, np.random.Generator], Photo]


DISTURBANCES: Dict[str, Disturbance] = {
    'blur': Disturbance('deviation, % of the face', (1, 2, 4), lambda photo, s, rng: blurred(photo, s)),
    'noise': Disturbance('deviation, gray levels', (20, 40, 80), noisy),
    'JPEG': Disturbance('quality', (30, 10, 5), lambda photo, s, rng: compressed(photo, s)),
    'low light': Disturbance('share of the light', (0.3, 0.1, 0.05), darkened),
    'small': Disturbance('px of the face', (64, 32, 20), lambda photo, s, rng: shrunk(photo, s)),
    'covered': Disturbance('share of the face', (0.25, 0.5), lambda photo, s, rng: covered(photo, s)),
    'turned': Disturbance('degrees', (15, 30, 60), lambda photo, s, rng: turned(photo, s)),
}

# ruff: noqa: NPY002 (mmengine seeds the global generator of every worker)
"""Augmentations of the pixels of a crop: occlusion, blur, gamma and noise, with the ranges of ADNet and STAR.

They come after the crop and after the target: an occluded landmark keeps its label and its weight. Each draws from
NumPy's global generator, which mmengine seeds per worker, and leaves the array that it was given untouched.
"""

from abc import abstractmethod
from typing import Optional, Tuple

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness
from mmpose.registry import TRANSFORMS


class RandomTexture(BaseTransform):
    """Base: apply :meth:`texture` with probability ``prob``, with parameters from :meth:`sample`.

    Required Keys:

        - img (np.uint8)

    Modified Keys:

        - img (np.uint8)

    Args:
        prob: Probability of a change.

    Raises:
        ValueError: If ``prob`` is outside [0, 1].
        TypeError: If the image is not uint8 (place the transform before any normalisation).
    """

    def __init__(self, prob: float) -> None:
        super().__init__()
        if not 0 <= prob <= 1:
            raise ValueError(f'prob must lie in [0, 1], got {prob}')
        self.prob = prob

    @abstractmethod
    def sample(self, shape: Tuple[int, ...]) -> tuple:
        """Draw the parameters of :meth:`texture` for an image of the shape (h, w, c)."""

    @abstractmethod
    def texture(self, img: np.ndarray, *parameters) -> np.ndarray:
        """The changed image, a new array."""

    @cache_randomness
    def _draw(self, shape: Tuple[int, ...]) -> Optional[tuple]:
        return self.sample(shape) if np.random.rand() < self.prob else None

    def transform(self, results: dict) -> dict:
        """Change ``results['img']`` or leave it as it is."""
        img = results['img']
        if img.dtype != np.uint8:
            raise TypeError(
                f'{type(self).__name__} works on uint8 images, got {img.dtype}; move it before the normalisation'
            )
        parameters = self._draw(img.shape)
        if parameters is not None:
            results['img'] = self.texture(img, *parameters)
        return results

    def __repr__(self) -> str:
        arguments = ', '.join(f'{key}={value}' for key, value in vars(self).items() if not key.startswith('_'))
        return f'{type(self).__name__}({arguments})'


def _range(name: str, bounds: Tuple[float, float], low: float, high: float = np.inf) -> Tuple[float, float]:
    first, last = bounds
    if not low <= first <= last <= high:
        raise ValueError(f'{name} must be a range (low, high) within [{low}, {high}], got {tuple(bounds)}')
    return float(first), float(last)


@TRANSFORMS.register_module()
class RandomOcclusion(RandomTexture):
    """Blacken a random rectangle (cutout). Landmarks under it keep their weight: place it after ``GenerateTarget``.

    The rectangle is centred anywhere in the image and cut off at its borders. Its height is a share r of the image
    height, its width the share r + u of the image width, with u uniform in [-aspect_jitter, aspect_jitter].

    Args:
        prob: Probability of a change. Defaults to 0.4
        size: Range of r. Defaults to (0.1, 0.4)
        aspect_jitter: See above. Defaults to 0.1
    """

    def __init__(self, prob: float = 0.4, size: Tuple[float, float] = (0.1, 0.4), aspect_jitter: float = 0.1) -> None:
        super().__init__(prob)
        self.size = _range('size', size, 0, 1)
        self.aspect_jitter = aspect_jitter

    def sample(self, shape: Tuple[int, ...]) -> tuple:
        """Corners (x0, y0, x1, y1) of the rectangle, the last ones exclusive."""
        height, width = shape[:2]
        rows = np.random.uniform(*self.size)
        columns = max(rows + np.random.uniform(-self.aspect_jitter, self.aspect_jitter), 0)
        half = np.array([columns * width, rows * height]) / 2
        centre = np.random.uniform(0, [width, height])
        low = np.clip(np.rint(centre - half), 0, [width, height]).astype(int)
        high = np.clip(np.rint(centre + half), 0, [width, height]).astype(int)
        return (*low.tolist(), *high.tolist())

    def texture(self, img: np.ndarray, x0: int, y0: int, x1: int, y1: int) -> np.ndarray:
        """Blacken img[y0:y1, x0:x1]."""
        img = img.copy()
        img[y0:y1, x0:x1] = 0
        return img


@TRANSFORMS.register_module()
class RandomBoxBlur(RandomTexture):
    """Average over a square window.

    Args:
        prob: Probability of a change. Defaults to 0.3
        max_kernel: Largest side of the window as a share of the mean image side; it is drawn uniformly from
            [0, max_kernel], and less than 2 px changes nothing. Even sides are raised by one: an even window would
            shift the image by half a pixel against the landmarks. Defaults to 0.05
    """

    def __init__(self, prob: float = 0.3, max_kernel: float = 0.05) -> None:
        super().__init__(prob)
        self.max_kernel = _range('max_kernel', (0, max_kernel), 0, 1)[1]

    def sample(self, shape: Tuple[int, ...]) -> tuple:
        """Side of the window in px, odd."""
        return (int(sum(shape[:2]) / 2 * np.random.uniform(0, self.max_kernel)) | 1,)

    def texture(self, img: np.ndarray, kernel: int) -> np.ndarray:
        """Box blur; OpenCV reflects the image at its borders."""
        return cv2.blur(img, (kernel, kernel))


@TRANSFORMS.register_module()
class RandomGamma(RandomTexture):
    """Darken or brighten: v -> 255 (v / 255)^gamma. Half of the changes darken, half brighten.

    Args:
        prob: Probability of a change. Defaults to 0.2
        brighten: Range of gamma <= 1. Defaults to (0.25, 1)
        darken: Range of gamma >= 1. Defaults to (1, 4)
    """

    def __init__(
        self, prob: float = 0.2, brighten: Tuple[float, float] = (0.25, 1.0), darken: Tuple[float, float] = (1.0, 4.0)
    ) -> None:
        super().__init__(prob)
        self.brighten = _range('brighten', brighten, 1e-3, 1)
        self.darken = _range('darken', darken, 1)

    def sample(self, shape: Tuple[int, ...]) -> tuple:
        """gamma."""
        return (np.random.uniform(*(self.brighten if np.random.rand() < 0.5 else self.darken)),)

    def texture(self, img: np.ndarray, gamma: float) -> np.ndarray:
        """Look every value up."""
        table = np.rint(255 * (np.arange(256) / 255) ** gamma).astype(np.uint8)
        return cv2.LUT(img, table).reshape(img.shape)


@TRANSFORMS.register_module()
class RandomNoise(RandomTexture):
    """Blend with uniform noise: v -> (1 - a) v + a n, n uniform in 0..255 for every pixel and channel.

    Args:
        prob: Probability of a change. Defaults to 0.2
        max_alpha: Largest share of noise; a is drawn uniformly from [0, max_alpha]. Defaults to 0.5
    """

    def __init__(self, prob: float = 0.2, max_alpha: float = 0.5) -> None:
        super().__init__(prob)
        self.max_alpha = _range('max_alpha', (0, max_alpha), 0, 1)[1]

    def sample(self, shape: Tuple[int, ...]) -> tuple:
        """a and the noise."""
        return np.random.uniform(0, self.max_alpha), np.random.randint(0, 256, shape, dtype=np.uint8)

    def texture(self, img: np.ndarray, alpha: float, noise: np.ndarray) -> np.ndarray:
        """Blend."""
        return cv2.addWeighted(img, 1 - alpha, noise, alpha, 0).reshape(img.shape)

"""Reading pictures of any kind as uint8 BGR."""

from pathlib import Path
from typing import Union

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

#: Suffixes of the files that a folder is searched for.
IMAGE_SUFFIXES = ('.bmp', '.gif', '.jfif', '.jpeg', '.jpg', '.png', '.ppm', '.pgm', '.tif', '.tiff', '.webp')
_DAMAGED = 'cannot be decoded: truncated or damaged'
_CONVERT = 'Fix: convert it to PNG of 8 or 16 bit'
_UNKNOWN = (
    'cannot be decoded: of a format that is not read, or damaged from its beginning. '
    f'{_CONVERT}; a video has to be the only input'
)
_ALLOW_MORE = 'it may be made to fill the memory. To allow more: --max-pixels, or mmpose_sp.utils.images.set_max_pixels'


def read_image(path: Union[str, Path]) -> np.ndarray:
    """Read a picture upright (EXIF orientation applied), without its alpha channel, 16 bit reduced to 8.

    Returns:
        Uint8 BGR (H, W, 3).

    Raises:
        FileNotFoundError: No such file.
        ValueError: Empty, truncated, not a picture, of values that are not read (floats), or of more pixels, by its
            header, than :func:`max_pixels`.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'{path}: no such image file')
    # Not cv2.imread: it cannot open every path that the system can, and fills what a truncated JPEG lacks with gray.
    data = np.fromfile(path, dtype=np.uint8)
    if not data.size:
        raise ValueError(f'{path}: the file is empty')
    _check_header(path)
    try:
        image = cv2.imdecode(data, cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise ValueError(f'{path}: cannot be decoded: {error.err}') from error
    if image is None:
        raise ValueError(f'{path}: {_why_not_decoded(path)}')
    return image


def max_pixels() -> float:
    """The most pixels that a picture or a frame may have to be decoded: 3 MB of PNG can hold what fills 5 GB.

    It is Pillow's limit, twice its ``Image.MAX_IMAGE_PIXELS``: 179 million where nobody set another.
    """
    return float('inf') if Image.MAX_IMAGE_PIXELS is None else 2 * Image.MAX_IMAGE_PIXELS


def set_max_pixels(pixels: float) -> None:
    """Set :func:`max_pixels` of this process."""
    Image.MAX_IMAGE_PIXELS = pixels / 2


def check_pixels(name: object, width: float, height: float) -> None:
    """Raise ``ValueError`` for a size that is not decoded."""
    if width * height > max_pixels():
        raise ValueError(f'{name}: {width:.0f} x {height:.0f} px, more than {max_pixels():.0f} pixels; {_ALLOW_MORE}')


def _check_header(path: Path) -> None:
    """Refuse a picture by its header. OpenCV knows the size when it has decoded all of it, so it is not given what
    Pillow does not recognise."""
    try:
        with Image.open(path):
            pass
    except Image.DecompressionBombError as error:
        reason = str(error).split(',')[0]  # 'Image size (900000000 pixels) exceeds limit of 178956970 pixels'
        raise ValueError(f'{path}: {reason}; {_ALLOW_MORE}') from error
    except UnidentifiedImageError as error:
        raise ValueError(f'{path}: {_UNKNOWN}') from error
    except Exception as error:  # whatever a parser stumbles over
        raise ValueError(f'{path}: {_DAMAGED}') from error


def _why_not_decoded(path: Path) -> str:
    """What is wrong with a picture that Pillow recognises and OpenCV does not decode."""
    try:
        with Image.open(path) as image:
            image.load()
    except Exception:  # whatever a decoder stumbles over
        return _DAMAGED
    return f'cannot be decoded: {image.format} with values of a kind that is not read (mode {image.mode}). {_CONVERT}'


def as_bgr(image: Union[np.ndarray, Image.Image]) -> np.ndarray:
    """Bring an array to uint8 BGR (H, W, 3), as :func:`read_image` does with the same picture in a file.

    A Pillow image stays as it lies in memory: an EXIF orientation that its caller has not applied is not applied here.

    Args:
        image: uint8 or uint16 in shape (H, W), (H, W, 1) gray, (H, W, 3) BGR or (H, W, 4) BGRA. 16 bit values are
            divided by 256.

    Raises:
        TypeError: Not an array, or of another dtype.
        ValueError: Another shape, or without pixels.
    """
    if isinstance(image, Image.Image):
        # 16 bit gray, which older releases of Pillow call 'I' as they do 32 bit; no picture of that depth is so dark
        deep = image.mode.startswith('I') and np.asarray(image).max(initial=0) > 255
        image = np.asarray(image).astype(np.uint16) if deep else np.asarray(image.convert('RGB'))[..., ::-1]
    if not isinstance(image, np.ndarray):
        raise TypeError(f'an image must be a NumPy array (H, W, 3) in BGR order, got {type(image).__name__}')
    if image.dtype == np.uint16:
        image = (image >> 8).astype(np.uint8)
    if image.dtype != np.uint8:
        raise TypeError(
            f'an image array must be uint8 or uint16, got {image.dtype}; scale it to 0..255 and use '
            'image.astype(np.uint8)'
        )
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[..., 0]
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] not in (3, 4)):
        raise ValueError(f'an image must have the shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), got {image.shape}')
    if not image.size:
        raise ValueError(f'the image has no pixels: its shape is {image.shape}')
    if image.ndim == 2:
        return cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    return np.ascontiguousarray(image[..., :3])

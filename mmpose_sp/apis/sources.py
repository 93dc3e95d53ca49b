"""What can be looked at: pictures, folders, patterns, arrays, videos and cameras, all as a stream of frames."""

import glob
import re
from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Callable, Generator, List, Optional, Tuple, Union

import cv2
import numpy as np
from PIL import Image

from mmpose_sp.utils.images import IMAGE_SUFFIXES, as_bgr, check_pixels, read_image

VIDEO_SUFFIXES = ('.avi', '.m4v', '.mkv', '.mov', '.mp4', '.mpeg', '.mpg', '.webm', '.wmv')
# Pictures that a folder is not searched for; they are counted like its videos, so that nobody misses them.
_OTHER_SUFFIXES = ('.arw', '.avif', '.cr2', '.cr3', '.dng', '.heic', '.heif', '.jp2', '.jxl', '.nef', '.psd', '.raf')
ROUNDED_FRAMES = 1  # some containers give a duration and a rate, whose product may be off by this
_WEBCAM = re.compile(r'webcam(?::(\d+))?$')


@dataclass
class Frame:
    """One picture before it is read: ``read()`` gives uint8 BGR (H, W, 3) or raises what is wrong with it."""

    name: str
    read: Callable[[], np.ndarray]
    index: Optional[int] = None


@dataclass
class Source:
    """A stream of frames.

    Attributes:
        frames: The frames in order; an endless iterator for a camera.
        kind: 'image', 'images' (a folder, a pattern or a list) or 'video' (a file or a camera).
        length: Number of frames, where it is known. A video's is what its header says; if fewer can be read, one more
            frame follows whose ``read()`` says so.
        live: Whether the frames come from a camera, so that waiting for a full batch would delay them.
        fps: Frames per second of a video.
    """

    frames: Generator[Frame, None, None]
    kind: str
    length: Optional[int] = None
    live: bool = False
    fps: float = 0.0
    tolerant: bool = False  # whether a bad picture among many is to be reported instead of raised
    paths: Tuple[Path, ...] = ()  # the files that are read
    left_out: str = ''  # of a folder, the pictures and videos that are not read, in words
    root: Optional[Path] = None  # the folder that was named, by itself, by a pattern or by one picture


def open_source(inputs: Any) -> Source:
    """Open what a user names.

    Args:
        inputs: Path of a picture or a video, a folder (its pictures, sorted by name, without sub-folders), a glob
            pattern, an array, a Pillow image, a sequence of these (no videos), or a camera: its index or
            ``'webcam:<index>'``. A :class:`Source` stays what it is.

    Raises:
        FileNotFoundError: Nothing there, or no picture in the folder.
        ValueError: A video or a camera that cannot be opened, a video of more pixels than are decoded
            (:func:`~mmpose_sp.utils.images.max_pixels`), an empty sequence or name.
        TypeError: Something else.
    """
    if isinstance(inputs, Source):
        return inputs
    if isinstance(inputs, (bool, np.bool_)):
        raise TypeError('inputs must be paths or arrays, or the index of a camera; got a bool')
    if isinstance(inputs, (int, np.integer)):
        return _open_video(int(inputs))
    if isinstance(inputs, (str, Path)):
        webcam = _WEBCAM.match(str(inputs).lower())
        if webcam:
            return _open_video(int(webcam.group(1) or 0))
        if Path(inputs).suffix.lower() in VIDEO_SUFFIXES and not _is_pattern(inputs):
            return _open_video(str(inputs))
    items = [] if isinstance(inputs, str) and not inputs else _expand(inputs)  # '' is pathlib's current folder
    if not items:
        raise ValueError('inputs is empty: nothing to look at')
    many = isinstance(inputs, (list, tuple)) or _is_pattern(inputs) or _is_folder(inputs)
    if not many and isinstance(items[0], Path) and not items[0].is_file():
        raise FileNotFoundError(f'{inputs}: no such file or folder')
    tolerant = _is_pattern(inputs) or _is_folder(inputs)
    return Source(
        _frames(items),
        'images' if many else 'image',
        len(items),
        tolerant=tolerant,
        paths=tuple(item for item in items if isinstance(item, Path)),
        left_out=_left_out(inputs),
        root=_root(inputs) if isinstance(inputs, (str, Path)) else None,
    )


def _expand(item: Any) -> List[Union[Path, np.ndarray, Image.Image]]:
    if isinstance(item, (np.ndarray, Image.Image)):
        return [item]
    if isinstance(item, (list, tuple)):
        return [leaf for child in item for leaf in _expand(child)]
    if not isinstance(item, (str, Path)):
        raise TypeError(
            f'inputs must be paths, arrays, Pillow images or the index of a camera, got {type(item).__name__}'
        )
    if _is_folder(item):
        found = [path for path in Path(item).iterdir() if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()]
        if not found:
            raise FileNotFoundError(
                f'{item}: no picture in this folder; looked for {", ".join(IMAGE_SUFFIXES)} '
                '(sub-folders are searched by a pattern such as "folder/**/*.jpg")'
            )
        return [*sorted(found)]
    if _is_pattern(item):
        root = _root(item)
        pattern = str(Path(glob.escape(str(root)), Path(item).relative_to(root)))
        found = [Path(path) for path in glob.glob(pattern, recursive=True) if Path(path).is_file()]
        if not found:
            raise FileNotFoundError(f'{item}: no file matches this pattern')
        return [*sorted(found)]
    if Path(item).suffix.lower() in VIDEO_SUFFIXES:
        raise ValueError(f'{item}: a video has to be the only input')
    return [Path(item)]


def _left_out(inputs: Any) -> str:
    """One line about the pictures and videos of a folder that are not read; empty without any."""
    if not _is_folder(inputs):
        return ''
    paths = (path for path in Path(inputs).iterdir() if not path.name.startswith('.') and path.is_file())
    counts = Counter(suffix for path in paths if (suffix := path.suffix.lower()) in (*_OTHER_SUFFIXES, *VIDEO_SUFFIXES))
    kinds = ', '.join(f'{suffix} {count}' for suffix, count in sorted(counts.items()))
    return f'{inputs}: {sum(counts.values())} files left out: {kinds}' if counts else ''


def _is_folder(item: Any) -> bool:
    return isinstance(item, (str, Path)) and Path(item).is_dir()


def _is_pattern(item: Any) -> bool:
    return isinstance(item, (str, Path)) and glob.has_magic(str(item)) and not Path(item).exists()


def _root(item: Union[str, Path]) -> Path:
    """The longest leading part that is a folder: no pattern, whatever brackets its name has."""
    return next((part for part in (Path(item), *Path(item).parents) if part.is_dir()), Path())


def _frames(items: List[Union[Path, np.ndarray, Image.Image]]) -> Generator[Frame, None, None]:
    for index, item in enumerate(items):
        if isinstance(item, (np.ndarray, Image.Image)):
            yield Frame(f'array {index}', lambda item=item: as_bgr(item))
        else:
            yield Frame(str(item), lambda item=item: read_image(item))


def _open_video(target: Union[int, str]) -> Source:
    live = isinstance(target, int)
    if not live and not Path(target).is_file():
        raise FileNotFoundError(f'{target}: no such video file')
    capture = cv2.VideoCapture(target)
    if not capture.isOpened():
        capture.release()
        if live:
            raise ValueError(
                f'camera {target} cannot be opened: is one connected, and is it free? A video file works as well'
            )
        raise ValueError(f'{target}: cannot be opened as a video (damaged, or a codec that OpenCV lacks?)')
    name = f'webcam:{target}' if live else target
    try:
        check_pixels(name, capture.get(cv2.CAP_PROP_FRAME_WIDTH), capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
    except ValueError:
        capture.release()
        raise
    read, first = capture.read()
    if not read:
        capture.release()
        raise ValueError(f'{name}: not one frame can be read')
    count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    fps = capture.get(cv2.CAP_PROP_FPS)
    length = count if count > 0 and not live else None
    return Source(
        _video_frames(capture, first, name, length),
        'video',
        length,
        live,
        fps if fps and np.isfinite(fps) else 0.0,
        tolerant=not live,
        paths=() if live else (Path(target),),
    )


def _video_frames(
    capture: cv2.VideoCapture, image: np.ndarray, name: str, length: Optional[int]
) -> Generator[Frame, None, None]:
    index, read = 0, True
    try:
        while read:
            yield Frame(f'{name} #{index}', lambda image=image: as_bgr(image), index)
            read, image = capture.read()
            index += 1
    finally:
        capture.release()
    if length and index < length - ROUNDED_FRAMES:
        yield Frame(f'{name} #{index}', partial(_raise_cut_short, name, index, length), index)


def _raise_cut_short(name: str, count: int, length: int) -> np.ndarray:
    raise ValueError(
        f'{name}: only {count} of the {length} frames that its header announces can be read; is the video damaged or '
        'cut short?'
    )

"""Writing videos."""

from pathlib import Path
from typing import Optional, Union

import cv2
import numpy as np

_CODECS = {'.mp4': 'mp4v', '.m4v': 'mp4v', '.mov': 'mp4v', '.avi': 'MJPG', '.mkv': 'mp4v'}


class VideoWriter:
    """A video file that takes its size from the first frame; nothing is written without a frame.

    Args:
        path: Its suffix picks the codec: .mp4, .m4v, .mov, .mkv or .avi.
        fps: Frames per second; 25 if not positive (cameras do not always tell).

    Raises:
        ValueError: Another suffix.
    """

    def __init__(self, path: Union[str, Path], fps: float) -> None:
        self.path = Path(path)
        if self.path.suffix.lower() not in _CODECS:
            raise ValueError(f'{path}: cannot write this kind of video; use one of {", ".join(_CODECS)}')
        self.fps = fps if fps > 0 else 25.0
        self._writer: Optional[cv2.VideoWriter] = None
        self._size = (0, 0)

    def write(self, frame: np.ndarray) -> None:
        """Add a uint8 BGR frame; one of another size than the first is resized.

        Raises:
            OSError: The file cannot be written.
        """
        if self._writer is None:
            self._size = frame.shape[1::-1]
            self.path.parent.mkdir(parents=True, exist_ok=True)
            code = cv2.VideoWriter.fourcc(*_CODECS[self.path.suffix.lower()])
            self._writer = cv2.VideoWriter(str(self.path), code, self.fps, self._size)
            if not self._writer.isOpened():
                raise OSError(
                    f'{self.path}: cannot write this video (no permission, or a codec that OpenCV lacks; try .avi)'
                )
        if frame.shape[1::-1] != self._size:
            frame = cv2.resize(frame, self._size)
        self._writer.write(frame)

    def close(self) -> None:
        """Finish the file."""
        if self._writer is not None:
            self._writer.release()
            self._writer = None

    def __enter__(self) -> 'VideoWriter':
        return self

    def __exit__(self, *exception) -> None:
        self.close()

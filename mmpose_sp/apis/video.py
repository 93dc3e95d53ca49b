"""Writing videos."""

from contextlib import ExitStack
from pathlib import Path
from typing import Optional, Union

import cv2
import numpy as np

from mmpose_sp.utils.atomic import atomic_path

_CODECS = {'.mp4': 'mp4v', '.m4v': 'mp4v', '.mov': 'mp4v', '.avi': 'MJPG', '.mkv': 'mp4v'}


class VideoWriter:
    """A video file that takes its size from the first frame and its place when it is closed; nothing is written without
    a frame, or where the ``with`` block ends by an exception.

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
        self._file = ExitStack()
        self._temporary = ''
        self._size, self._count = (0, 0), 0

    def write(self, frame: np.ndarray) -> None:
        """Add a uint8 BGR frame; one of another size than the first is resized.

        Raises:
            OSError: The file cannot be written.
        """
        if self._writer is None:
            self._size = frame.shape[1::-1]
            self._temporary = self._file.enter_context(atomic_path(str(self.path)))
            code = cv2.VideoWriter.fourcc(*_CODECS[self.path.suffix.lower()])
            self._writer = cv2.VideoWriter(self._temporary, code, self.fps, self._size)
            if not self._writer.isOpened():
                self._writer = None
                raise OSError(
                    f'{self.path}: cannot write this video (no permission, or a codec that OpenCV lacks; try .avi)'
                )
        if frame.shape[1::-1] != self._size:
            frame = cv2.resize(frame, self._size)
        self._writer.write(frame)
        self._count += 1

    def close(self) -> None:
        """Finish the file and move it to its place.

        Raises:
            OSError: It is not complete; OpenCV does not say so while it writes.
        """
        if self._writer is not None:
            self._writer.release()
            self._writer = None
            with self._file:
                written = int(cv2.VideoCapture(self._temporary).get(cv2.CAP_PROP_FRAME_COUNT))
                if written < self._count - 1:  # a container without a count gives a duration, rounded
                    raise OSError(
                        f'{self.path}: {max(written, 0)} of {self._count} frames arrived in the file; is the disk full?'
                    )

    def __enter__(self) -> 'VideoWriter':
        return self

    def __exit__(self, *exception) -> None:
        if exception[0] is None:
            self.close()
        elif self._writer is not None:
            self._writer.release()
            self._writer = None
            self._file.__exit__(*exception)  # removes what there is of the file

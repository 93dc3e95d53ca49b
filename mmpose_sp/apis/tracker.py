"""Faces through a video: found once, then followed, each with a name of its own and landmarks that do not tremble."""

from collections import deque
from dataclasses import replace
from typing import Any, Deque, Dict, Iterator, List, Optional, Tuple

import cv2
import numpy as np

from mmpose_sp.faces import motion, overlap
from mmpose_sp.faces.annotation_files import tight_box

from .base_landmarker import BaseLandmarker, progress_bar
from .detectors import best_of_overlapping
from .results import FaceResult, ImageResult
from .sources import Source, open_source

SMOOTHING = ('none', 'filter', 'smooth')
THUMBNAIL = (32, 18)  # px, (w, h): what is compared to see a cut
SAME = 0.3  # boxes that overlap more than this are of one face


class _Track:
    """A face that is being followed."""

    def __init__(self, number: int, face: FaceResult) -> None:
        self.number = number
        self.state = motion.start(face.landmarks, face.covariance)
        self.age = 0

    @property
    def box(self) -> np.ndarray:
        """Where the face is expected in the next frame: (4,) around its landmarks."""
        return tight_box(motion.predict(self.state).landmarks).astype(np.float32)

    def add(self, face: FaceResult) -> None:
        self.state = motion.update(motion.predict(self.state), face.landmarks, face.covariance)
        self.age += 1


class FaceTracker:
    """Follows the faces of one video or camera.

    In each frame a face is cropped around the landmarks that its motion predicts, so that the detector only looks for
    new faces: every ``detect_every`` frames, where a face is lost, and after a cut of the camera, with which all faces
    end. Landmarks are filtered by :mod:`mmpose_sp.faces.motion`, whose measurement noise is the covariance of each
    landmark. Confidence and covariance of a face stay those of its frame.

    As in ``for result in FaceTracker(FaceLandmarker.from_packaged()).track('clip.mp4')``, see docs/tracking.md.

    Args:
        landmarker: :class:`FaceLandmarker`, or :class:`mmpose_sp.runtime.Landmarker`.
        smoothing: ``'filter'``: each frame by those before it. ``'smooth'``: also by those after it, ``lag`` frames
            later: for files. ``'none'``: landmarks as they are found. Defaults to ``'filter'``.
        detect_every: Frames from one look for new faces to the next.
        min_confidence: A face whose landmarks have a lower mean confidence is lost.
        cut: Mean difference of grey values, of 255, from which on two frames are not of one take.
        lag: Frames that ``'smooth'`` looks ahead at least.

    Raises:
        ValueError: An option that is out of range, or a landmarker that looks for turned faces: those are found in each
            frame by itself.
    """

    def __init__(
        self,
        landmarker: BaseLandmarker,
        smoothing: str = 'filter',
        detect_every: int = 15,
        min_confidence: float = 0.5,
        cut: float = 40.0,
        lag: int = 15,
    ) -> None:
        if smoothing not in SMOOTHING:
            raise ValueError(f'smoothing must be one of {SMOOTHING}, got {smoothing!r}')
        if detect_every < 1 or lag < 1:
            raise ValueError(f'detect_every and lag must be at least 1, got {detect_every} and {lag}')
        if any(landmarker.rotations):
            raise ValueError(f'upright faces are followed, not those of rotations={landmarker.rotations}')
        self.landmarker = landmarker
        self.smoothing = smoothing
        self.detect_every = detect_every
        self.min_confidence = min_confidence
        self.cut = cut
        self.lag = lag

    def track(
        self, inputs: Any, errors: str = 'raise', keep_image: bool = False, progress: Optional[bool] = None
    ) -> Iterator[ImageResult]:
        """Follow the faces of a video.

        Args:
            inputs: Path of a video, the index of a camera, or pictures in their order, such as a folder.
            errors: ``'record'`` gives a frame that cannot be read a result with ``error``; ``'raise'`` raises.
            keep_image: Put the picture into its result.
            progress: Show a progress bar; by default for a video file.

        Yields:
            ImageResult: Frame by frame, ``track`` of each face a number that no other face of the video has.
        """
        source = open_source(inputs)
        if progress is None:
            progress = source.kind == 'video' and not source.live
        results = self._results(source, errors == 'record', keep_image, progress)
        yield from self._smoothed(results) if self.smoothing == 'smooth' else (result for result, _ in results)

    def _results(
        self, source: Source, record: bool, keep_image: bool, progress: bool
    ) -> Iterator[Tuple[ImageResult, Dict[int, motion.FaceState]]]:
        """Frame by frame: its faces, and the filtered state of each by its track."""
        tracks: List[_Track] = []
        thumbnail: Optional[np.ndarray] = None
        number = 0  # of the next face
        for index, frame in enumerate(progress_bar(source) if progress else source.frames):
            result = ImageResult(frame.name, frame=index if frame.index is None else frame.index)
            try:
                image = frame.read()
            except (OSError, ValueError, MemoryError, cv2.error) as error:
                if not record:
                    raise
                result.error = str(error) or type(error).__name__
                yield result, {}
                continue
            result.size = image.shape[1], image.shape[0]
            result.image = image if keep_image else None
            before, thumbnail = thumbnail, _thumbnail(image)
            if before is not None and np.abs(thumbnail - before).mean() > self.cut:
                tracks = []
            faces = self._follow(image, tracks)
            look = not tracks or index % self.detect_every == 0 or len(faces) < len(tracks)
            tracks = list(faces)
            if look:
                for face in self._find_new(image, list(faces.values())):
                    track = _Track(number, face)
                    number += 1
                    tracks.append(track)
                    faces[track] = face
            result.faces = [self._reported(track, face) for track, face in faces.items()]
            yield result, {track.number: track.state for track in tracks}

    def _follow(self, image: np.ndarray, tracks: List[_Track]) -> Dict[_Track, FaceResult]:
        """The faces of the tracks that are still there, which take them up."""
        height, width = image.shape[:2]
        inside = [track for track in tracks if _is_inside(track.box, width, height)]
        faces = self._landmarks(image, [track.box for track in inside])
        found = {}
        for track, face in zip(inside, faces):
            if face is not None and face.confidence.mean() >= self.min_confidence:
                found[track] = face
        # two tracks may come to the same face: the older one keeps it
        boxes = np.array([tight_box(face.landmarks) for face in found.values()]).reshape(-1, 4)
        kept = best_of_overlapping(boxes, np.array([float(track.age) for track in found]), 0.6)
        found = {track: face for i, (track, face) in enumerate(found.items()) if i in kept}
        for track, face in found.items():
            track.add(face)
        return found

    def _find_new(self, image: np.ndarray, known: List[FaceResult]) -> List[FaceResult]:
        """The faces that the landmarker finds by itself, but for the known ones."""
        (result,) = self.landmarker([image], errors='record', progress=False)
        old = np.array([tight_box(face.landmarks) for face in known]).reshape(-1, 4)
        sure = [face for face in result.faces if face.confidence.mean() >= self.min_confidence]
        return [face for face in sure if not (overlap(tight_box(face.landmarks), old) > SAME).any()]

    def _landmarks(self, image: np.ndarray, boxes: List[np.ndarray]) -> List[Optional[FaceResult]]:
        """A face for each box; None where the box cannot be cropped or the network gives no numbers."""
        if not boxes:
            return []
        (result,) = self.landmarker([image], bboxes=[np.stack(boxes)], errors='record', progress=False)
        if len(result.faces) == len(boxes):
            return list(result.faces)
        if len(boxes) == 1:
            return [None]
        return [face for box in boxes for face in self._landmarks(image, [box])]

    def _reported(self, track: _Track, face: FaceResult) -> FaceResult:
        landmarks = face.landmarks if self.smoothing == 'none' else track.state.landmarks.astype(np.float32)
        return replace(face, landmarks=landmarks, track=track.number)

    def _smoothed(self, results: Iterator[Tuple[ImageResult, Dict[int, motion.FaceState]]]) -> Iterator[ImageResult]:
        """The results with the landmarks of the smoother, when the ``lag`` frames after them are there."""
        waiting: Deque[Tuple[ImageResult, Dict[int, motion.FaceState]]] = deque()
        for item in results:
            waiting.append(item)
            if len(waiting) == 2 * self.lag:  # so that each frame is smoothed twice, not ``lag`` times
                yield from self._emit(waiting, self.lag)
        yield from self._emit(waiting, len(waiting))

    def _emit(
        self, waiting: Deque[Tuple[ImageResult, Dict[int, motion.FaceState]]], count: int
    ) -> Iterator[ImageResult]:
        smoothed = {}
        for number in {number for _, states in waiting for number in states}:
            at = [i for i, (_, states) in enumerate(waiting) if number in states]
            for i, state in zip(at, motion.smooth([waiting[i][1][number] for i in at])):
                smoothed[i, number] = state.landmarks.astype(np.float32)
        for i in range(count):
            result, _ = waiting.popleft()
            result.faces = [replace(face, landmarks=smoothed[i, face.track]) for face in result.faces]
            yield result


def _thumbnail(image: np.ndarray) -> np.ndarray:
    small = cv2.resize(image, THUMBNAIL, interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(small, cv2.COLOR_BGR2GRAY).astype(np.float32)


def _is_inside(box: np.ndarray, width: int, height: int) -> bool:
    """Whether the middle of a box lies in the picture, and the box has an extent that can be cropped."""
    x, y = (box[:2] + box[2:]) / 2
    return bool(np.isfinite(box).all() and (box[2:] > box[:2]).all() and 0 <= x < width and 0 <= y < height)

"""From pictures to faces, whichever engine runs the network: boxes, batches, crops anew, errors. Without torch."""

import warnings
from abc import ABC, abstractmethod
from collections import deque
from pathlib import Path
from typing import Any, Callable, Deque, Iterable, Iterator, List, Optional, Sequence, Tuple, Union

import cv2
import numpy as np

from mmpose_sp.faces import SCHEMES, transform_boxes, turned_to_image

from .boxes import check_boxes
from .detectors import Detections, HaarFaceDetector, MMDetFaceDetector, best_of_overlapping, haar_mapping
from .results import FaceResult, ImageResult
from .sources import Frame, Source, open_source
from .yunet import YuNetFaceDetector, yunet_mapping

LONG_INPUT = 16  # pictures from which on a progress bar is shown
MAX_WAITING_PIXELS = 2**26  # of pictures that are kept while their crops wait for a full batch
TURNED = 0.05  # by which the score of a face must be better in a turned picture

Inputs = Any
Detector = Callable[[np.ndarray], Detections]


class BaseLandmarker(ABC):
    """What :class:`FaceLandmarker` and :class:`mmpose_sp.runtime.Landmarker` have in common.

    Args:
        detector, detector_weights, batch_size, min_confidence, refine, rotations: See :class:`FaceLandmarker`.
        device: Of an mmdet detector.

    Attributes:
        dataset_name: Whose landmarks these are: 'wflw', 'cofw', '300w'.
        num_landmarks: K.
    """

    dataset_name: str
    num_landmarks: int
    has_posterior = True
    tail_weight = 0.0  # of the covariances, see FaceResult.ellipse_radius

    def __init__(
        self,
        detector: Union[str, Path, Detector],
        detector_weights: Union[str, Path, None],
        batch_size: int,
        min_confidence: float,
        refine: int,
        rotations: Sequence[int],
        device: str = 'cpu',
    ) -> None:
        if batch_size < 1:
            raise ValueError(f'batch_size must be at least 1, got {batch_size}')
        if not rotations or any(degrees % 90 for degrees in rotations):
            raise ValueError(f'rotations must be multiples of 90 degrees such as (0, 90, 180, 270), got {rotations}')
        if refine < 0:
            raise ValueError(f'refine must not be negative, got {refine}')
        if not min_confidence <= 1:
            raise ValueError(f'min_confidence must be at most 1, or no face is ever found; got {min_confidence}')
        self.batch_size = batch_size
        self.min_confidence = min_confidence
        self.refine = refine
        self.rotations = tuple(rotations)
        self.device = device
        self._detector_spec = detector, detector_weights
        self._detector: Optional[Detector] = None

    @abstractmethod
    def _crop(self, image: np.ndarray, box: np.ndarray, name: str) -> Any:
        """Cut the face in a box (5,), the last its score, out of a uint8 BGR picture."""

    @abstractmethod
    def _find(self, crops: Sequence[Any], score_maps: bool) -> List[FaceResult]:
        """The faces of at most ``batch_size`` crops, each of :meth:`_crop`."""

    @property
    def boundaries(self) -> tuple:
        """The curves through the landmarks, for drawing."""
        return SCHEMES[self.dataset_name].boundaries if self.dataset_name in SCHEMES else ()

    @property
    def detector(self) -> Detector:
        """The face detector; made when it is first needed."""
        if self._detector is None:
            spec, weights = self._detector_spec
            if callable(spec):
                self._detector = spec
            elif str(spec) == 'yunet':
                self._detector = YuNetFaceDetector(yunet_mapping(self.dataset_name))
            elif str(spec) == 'haar':
                self._detector = HaarFaceDetector(haar_mapping(self.dataset_name))
            else:
                self._detector = MMDetFaceDetector(spec, weights, self.device)
        return self._detector

    def __call__(self, inputs: Inputs, **kwargs) -> List[ImageResult]:
        """Find the landmarks of all faces; see :meth:`iterate` for the arguments.

        Returns:
            One per picture or frame, in order, also for a single picture.

        Raises:
            ValueError: For a camera, whose frames do not end; use :meth:`iterate`.
        """
        source = open_source(inputs)
        if source.live:
            source.frames.close()
            raise ValueError('a camera never ends: loop over landmarker.iterate(...) instead')
        return list(self.iterate(source, **kwargs))

    def iterate(
        self,
        inputs: Inputs,
        bboxes: Any = None,
        whole_image: bool = False,
        errors: Optional[str] = None,
        progress: Optional[bool] = None,
        keep_image: bool = False,
        score_maps: bool = False,
    ) -> Iterator[ImageResult]:
        """Find the landmarks picture by picture: for videos, cameras and folders that do not fit into memory.

        Args:
            inputs: Path of a picture or a video, folder, glob pattern, array (BGR), Pillow image, a list of these, or
                the index of a camera; see :func:`~mmpose_sp.apis.sources.open_source`.
            bboxes: Face boxes instead of the detector's, image px x1 y1 x2 y2 (and a score): the tight box around the
                landmarks is what the models know; the config pads it. One picture or a video: (N, 4). Several
                pictures: a sequence with one (N, 4) for each, or a mapping from path or file name.
            whole_image: The picture is one face, without any detection.
            errors: 'raise', or 'record' to give a bad picture a result with ``error``. By default folders, patterns and
                videos record and end with a warning, the rest raises; folders also warn of pictures that are not read.
            progress: Show a progress bar; by default for long input.
            keep_image: Put the picture into its result.
            score_maps: Put the score maps into the faces.

        Yields:
            ImageResult: In the order of the input. Without a face its ``faces`` are empty.

        Raises:
            FileNotFoundError, ValueError, TypeError: With ``errors='raise'``, for what is wrong with an input or a box,
                and for faces whose landmarks are not finite; always, for ``inputs`` that cannot be opened and for
                ``bboxes`` that do not match them.
        """
        source = open_source(inputs)
        if source.left_out and errors is None:
            warnings.warn(source.left_out, stacklevel=2)
        if errors not in (None, 'raise', 'record'):
            raise ValueError(f"errors must be 'raise' or 'record', got {errors!r}")
        if whole_image and bboxes is not None:
            raise ValueError('give either bboxes or whole_image=True, not both')
        record = errors == 'record' or (errors is None and source.tolerant)
        boxes_of = _box_lookup(bboxes, source)
        if bboxes is None and not whole_image:
            self.detector  # noqa: B018  made here, so that what is wrong with it is not every picture's error
        if progress is None:
            progress = source.kind == 'video' and not source.live or (source.length or 0) >= LONG_INPUT

        waiting: Deque[_Waiting] = deque()
        crops: List[_Crop] = []
        bad: List[str] = []
        for index, frame in enumerate(progress_bar(source) if progress else source.frames):
            entry, new = self._prepare(frame, index, boxes_of, whole_image, record, keep_image)
            waiting.append(entry)
            crops += new
            while len(crops) >= self.batch_size:
                self._run(crops[: self.batch_size], score_maps)
                del crops[: self.batch_size]
            if source.live or sum(item.pixels for item in waiting) > MAX_WAITING_PIXELS:
                self._run(crops, score_maps)
                crops.clear()
            while waiting and waiting[0].done:
                yield waiting.popleft().finish(record, bad)
        self._run(crops, score_maps)
        yield from (item.finish(record, bad) for item in waiting)
        if bad and errors is None:
            warnings.warn(f'{len(bad)} pictures have an error; the first: {bad[0]}', stacklevel=2)

    def _prepare(
        self, frame: Frame, index: int, boxes_of: Optional[Callable], whole_image: bool, record: bool, keep_image: bool
    ) -> Tuple['_Waiting', List['_Crop']]:
        """Read a picture, find its boxes and cut its faces out."""
        result = ImageResult(frame.name, frame=frame.index)
        entry = _Waiting(result)
        try:
            image = frame.read()
            height, width = image.shape[:2]
            result.size = width, height
            if keep_image:
                result.image = image
            if boxes_of is None and not whole_image:
                entry.min_confidence, entry.refine = self.min_confidence, self.refine
            if entry.refine:
                entry.image = image
            if keep_image or entry.refine:
                entry.pixels = width * height
            boxes, entry.turns = self._boxes(image, frame, index, boxes_of, whole_image)
            samples = [self._crop(_turned(image, k), box, frame.name) for box, k in zip(boxes, entry.turns)]
        except (OSError, ValueError, TypeError, MemoryError, cv2.error) as error:
            if not record:
                raise
            result.error = str(error) or type(error).__name__
            return entry, []
        entry.faces = [None] * len(samples)
        return entry, [(entry, i, sample) for i, sample in enumerate(samples)]

    def _boxes(
        self, image: np.ndarray, frame: Frame, index: int, boxes_of: Optional[Callable], whole_image: bool
    ) -> Tuple[np.ndarray, List[int]]:
        """(N, 5) boxes with scores, in px of the picture after so many quarter turns as are returned for each."""
        height, width = image.shape[:2]
        if whole_image:
            return np.array([[0, 0, width, height, 1]], dtype=np.float32), [0]  # as mmpose takes the whole image
        if boxes_of is not None:
            boxes = check_boxes(boxes_of(frame.name, index), width, height, frame.name)
            return boxes, [0] * len(boxes)
        found, turns, upright = [], [], []
        for k in (degrees // 90 % 4 for degrees in self.rotations):
            found.append(self._detect(_turned(image, k), frame.name))
            upright.append(transform_boxes(found[-1][:, :4], turned_to_image((width, height), k)))
            turns += [k] * len(found[-1])
        boxes = np.concatenate(found)
        if len(found) == 1:
            return boxes, turns
        # a face is found at other turns as well, less surely; where that is not clear it stays as it is
        kept = best_of_overlapping(np.concatenate(upright), boxes[:, 4] - TURNED * np.array(turns, dtype=bool))
        return boxes[kept], [turns[i] for i in kept]

    def _detect(self, image: np.ndarray, name: str) -> np.ndarray:
        """(N, 5) boxes with scores of the detector; those outside of the picture are left out, rubbish is an error."""
        boxes, scores = self.detector(image)
        boxes, scores = np.reshape(boxes, (-1, 4)), np.reshape(scores, -1)
        if len(boxes) != len(scores):
            raise ValueError(f'{name}: the detector gave {len(boxes)} boxes, but {len(scores)} scores')
        size = image.shape[1], image.shape[0]
        outside = (boxes[:, 2:] <= 0).any(axis=1) | (boxes[:, :2] >= size).any(axis=1)
        return check_boxes(np.column_stack([boxes, scores])[~outside], *size, f'{name}, by the detector')

    def _run(self, crops: List['_Crop'], score_maps: bool) -> None:
        """Predict the faces of a batch and put them into their pictures' results."""
        for start in range(0, len(crops), self.batch_size):
            part = crops[start : start + self.batch_size]
            for passed in range(self.refine + 1):
                if passed:
                    part = [
                        (entry, index, self._crop_anew(entry, index))
                        for entry, index, _ in part
                        if entry.refine >= passed
                    ]
                if part:
                    faces = self._find([crop for _, _, crop in part], score_maps)
                    for (entry, index, _), face in zip(part, faces):
                        entry.faces[index] = face

    def _crop_anew(self, entry: '_Waiting', index: int) -> Any:
        """The crop by the box around the landmarks of a face, or by its old box where they fall together."""
        face = entry.faces[index]
        box = np.concatenate([face.landmarks.min(axis=0), face.landmarks.max(axis=0)])
        box = box if (box[2:] > box[:2]).all() else face.box
        image = _turned(entry.image, entry.turns[index])
        return self._crop(image, np.append(box, np.float32(face.box_score)), entry.result.name)


class _Waiting:
    """A picture whose faces are on their way."""

    def __init__(self, result: ImageResult) -> None:
        self.result = result
        self.faces: List[Optional[FaceResult]] = []  # in px of the picture after the quarter turns of each
        self.turns: List[int] = []
        self.pixels = 0
        self.min_confidence = 0.0
        self.refine = 0
        self.image: Optional[np.ndarray] = None  # to crop its faces anew

    @property
    def done(self) -> bool:
        return all(face is not None for face in self.faces)

    def finish(self, record: bool, bad: List[str]) -> ImageResult:
        """The result; its error, if any, is put into ``bad``. A face that is no numbers loses no other."""
        lost = [str(index) for index, face in enumerate(self.faces) if not face.is_finite]
        if lost:
            self.result.error = (
                f'{self.result.name}: the landmarks of box {", ".join(lost)} of {len(self.faces)} are not finite; the '
                'weights of this model are damaged, or its arithmetic overflows (float16?)'
            )
            if not record:
                raise ValueError(self.result.error)
        if self.result.error:
            bad.append(self.result.error)
        self.result.faces = [
            face.moved(turned_to_image(self.result.size, k)) if k else face
            for face, k in zip(self.faces, self.turns)
            if face.is_finite and face.confidence.mean() >= self.min_confidence
        ]
        return self.result


def _turned(image: np.ndarray, turns: int) -> np.ndarray:
    """The picture after so many quarter turns against the clock."""
    return np.ascontiguousarray(np.rot90(image, turns)) if turns else image


_Crop = Tuple[_Waiting, int, Any]  # a picture, the index of a face in it, and the face cut out


def progress_bar(source: Source) -> Iterable[Frame]:
    """The frames of a source, with a bar that counts them."""
    from tqdm import tqdm  # here, for who does without

    return tqdm(source.frames, total=source.length, desc='faces', unit='frame' if source.kind == 'video' else 'image')


def _box_lookup(bboxes: Any, source: Source) -> Optional[Callable[[str, int], Any]]:
    """Function from a frame's name and index to its boxes; None where the detector has to find them.

    Raises:
        ValueError: As many boxes as pictures are not there, or a picture that a mapping does not know.
    """
    if bboxes is None:
        return None
    if hasattr(bboxes, 'keys'):

        def by_name(name: str, index: int) -> Any:
            for key in (name, Path(name).name):
                if key in bboxes:
                    return bboxes[key]
            raise ValueError(f'{name}: bboxes has no entry for this picture, neither by path nor by file name')

        return by_name
    if source.kind != 'images':
        return lambda name, index: bboxes
    if len(bboxes) != source.length:
        raise ValueError(f'{source.length} pictures but bboxes for {len(bboxes)}: give one (N, 4) array for each')
    return lambda name, index: bboxes[index]

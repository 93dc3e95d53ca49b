"""Face landmarks in one call: pictures in, landmarks with confidence and covariance out."""

import warnings
from collections import deque
from pathlib import Path
from typing import Any, Callable, Deque, Iterator, List, Optional, Tuple, Union

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import init_default_scope
from mmpose.codecs.base import BaseKeypointCodec
from mmpose.structures import PoseDataSample
from tqdm import tqdm

from mmpose_sp.codecs import ImageAwareLabelSmoothing
from mmpose_sp.codecs.calibration import Calibration, read_posterior
from mmpose_sp.faces import SCHEMES, compose, crop_to_image, map_grid, transform_covariances

from .boxes import check_boxes
from .detectors import Detections, HaarFaceDetector, MMDetFaceDetector, haar_mapping
from .model_loading import choose_device, load_config, load_model, packaged_model
from .results import FaceResult, ImageResult
from .sources import Frame, Source, open_source

LONG_INPUT = 16  # pictures from which on a progress bar is shown
MAX_WAITING_PIXELS = 2**26  # of pictures that are kept while their crops wait for a full batch

Inputs = Any
Detector = Callable[[np.ndarray], Detections]


class FaceLandmarker:
    """A trained model with its pipeline and a face detector.

    >>> results = FaceLandmarker(config, checkpoint)('photos/')
    >>> results[0].faces[0].landmarks  # (K, 2) px of the photo

    The crop, the flip test and the decoding are those of the config. Landmarks are px of the picture as it is shown,
    that is after its EXIF orientation was applied.

    Args:
        config (str | Path | Config): Config of the model.
        checkpoint (str | Path): Its weights, loaded with ``weights_only``.
        device (str): 'auto', 'cpu', 'cuda:0', ... Defaults to 'auto'.
        detector (str | Path | Callable): Who finds the faces where no boxes are given: ``'haar'``, OpenCV's cascade
            for upright frontal faces; the config of an mmdet detector; or a function from a uint8 BGR picture to boxes
            (N, 4) and scores (N,). Defaults to ``'haar'``.
        detector_weights (str | Path, optional): Checkpoint of the mmdet detector.
        batch_size (int): Faces that the network sees at once. Defaults to 32.
        min_confidence (float): Detected faces whose landmarks have a lower mean confidence are dropped: few of a
            detector's false faces come near the confidence of faces. What is usual depends on the model, so look at
            some results first. Faces in boxes that were given always stay. Defaults to 0.
        refine (int): How often a detected face is cropped anew, by the box around the landmarks that were found, which
            is the box of the training. On the 104 faces of the 300-W part's validation list that the cascade finds, one
            time took the NME of the lite model from 3.43% to 3.27%, where the annotated boxes gave 3.23%. It doubles
            the time of the network. Boxes that were given are taken as they are. Defaults to 1.
        cfg_options (dict, optional): Changes of the config, such as ``{'model.test_cfg.flip_test': False}``.
        calibration (Calibration, optional): The four numbers that make confidences and ellipses say what happens, see
            tools/analysis_tools/calibration.py. Defaults to what the checkpoint stores; the identity ``Calibration()``
            without.

    Raises:
        FileNotFoundError: No such config or checkpoint.
        ValueError: The checkpoint cannot be read safely, or belongs to another model; no such device.
        TypeError: The model does not decode heatmaps.

    Models with another decoder than ``ImageAwareLabelSmoothing`` predict Gaussian bumps instead of scores: there is no
    posterior, the covariance is None, and the confidence is the height of the bump.
    """

    def __init__(
        self,
        config: Union[str, Path, Config],
        checkpoint: Union[str, Path, None],
        device: str = 'auto',
        detector: Union[str, Path, Detector] = 'haar',
        detector_weights: Union[str, Path, None] = None,
        batch_size: int = 32,
        min_confidence: float = 0.0,
        refine: int = 1,
        cfg_options: Optional[dict] = None,
        calibration: Optional[Calibration] = None,
    ) -> None:
        if batch_size < 1:
            raise ValueError(f'batch_size must be at least 1, got {batch_size}')
        self.batch_size = batch_size
        self.min_confidence = min_confidence
        self.refine = refine
        self.device = choose_device(device)
        cfg = load_config(config, cfg_options)
        cfg.model.test_cfg = dict(cfg.model.get('test_cfg') or {}, output_heatmaps=True)
        self.model: Any = load_model(cfg, checkpoint, self.device)
        self.codec = getattr(self.model.head, 'decoder', None)
        if not hasattr(self.codec, 'heatmap_size'):
            raise TypeError(
                f'the head of this model decodes with {type(self.codec).__name__}, which is not a codec of heatmaps'
            )
        self.has_posterior = isinstance(self.codec, ImageAwareLabelSmoothing)
        if calibration is not None and not self.has_posterior:
            raise ValueError('this model predicts heatmaps that are no posterior: there is nothing to calibrate')
        self.calibration = (
            Calibration.from_meta(self.model.checkpoint_meta)
            if calibration is None
            else Calibration(*calibration).checked()
        )
        init_default_scope(cfg.get('default_scope', 'mmpose'))
        self.pipeline = Compose(cfg.test_dataloader.dataset.pipeline)
        self._detector_spec = detector, detector_weights
        self._detector: Optional[Detector] = None

    @classmethod
    def from_packaged(cls, **kwargs) -> 'FaceLandmarker':
        """The small 68-landmark model that comes with mmpose_sp, for research use; see its model card beside the file.

        >>> FaceLandmarker.from_packaged()('photo.jpg')[0].faces

        Args:
            **kwargs: As of the class, without config and checkpoint.
        """
        return cls(*packaged_model(), **kwargs)

    @property
    def dataset_name(self) -> str:
        """Whose landmarks these are: 'wflw', 'cofw', '300w'."""
        return self.model.dataset_meta['dataset_name']

    @property
    def num_landmarks(self) -> int:
        """K."""
        return self.model.dataset_meta['num_keypoints']

    @property
    def boundaries(self) -> tuple:
        """The curves through the landmarks, for drawing."""
        own = getattr(self.codec, 'boundaries', ())
        return own or (SCHEMES[self.dataset_name].boundaries if self.dataset_name in SCHEMES else ())

    @property
    def detector(self) -> Detector:
        """The face detector; made when it is first needed."""
        if self._detector is None:
            spec, weights = self._detector_spec
            if callable(spec):
                self._detector = spec
            elif str(spec) == 'haar':
                self._detector = HaarFaceDetector(haar_mapping(self.dataset_name))
            else:
                self._detector = MMDetFaceDetector(spec, weights, self.device)
        return self._detector

    def __call__(self, inputs: Inputs, **kwargs) -> List[ImageResult]:
        """Find the landmarks of all faces; see :meth:`iterate` for the arguments.

        Returns:
            list[ImageResult]: One per picture or frame, in order, also for a single picture.

        Raises:
            ValueError: For a camera, whose frames do not end; use :meth:`iterate`.
        """
        source = inputs if isinstance(inputs, Source) else open_source(inputs)
        if source.live:
            source.frames.close()
            raise ValueError('a camera never ends: loop over landmarker.iterate(...) instead')
        return list(self.iterate(source, **kwargs))

    @torch.no_grad()
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
            inputs: Path of a picture or a video, folder, glob pattern, array (BGR), a list of these, or the index of a
                camera; see :func:`~mmpose_sp.apis.sources.open_source`.
            bboxes: Face boxes instead of the detector's, image px x1 y1 x2 y2 (and a score): the tight box around the
                landmarks is what the models know; the config pads it. One picture or a video: (N, 4). Several
                pictures: a sequence with one (N, 4) for each, or a mapping from path or file name.
            whole_image: The picture is one face, without any detection.
            errors: 'raise', or 'record' to give a bad picture a result with ``error``. By default folders and patterns
                record and end with a warning, the rest raises.
            progress: Show a progress bar; by default for long input.
            keep_image: Put the picture into its result.
            score_maps: Put the score maps into the faces.

        Yields:
            ImageResult: In the order of the input. Without a face its ``faces`` are empty.

        Raises:
            FileNotFoundError, ValueError, TypeError: With ``errors='raise'``, for what is wrong with an input or a box;
                always, for ``inputs`` that cannot be opened and for ``bboxes`` that do not match them.
        """
        source = inputs if isinstance(inputs, Source) else open_source(inputs)
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
        crops: List[Tuple[_Waiting, int, dict]] = []
        bad: List[str] = []
        frames = tqdm(source.frames, total=source.length, desc='faces', unit='image', disable=not progress)
        for index, frame in enumerate(frames):
            entry, new = self._prepare(frame, index, boxes_of, whole_image, record, keep_image)
            waiting.append(entry)
            if entry.result.error:
                bad.append(entry.result.error)
            crops += new
            while len(crops) >= self.batch_size:
                self._run(crops[: self.batch_size], score_maps)
                del crops[: self.batch_size]
            if source.live or sum(item.pixels for item in waiting) > MAX_WAITING_PIXELS:
                self._run(crops, score_maps)
                crops.clear()
            while waiting and waiting[0].done:
                yield waiting.popleft().finish()
        self._run(crops, score_maps)
        yield from (item.finish() for item in waiting)
        if bad and errors is None:
            warnings.warn(f'{len(bad)} pictures have no result but an error; the first: {bad[0]}', stacklevel=2)

    def _prepare(
        self, frame: Frame, index: int, boxes_of: Optional[Callable], whole_image: bool, record: bool, keep_image: bool
    ) -> Tuple['_Waiting', List[Tuple['_Waiting', int, dict]]]:
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
            boxes = self._boxes(image, frame, index, boxes_of, whole_image)
            samples = [self._crop(image, box, frame.name) for box in boxes]
        except (OSError, ValueError, TypeError, MemoryError, cv2.error) as error:
            if not record:
                raise
            result.error = str(error) or type(error).__name__
            return entry, []
        entry.faces = [None] * len(samples)
        return entry, [(entry, i, sample) for i, sample in enumerate(samples)]

    def _boxes(
        self, image: np.ndarray, frame: Frame, index: int, boxes_of: Optional[Callable], whole_image: bool
    ) -> np.ndarray:
        """(N, 5) boxes with scores."""
        height, width = image.shape[:2]
        if whole_image:
            return np.array([[0, 0, width, height, 1]], dtype=np.float32)  # as mmpose takes the whole image
        if boxes_of is not None:
            return check_boxes(boxes_of(frame.name, index), width, height, frame.name)
        boxes, scores = self.detector(image)
        return np.concatenate([np.reshape(boxes, (-1, 4)), np.reshape(scores, (-1, 1))], axis=1).astype(np.float32)

    def _crop(self, image: np.ndarray, box: np.ndarray, name: str) -> dict:
        """Run the config's test pipeline on one face, as mmpose's ``inference_topdown`` does."""
        return self.pipeline(
            dict(img=image, img_path=name, bbox=box[None, :4], bbox_score=box[4:], **self.model.dataset_meta)
        )

    def _run(self, crops: List[Tuple['_Waiting', int, dict]], score_maps: bool) -> None:
        """Predict the faces of a batch and put them into their pictures' results."""
        for start in range(0, len(crops), self.batch_size):
            part = crops[start : start + self.batch_size]
            self._predict(part, score_maps)
            for passed in range(self.refine):
                part = [
                    (entry, index, self._crop_anew(entry, index)) for entry, index, _ in part if entry.refine > passed
                ]
                self._predict(part, score_maps)

    def _crop_anew(self, entry: '_Waiting', index: int) -> dict:
        """The crop by the box around the landmarks of a face, or by its old box where they fall together."""
        face = entry.faces[index]
        box = np.concatenate([face.landmarks.min(axis=0), face.landmarks.max(axis=0)])
        box = box if (box[2:] > box[:2]).all() else face.box
        return self._crop(entry.image, np.append(box, np.float32(face.box_score)), entry.result.name)

    def _predict(self, part: List[Tuple['_Waiting', int, dict]], score_maps: bool) -> None:
        if not part:
            return
        samples = self.model.test_step(pseudo_collate([sample for _, _, sample in part]))
        scores = torch.stack([sample.pred_fields.heatmaps for sample in samples])
        confidence, spread = [None] * len(part), [None] * len(part)
        if self.has_posterior:
            confidence, spread = (
                value.cpu().numpy() for value in read_posterior(scores, self.codec.eps, self.calibration)
            )
        for (entry, index, _), sample, sure, covariance, maps in zip(part, samples, confidence, spread, scores):
            entry.faces[index] = self._face(sample, sure, covariance, maps.cpu().numpy() if score_maps else None)

    def _face(
        self,
        sample: PoseDataSample,
        confidence: Optional[np.ndarray],
        covariance: Optional[np.ndarray],
        maps: Optional[np.ndarray],
    ) -> FaceResult:
        """Collect one face; ``covariance`` (K, 2, 2) is in heatmap px^2. No ``confidence``: that of the codec."""
        found = sample.pred_instances
        matrix = heatmap_to_image(self.codec, sample.input_center, sample.input_scale)
        if covariance is not None:
            covariance = transform_covariances(covariance, matrix).astype(np.float32)
        return FaceResult(
            landmarks=found.keypoints[0].astype(np.float32),
            confidence=np.clip(found.keypoint_scores[0] if confidence is None else confidence, 0, 1).astype(np.float32),
            covariance=covariance,
            box=np.asarray(found.bboxes[0], dtype=np.float32),
            box_score=float(found.bbox_scores[0]),
            heatmap_to_image=matrix,
            score_maps=maps,
        )


def heatmap_to_image(codec: BaseKeypointCodec, center: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Affine map (2, 3), float64, from heatmap px to image px, for a crop without rotation.

    Args:
        codec: Knows the sizes and the grid of the maps.
        center: (2,) centre of the crop in image px (``input_center``).
        scale: (2,) size of the crop in image px (``input_scale``).
    """
    grid = map_grid(codec.input_size, codec.heatmap_size, getattr(codec, 'grid', 'mmpose'))
    return compose(crop_to_image(center, scale, codec.input_size), grid.matrix)


class _Waiting:
    """A picture whose faces are on their way."""

    def __init__(self, result: ImageResult) -> None:
        self.result = result
        self.faces: List[Optional[FaceResult]] = []
        self.pixels = 0
        self.min_confidence = 0.0
        self.refine = 0
        self.image: Optional[np.ndarray] = None  # to crop its faces anew

    @property
    def done(self) -> bool:
        return all(face is not None for face in self.faces)

    def finish(self) -> ImageResult:
        self.result.faces = [face for face in self.faces if face.confidence.mean() >= self.min_confidence]
        return self.result


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

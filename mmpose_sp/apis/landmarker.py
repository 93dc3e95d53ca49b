"""Face landmarks in one call: pictures in, landmarks with confidence and covariance out."""

from pathlib import Path
from typing import Any, List, Optional, Sequence, Union

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import init_default_scope
from mmpose.structures import PoseDataSample

from mmpose_sp.codecs import ImageAwareLabelSmoothing
from mmpose_sp.faces import transform_joint_covariance
from mmpose_sp.posterior import Calibration

from .base_landmarker import BaseLandmarker, Detector
from .crops import heatmap_to_image
from .model_loading import choose_device, load_config, load_model, quickened
from .packaged import DEFAULT, packaged_model, usual_min_confidence
from .results import FaceResult


class FaceLandmarker(BaseLandmarker):
    """A trained model with its pipeline and a face detector.

    >>> from mmpose_sp.apis.packaged import packaged_model
    >>> config, checkpoint = packaged_model()
    >>> FaceLandmarker(config, checkpoint)('photo.jpg')[0].faces[0].landmarks.shape  # px of the photo
    (68, 2)

    The crop, the flip test and the decoding are those of the config. Landmarks are px of the picture as it is shown,
    that is after its EXIF orientation was applied.

    Args:
        config: Config of the model.
        checkpoint: Its weights, loaded with ``weights_only``.
        device: 'auto', 'cpu', 'cuda:0', ... Defaults to 'auto'.
        detector: Who finds the faces where no boxes are given: ``'yunet'``, which comes with
            mmpose_sp (:class:`YuNetFaceDetector`); ``'haar'``, OpenCV's cascade for upright frontal faces; the config
            of an mmdet detector; or a function from a uint8 BGR picture to boxes (N, 4) and scores (N,). Defaults to
            ``'yunet'``.
        detector_weights: Checkpoint of the mmdet detector.
        batch_size: Faces that the network sees at once. Defaults to 32.
        min_confidence: Detected faces whose landmarks have a lower mean confidence are dropped: those
            that are none, that the border cuts, or that stand on their heads. Faces in boxes that were given always
            stay. Defaults to 0.65 and 0.5 for the packaged models 'fast' and 'accurate', and to 0 for others: look at
            some results first.
        refine: How often a detected face is cropped anew, by the box around the landmarks that were found, which
            is the box of the training; docs/detectors.md has what it brings. It doubles the time of the network. Boxes
            that were given are taken as they are. Defaults to 1.
        cfg_options: Changes of the config, such as ``{'model.test_cfg.flip_test': False}``.
        calibration: The five numbers that make confidences and ellipses say what happens, see
            tools/posterior.py. Defaults to what the checkpoint stores; the identity ``Calibration()`` without.
        rotations: Degrees against the clock by which the picture is turned to look for faces, multiples
            of 90. ``(0, 90, 180, 270)`` finds lying and upside-down faces, and lands each upright in the network, for
            four times the time of the detector. Defaults to ``(0,)``.
        joint: ``'off'``: each landmark is read from its score map alone, as in the paper. ``'prior'``:
            a shape prior joins them. ``'offset'``: with the offset of the annotations that the model was trained on.
            Defaults to ``'offset'`` if the checkpoint stores a joint posterior, which the packaged ones do.

    Raises:
        FileNotFoundError: No such config or checkpoint.
        ValueError: The checkpoint cannot be read safely, or belongs to another model; no such device.
        TypeError: The model does not decode heatmaps.

    ``model`` predicts as that of the checkpoint, but has its batch normalisations inside of the convolutions:
    :func:`mmpose_sp.apis.model_loading.load_model` gives the network as it was trained.

    Models with another decoder than ``ImageAwareLabelSmoothing`` predict Gaussian bumps instead of scores: there is no
    posterior, the covariance is None, and the confidence is the height of the bump.
    """

    def __init__(
        self,
        config: Union[str, Path, Config],
        checkpoint: Union[str, Path, None],
        device: str = 'auto',
        detector: Union[str, Path, Detector] = 'yunet',
        detector_weights: Union[str, Path, None] = None,
        batch_size: int = 32,
        min_confidence: Optional[float] = None,
        refine: int = 1,
        cfg_options: Optional[dict] = None,
        calibration: Optional[Calibration] = None,
        rotations: Sequence[int] = (0,),
        joint: Optional[str] = None,
    ) -> None:
        super().__init__(
            detector,
            detector_weights,
            batch_size,
            usual_min_confidence(checkpoint) if min_confidence is None else min_confidence,
            refine,
            rotations,
            choose_device(device),
        )
        cfg = load_config(config, cfg_options)
        cfg.model.test_cfg = dict(cfg.model.get('test_cfg') or {}, output_covariances=True)
        model: Any = load_model(cfg, checkpoint, 'cpu')
        self.dataset_name = model.dataset_meta['dataset_name']
        self.num_landmarks = model.dataset_meta['num_keypoints']
        codec = getattr(model.head, 'decoder', None)
        if not hasattr(codec, 'heatmap_size'):
            raise TypeError(
                f'the head of this model decodes with {type(codec).__name__}, which is not a codec of heatmaps'
            )
        self.model: Any = quickened(model, codec.input_size, self.device)
        self.codec = self.model.head.decoder
        self.has_posterior = isinstance(self.codec, ImageAwareLabelSmoothing)
        if calibration is not None and not self.has_posterior:
            raise ValueError('this model predicts heatmaps that are no posterior: there is nothing to calibrate')
        if calibration is not None:
            self.codec.calibration = Calibration(*calibration).checked()
        self.calibration = getattr(self.codec, 'calibration', Calibration())
        self.joint = self.model.head.joint_of(joint) if hasattr(self.model.head, 'joint_of') else 'off'
        if joint not in (None, self.joint):
            raise ValueError(f'joint={joint!r}: this model predicts heatmaps that are no posterior')
        self.model.test_cfg['joint'] = self.joint
        joined = self.joint != 'off'
        self.tail_weight = float(self.model.head.posterior.spread[2]) if joined else self.calibration.tail_weight
        init_default_scope(cfg.get('default_scope', 'mmpose'))
        self.pipeline = Compose(cfg.test_dataloader.dataset.pipeline)

    @classmethod
    def from_packaged(cls, name: str = DEFAULT, **kwargs) -> 'FaceLandmarker':
        """A 68-landmark model that comes with mmpose_sp, for research use; see its model card beside the file.

        >>> FaceLandmarker.from_packaged('accurate')('photo.jpg')[0].faces[0].covariance.shape
        (68, 2, 2)

        Args:
            name: 'fast' (128 px) or 'accurate' (256 px).
            **kwargs: As of the class, without config and checkpoint.

        Raises:
            ValueError: There is no such model; says which there are.
        """
        return cls(*packaged_model(name), **kwargs)

    @property
    def boundaries(self) -> tuple:
        """The curves through the landmarks, for drawing."""
        return getattr(self.codec, 'boundaries', ()) or super().boundaries

    def _crop(self, image: np.ndarray, box: np.ndarray, name: str) -> dict:
        """Run the config's test pipeline on one face, as mmpose's ``inference_topdown`` does."""
        return self.pipeline(
            dict(img=image, img_path=name, bbox=box[None, :4], bbox_score=box[4:], **self.model.dataset_meta)
        )

    @torch.no_grad()
    def _find(self, crops: Sequence[dict], score_maps: bool) -> List[FaceResult]:
        self.model.test_cfg['output_heatmaps'] = score_maps
        samples = self.model.test_step(pseudo_collate(crops))
        return [self._face(sample, score_maps) for sample in samples]

    def _face(self, sample: PoseDataSample, score_maps: bool) -> FaceResult:
        """Collect one face."""
        found, covariance, joined = sample.pred_instances, None, {}
        ratio = np.asarray(sample.input_scale) / sample.input_size  # image px per input px
        if self.has_posterior:
            covariance = (found.keypoint_covariances[0] * np.outer(ratio, ratio)).astype(np.float32)
        if self.joint != 'off':
            to_image = np.column_stack([np.diag(ratio), np.zeros(2)])
            joined = dict(
                joint_covariance=transform_joint_covariance(found.joint_covariance[0], to_image).astype(np.float32),
                quality=float(found.joint_quality[0, 0]),
            )
        return FaceResult(
            landmarks=found.keypoints[0].astype(np.float32),
            confidence=np.clip(found.keypoint_scores[0], 0, 1).astype(np.float32),
            covariance=covariance,
            box=np.asarray(found.bboxes[0], dtype=np.float32),
            box_score=float(found.bbox_scores[0]),
            heatmap_to_image=heatmap_to_image(self.codec, sample.input_center, sample.input_scale),
            score_maps=sample.pred_fields.heatmaps.cpu().numpy() if score_maps else None,
            tail_weight=self.tail_weight,
            **joined,
        )

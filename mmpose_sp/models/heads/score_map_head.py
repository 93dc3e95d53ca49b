"""What every head on score maps shares: targets, accuracy, flip test and decoding."""

from typing import Dict, List, Optional, Tuple

import torch
from mmengine.structures import InstanceData, PixelData
from mmpose.models.utils.tta import flip_heatmaps
from mmpose.utils.typing import ConfigType, Features, OptSampleList, Predictions
from torch import Tensor

from mmpose_sp.faces import JOINT
from mmpose_sp.posterior import Calibration, JointPosterior, landmark_blocks


class ScoreMapMixin:
    """Training targets and predictions of a head whose output are scores of shape (B, K, h, w).

    Mixed into a :class:`mmpose.models.heads.BaseHead` that has ``decoder`` and whose
    ``forward(feats)`` gives the scores. Scores may have any sign: nothing here assumes a heatmap
    in [0, 1].
    """

    #: A landmark is found within this fraction of the map's size, as in mmpose's ``acc_pose``.
    pck_threshold = 0.05

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.posterior: Optional[JointPosterior] = None

    def _load_from_state_dict(self, state_dict: Dict[str, Tensor], prefix: str, *args) -> None:
        """Have the joint posterior that the weights come with, and calibrate the decoder by it; none without.

        This is how torch and mmengine load the weights of every module, before those of its children.
        """
        self.posterior = JointPosterior.of_state(state_dict, f'{prefix}posterior.')
        if self.posterior is not None and hasattr(self.decoder, 'calibration'):
            self.decoder.calibration = Calibration(*state_dict[f'{prefix}posterior.calibration_values'].tolist())
        super()._load_from_state_dict(state_dict, prefix, *args)

    def joint_of(self, joint: Optional[str] = None) -> str:
        """How landmarks are joined, one of :data:`JOINT`: by default as far as the weights know how.

        Raises:
            ValueError: An unknown word, or weights without a joint posterior.
        """
        if joint is None:
            return 'off' if self.posterior is None else 'offset'
        if joint not in JOINT:
            raise ValueError(f'joint must be one of {JOINT}, got {joint!r}')
        if joint != 'off' and self.posterior is None:
            raise ValueError(
                f'joint={joint!r}: these weights come without a joint posterior. Fit it by tools/posterior.py, or set '
                "joint='off'"
            )
        return joint

    @staticmethod
    def gather_labels(
        batch_data_samples: OptSampleList, device: torch.device
    ) -> Tuple[Tensor, Tensor, Optional[Tensor]]:
        """Stack the codec's targets of a batch.

        Returns:
            labels (B, K, 2) in heatmap px, weights (B, K), covariances (B, K, 2, 2) in heatmap
            px^2 or None.

        Raises:
            KeyError: if the codec of the pipeline does not give ``keypoint_labels``.
        """
        samples = [sample.gt_instance_labels for sample in batch_data_samples]
        if 'keypoint_labels' not in samples[0]:
            raise KeyError(
                'gt_instance_labels.keypoint_labels is missing: the GenerateTarget of the '
                "pipeline needs encoder=dict(type='ImageAwareLabelSmoothing', ...), the codec "
                "that the head's decoder names"
            )
        labels = torch.cat([s.keypoint_labels for s in samples]).to(device)
        if 'keypoint_weights' in samples[0]:
            weights = torch.cat([s.keypoint_weights for s in samples]).to(device)
        else:
            weights = labels.new_ones(labels.shape[:2])
        covariances = None
        if 'label_covariances' in samples[0]:
            covariances = torch.cat([s.label_covariances for s in samples]).to(device)
        return labels, weights, covariances

    @torch.no_grad()
    def pck(self, scores: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
        """Fraction of the landmarks that decode near their label (``pck_threshold``).

        Args:
            scores: (B, K, h, w).
            labels: (B, K, 2) in heatmap px.
            weights: (B, K); a landmark of weight 0 does not count.

        Returns:
            Scalar on the device of the scores; 0 if no landmark counts.
        """
        keypoints, _ = self._decode_tensors(scores)
        keypoints = keypoints.to(scores.device)
        # axis by axis: a tensor of the sizes would have to be copied to the device
        error = torch.stack(
            [
                (keypoints[..., i] + 0.5) / self.decoder.input_size[i] - (labels[..., i] + 0.5) / size
                for i, size in enumerate((scores.shape[-1], scores.shape[-2]))
            ],
            dim=-1,
        )
        counted = weights > 0
        found = (error.norm(dim=-1) < self.pck_threshold) & counted
        return found.sum() / counted.sum().clamp(min=1)

    def accuracy(self, scores: Tensor, labels: Tensor, weights: Tensor, train_cfg: Optional[ConfigType]) -> dict:
        """``dict(acc_pose=...)``; empty without a decoder or with ``compute_acc=False``."""
        batched = self.decoder is not None and self.decoder.support_batch_decoding
        if not batched or not (train_cfg or {}).get('compute_acc', True):
            return {}
        return {'acc_pose': self.pck(scores, labels, weights)}

    def predict(
        self, feats: Features, batch_data_samples: OptSampleList, test_cfg: Optional[ConfigType] = None
    ) -> Predictions:
        """Landmarks in input px, and the scores themselves with ``test_cfg.output_heatmaps``.

        Args:
            feats: Features, or with ``test_cfg.flip_test`` the two of the image and of its
                mirror image, which are averaged, see :meth:`average`.
            batch_data_samples: The flip test reads ``metainfo['flip_indices']`` of the first.
            test_cfg: flip_test, output_heatmaps, joint and output_covariances (see :meth:`decode`).

        Raises:
            ValueError: for ``shift_heatmap=True`` or another ``flip_mode`` than 'heatmap', and for a ``joint`` that
                the weights do not know.
        """
        test_cfg = test_cfg or {}
        self._check_test_cfg(test_cfg)
        if test_cfg.get('flip_test', False):
            scores, of_mirrored = (self.forward(f) for f in feats)
            flip_indices = batch_data_samples[0].metainfo['flip_indices']
            # Pixel-centred maps flip exactly: column i goes to column w - 1 - i, nothing shifts.
            mirrored = flip_heatmaps(of_mirrored, flip_indices=flip_indices, shift_heatmap=False)
            scores = self.average(scores, mirrored)
        else:
            scores = self.forward(feats)
        preds = self.decode(scores, test_cfg.get('output_covariances', False), test_cfg.get('joint'))
        if test_cfg.get('output_heatmaps', False):
            return preds, [PixelData(heatmaps=s) for s in scores.detach()]
        return preds

    def average(self, scores: Tensor, mirrored: Tensor) -> Tensor:
        """The scores (B, K, h, w) of an image and, mirrored back, of its mirror image, as one.

        Where landmarks are expectations (soft-argmax, STAR), the two distributions are averaged, hence the landmarks;
        the mean of the scores would be the geometric mean of these, which weighs an outlier by what the other map says.
        """
        if getattr(self.decoder, 'subpixel', None) != 'expectation':
            return (scores + mirrored) * 0.5
        eps = self.decoder.eps
        one, other = ((part.float() / eps).flatten(2).softmax(-1) for part in (scores, mirrored))
        mean = ((one + other) * 0.5).clamp(min=torch.finfo(one.dtype).tiny)
        return eps * mean.log().view_as(scores)

    @staticmethod
    def _check_test_cfg(test_cfg: ConfigType) -> None:
        if test_cfg.get('shift_heatmap', False):
            raise ValueError(
                'test_cfg.shift_heatmap=True would bias the flip test by half a heatmap pixel: '
                'score maps are pixel-centred and flip exactly. '
                'Set model.test_cfg.shift_heatmap=False'
            )
        if test_cfg.get('flip_mode', 'heatmap') != 'heatmap':
            raise ValueError(
                f'test_cfg.flip_mode={test_cfg["flip_mode"]!r} does not apply to score maps. '
                "Set model.test_cfg.flip_mode='heatmap'"
            )

    def decode(
        self, batch_outputs: Tensor, covariances: bool = False, joint: Optional[str] = None
    ) -> List[InstanceData]:
        """Decode (B, K, h, w) scores where they are; only a few numbers a landmark are copied.

        Args:
            batch_outputs: Scores.
            covariances: Whether to give covariances, too, where the codec knows a posterior.
            joint: ``'off'``: each landmark alone. ``'prior'``: all together, ``'offset'``: with the annotations'
                offset, see :mod:`mmpose_sp.posterior.joint`. By default what the weights come with.

        Returns:
            B :class:`InstanceData` with keypoints (1, K, 2) in input px, keypoint_scores (1, K) and
            perhaps keypoint_covariances (1, K, 2, 2) and, joined, joint_covariance (1, 2K, 2K) in input px^2 and
            joint_quality (1,), as NumPy float32.
        """
        if self.decoder is None or not self.decoder.support_batch_decoding:
            return super().decode(batch_outputs)
        joint = self.joint_of(joint)
        names = ['keypoints', 'keypoint_scores']
        if hasattr(self.decoder, 'decode_sites') and (covariances or joint != 'off'):
            values = list(self.decoder.decode_sites(batch_outputs.detach()))
            if joint != 'off':
                joined = self.posterior(values[0], values[2], joint)
                whole, quality = joined.covariance, self.posterior.quality(joined)
                values = [joined.points, values[1], landmark_blocks(whole), whole, quality[:, None]]
            extra = ['keypoint_covariances', 'joint_covariance', 'joint_quality']
            names += extra[: len(values) - 2] if covariances else []
        else:
            values = list(self._decode_tensors(batch_outputs))
        values = values[: len(names)]
        packed = torch.cat([value.flatten(1) for value in values], dim=-1).cpu()  # one copy from the device
        parts = packed.split([value[0].numel() for value in values], dim=-1)
        arrays = [part.view(value.shape).numpy()[:, None] for part, value in zip(parts, values)]
        return [InstanceData(**{name: value.copy() for name, value in zip(names, face)}) for face in zip(*arrays)]

    def _decode_tensors(self, scores: Tensor) -> Tuple[Tensor, Tensor]:
        """Keypoints (B, K, 2) in input px and confidences (B, K), float32, of any codec.

        mmpose's codecs give one NumPy array (1, K, ...) an image, ours tensors on the device of the scores.
        """
        if hasattr(self.decoder, 'decode_sites'):
            return self.decoder.decode_sites(scores.detach(), covariance=False)[:2]
        keypoints, confidence = (
            torch.stack([torch.as_tensor(value) for value in values]).float()
            for values in self.decoder.batch_decode(scores.detach())
        )
        return keypoints.view(*scores.shape[:2], 2), confidence.view(scores.shape[:2])

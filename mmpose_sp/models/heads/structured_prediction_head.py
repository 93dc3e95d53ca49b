"""A heatmap head for objectives of the scores and of the landmark's position."""

from typing import Tuple

from mmpose.models.heads import HeatmapHead
from mmpose.registry import MODELS
from mmpose.utils.typing import ConfigType, OptConfigType, OptSampleList
from torch import Tensor

from .score_map_head import ScoreMapMixin


@MODELS.register_module()
class StructuredPredictionHead(ScoreMapMixin, HeatmapHead):
    """Score maps on any backbone or neck.

    The layers are those of :class:`mmpose.models.HeatmapHead`. With its initialisation (convolutions of standard
    deviation 0.001) all scores start near 0, so that the first posterior over the pixels is uniform.

    Args:
        args, options: As :class:`mmpose.models.HeatmapHead` takes them. Without a ``decoder``, a codec such as
            ``ImageAwareLabelSmoothing``, the head trains, but does not predict.
        loss: A loss with ``forward(scores, labels, weights, covariances)``: ``StructuredPredictionLoss`` or one of the
            baselines.
    """

    def __init__(self, *args, loss: ConfigType = dict(type='StructuredPredictionLoss'), **options):  # noqa: B006, C408
        super().__init__(*args, loss=loss, **options)

    def loss(
        self, feats: Tuple[Tensor, ...], batch_data_samples: OptSampleList, train_cfg: OptConfigType = None
    ) -> dict:
        """Loss ``loss_kpt`` and, with a decoder, the accuracy ``acc_pose``.

        Args:
            feats: Feature maps of the backbone or neck; the last one is used.
            batch_data_samples: Samples with gt_instance_labels as the codec encodes them.
            train_cfg: ``compute_acc=False`` leaves the accuracy (PCK at 0.05 of the map) out.
        """
        scores = self.forward(feats)
        labels, weights, covariances = self.gather_labels(batch_data_samples, scores.device)
        losses = {'loss_kpt': self.loss_module(scores, labels, weights, covariances)}
        losses.update(self.accuracy(scores, labels, weights, train_cfg))
        return losses

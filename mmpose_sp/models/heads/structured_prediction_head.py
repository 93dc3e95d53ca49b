"""A heatmap head for objectives of the scores and of the landmark's position."""

from typing import Optional, Sequence, Tuple, Union

from mmpose.models.heads import HeatmapHead
from mmpose.registry import MODELS
from mmpose.utils.typing import ConfigType, OptConfigType, OptSampleList
from torch import Tensor

from .score_map_head import ScoreMapMixin


@MODELS.register_module()
class StructuredPredictionHead(ScoreMapMixin, HeatmapHead):
    """Score maps on any backbone or neck.

    The layers are those of :class:`mmpose.models.HeatmapHead`. With its initialisation
    (convolutions of standard deviation 0.001) all scores start near 0, so that the first
    posterior over the pixels is uniform.

    Args:
        in_channels: Channels of the last feature map.
        out_channels: Number of landmarks K.
        deconv_out_channels: See :class:`mmpose.models.HeatmapHead`.
        deconv_kernel_sizes: As above.
        conv_out_channels: As above.
        conv_kernel_sizes: As above.
        final_layer: Arguments of the last convolution, kernel size 1 if not
            given there.
        loss: A loss with ``forward(scores, labels, weights, covariances)``:
            ``StructuredPredictionLoss`` (default) or one of the baselines.
        decoder: A codec, e.g. ``ImageAwareLabelSmoothing``. Without one the
            head trains, but does not predict.
        init_cfg: See :class:`mmpose.models.HeatmapHead`.
    """

    def __init__(
        self,
        in_channels: Union[int, Sequence[int]],
        out_channels: int,
        deconv_out_channels: Optional[Sequence[int]] = (256, 256, 256),
        deconv_kernel_sizes: Optional[Sequence[int]] = (4, 4, 4),
        conv_out_channels: Optional[Sequence[int]] = None,
        conv_kernel_sizes: Optional[Sequence[int]] = None,
        final_layer: OptConfigType = dict(kernel_size=1),  # noqa: B006, C408
        loss: ConfigType = dict(type='StructuredPredictionLoss'),  # noqa: B006, C408
        decoder: OptConfigType = None,
        init_cfg: OptConfigType = None,
    ):
        super().__init__(
            in_channels=in_channels,
            out_channels=out_channels,
            deconv_out_channels=deconv_out_channels,
            deconv_kernel_sizes=deconv_kernel_sizes,
            conv_out_channels=conv_out_channels,
            conv_kernel_sizes=conv_kernel_sizes,
            final_layer=final_layer,
            loss=loss,
            decoder=decoder,
            init_cfg=init_cfg,
        )

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

"""Losses and predictions of the stacked hourglass network with attention."""

from typing import List, Optional, Sequence, Tuple

import torch
from mmpose.models.heads import BaseHead
from mmpose.registry import KEYPOINT_CODECS, MODELS
from mmpose.utils.typing import ConfigType, OptConfigType, OptSampleList
from torch import Tensor

from ..gaussian_maps import gaussian_maps
from .score_map_head import ScoreMapMixin


def log_posterior(heatmaps: Tensor) -> Tensor:
    """Scores whose softmax is the non-negative heatmap divided by its sum.

    A map whose sum is below 1e-6 is filled up to it evenly, so that its expectation tends to the
    centre and not to noise. ADNet and STAR divide by no less than 1e-6, which is the same.

    Args:
        heatmaps: (B, K, h, w), not negative.

    Returns:
        (B, K, h, w), float32 or float64.
    """
    heat = heatmaps if heatmaps.dtype == torch.float64 else heatmaps.float()
    lacking = (1e-6 - heat.sum(dim=(-2, -1), keepdim=True)).clamp(min=0)
    heat = heat + lacking / (heat.shape[-2] * heat.shape[-1])
    return heat.clamp(min=1e-20).log()


@MODELS.register_module()
class AttentiveHourglassHead(ScoreMapMixin, BaseHead):
    """Head of :class:`mmpose_sp.models.AttentiveHourglass`; it has no parameters of its own.

    The total loss is Eq. A14 summed over the stacks: dense losses on points and edges plus
    lambda (the ``loss_weight`` of ``loss``) times the loss on the scores. The stacks weigh
    ..., 1/4, 1/2, 1.

    Args:
        loss: A loss with ``forward(scores, labels, weights, covariances)``:
            ``StructuredPredictionLoss`` (default) or one of the baselines.
        point_loss: A loss with ``forward(maps, targets)``; None leaves the
            points to what the scores teach them. Weigh it with its ``loss_weight``.
        edge_loss: As ``point_loss``, against the codec's ``edge_heatmaps``.
        stack_weights: One weight a stack, from the first to the last.
        point_sigma: Standard deviation of the Gaussian point targets in heatmap px. The
            default is what ADNet's and STAR's targets (1.5 input px, then reduced to a quarter)
            measure on the map.
        log_heatmaps: The backbone gives non-negative heatmaps (``score_norm=
            'instance_relu'``). Their logarithms are the scores, so that the posterior
            softmax(scores) is the heatmap divided by its sum, as ADNet and STAR have it.
        decoder: A codec, e.g. ``ImageAwareLabelSmoothing``. Without one the
            head trains, but does not predict.
        init_cfg: See :class:`mmengine.model.BaseModule`.
    """

    def __init__(
        self,
        loss: ConfigType = dict(type='StructuredPredictionLoss'),  # noqa: B006, C408
        point_loss: OptConfigType = dict(type='AWingLoss'),  # noqa: B006, C408
        edge_loss: OptConfigType = dict(type='AWingLoss'),  # noqa: B006, C408
        stack_weights: Optional[Sequence[float]] = None,
        point_sigma: float = 0.4,
        log_heatmaps: bool = False,
        decoder: OptConfigType = None,
        init_cfg: OptConfigType = None,
    ):
        super().__init__(init_cfg)
        self.loss_module = MODELS.build(loss)
        self.point_loss = MODELS.build(point_loss) if point_loss else None
        self.edge_loss = MODELS.build(edge_loss) if edge_loss else None
        self.stack_weights = stack_weights
        self.point_sigma = point_sigma
        self.log_heatmaps = log_heatmaps
        self.decoder = KEYPOINT_CODECS.build(decoder) if decoder else None

    def forward(self, feats: Sequence[Tuple[Tensor, ...]]) -> Tensor:
        """Scores (B, K, h, w) of the last stack."""
        return self._scores(feats[-1])

    def _scores(self, stack: Tuple[Tensor, ...]) -> Tensor:
        return log_posterior(stack[0]) if self.log_heatmaps else stack[0]

    def loss(
        self, feats: Sequence[Tuple[Tensor, ...]], batch_data_samples: OptSampleList, train_cfg: OptConfigType = None
    ) -> dict:
        """Losses ``loss_kpt``, with attention ``loss_point`` and ``loss_edge``, and ``acc_pose``.

        Args:
            feats: The backbone's tuple of (scores, points, edges) of each stack.
            batch_data_samples: Samples with gt_instance_labels as the codec encodes them, and
                ``gt_fields.edge_heatmaps`` for the edge loss.
            train_cfg: ``compute_acc=False`` leaves the accuracy out.

        Raises:
            KeyError: if a target of the codec is missing.
            ValueError: if there are not as many stack weights or edge maps as predictions.
        """
        stack_weights = self._stack_weights(len(feats))
        scores = self.forward(feats)
        labels, weights, covariances = self.gather_labels(batch_data_samples, scores.device)

        losses = {
            'loss_kpt': sum(
                w * self.loss_module(self._scores(stack), labels, weights, covariances)
                for w, stack in zip(stack_weights, feats)
            )
        }
        if len(feats[-1]) > 1:
            if self.point_loss is not None:
                targets = self._point_targets(labels, weights, scores)
                losses['loss_point'] = sum(
                    w * self.point_loss(stack[1], self._ignore(targets, stack[1], weights))
                    for w, stack in zip(stack_weights, feats)
                )
            if self.edge_loss is not None:
                targets = self._edge_targets(batch_data_samples, feats[-1][2])
                losses['loss_edge'] = sum(
                    w * self.edge_loss(stack[2], targets) for w, stack in zip(stack_weights, feats)
                )
        losses.update(self.accuracy(scores, labels, weights, train_cfg))
        return losses

    def _stack_weights(self, num_stacks: int) -> List[float]:
        if self.stack_weights is None:
            return [0.5 ** (num_stacks - 1 - i) for i in range(num_stacks)]
        if len(self.stack_weights) != num_stacks:
            raise ValueError(
                f'stack_weights has {len(self.stack_weights)} weights, but the backbone has num_stacks={num_stacks}'
            )
        return list(self.stack_weights)

    def _point_targets(self, labels: Tensor, weights: Tensor, scores: Tensor) -> Tensor:
        # A landmark without weight may have NaN for a label.
        labels = torch.where((weights > 0)[..., None], labels, torch.zeros_like(labels))
        return gaussian_maps(labels, scores.shape[-2:], self.point_sigma)

    @staticmethod
    def _ignore(targets: Tensor, maps: Tensor, weights: Tensor) -> Tensor:
        """Targets, but the prediction itself (no loss, no gradient) for weightless landmarks."""
        counted = (weights > 0)[:, :, None, None]
        return torch.where(counted, targets, maps.detach().to(targets.dtype))

    @staticmethod
    def _edge_targets(batch_data_samples: OptSampleList, edges: Tensor) -> Tensor:
        if 'edge_heatmaps' not in batch_data_samples[0].get('gt_fields', {}):
            raise KeyError(
                'gt_fields.edge_heatmaps is missing: set edge_maps=True in the codec '
                'of GenerateTarget, or edge_loss=None in the head'
            )
        targets = torch.stack([s.gt_fields.edge_heatmaps for s in batch_data_samples])
        if targets.shape[1:] != edges.shape[1:]:
            raise ValueError(
                f'gt_fields.edge_heatmaps of shape {tuple(targets.shape[1:])} do not fit the '
                f"backbone's edges {tuple(edges.shape[1:])}: the backbone's `edges` and the "
                "codec's `boundaries` and `heatmap_size` must agree"
            )
        return targets.to(edges.device)

from typing import Optional

import torch
from mmpose.registry import MODELS
from torch import Tensor

from mmpose_sp.posterior.moments import (
    NORMALIZATIONS,
    expected_position,
    heatmap_distribution,
    position_covariance,
    symmetric_eig_2x2,
)
from mmpose_sp.structured.grid import check_choice, compute_dtype, normalize_points
from mmpose_sp.structured.objective import REGRESSIONS, distance

from .landmark_loss import LandmarkLoss


@MODELS.register_module()
class STARLoss(LandmarkLoss):
    """Baseline: STAR loss, version 2, in [-1, 1] coordinates at pixel centres.

    `STAR Loss: Reducing Semantic Ambiguity in Facial Landmark Detection`, Zhou et al., CVPR 2023
    (github.com/ZhenglinZhou/STAR). The error of the soft-argmax position is split along the principal axes of the
    heatmap, each part divided by the standard deviation there; the sum of the eigenvalues keeps them small.

    Unlike the original, the eigen-decomposition stays on the device and its gradient is finite for round heatmaps.

    Args:
        omega: weight of the sum of eigenvalues.
        kind: distance of each part: ``'smooth_l1'``, ``'l1'`` or ``'l2'`` (squared).
        s: threshold of smooth l1.
        eps: added to the eigenvalues and to the normalisers of the covariance.
        normalization: ``'softmax'`` or ``'instance_norm_relu'`` (the original network's).
        num_samples, loss_weight, seed: see :class:`LandmarkLoss`.
    """

    def __init__(
        self,
        omega: float = 1.0,
        kind: str = 'smooth_l1',
        s: float = 0.01,
        eps: float = 1e-5,
        normalization: str = 'softmax',
        num_samples: int = 10,
        loss_weight: float = 1.0,
        seed: Optional[int] = None,
    ):
        super().__init__(num_samples, loss_weight, seed)
        check_choice('kind', kind, REGRESSIONS)
        check_choice('normalization', normalization, NORMALIZATIONS)
        self.omega, self.kind, self.s, self.eps, self.normalization = omega, kind, s, eps, normalization

    def landmark_loss(self, scores: Tensor, labels: Tensor) -> Tensor:
        heatmaps = heatmap_distribution(scores.to(compute_dtype(scores)), self.normalization)
        mean = expected_position(heatmaps)
        values, axes = symmetric_eig_2x2(position_covariance(heatmaps, mean, self.eps))
        error = normalize_points(labels, scores.shape[-2:]) - mean.unsqueeze(2)
        along = error @ axes.transpose(-1, -2)  # (B, K, S, 2), the part along each axis
        parts = distance(along, torch.zeros_like(along), self.kind, 'l1', self.s)
        # rounding may leave a tiny negative eigenvalue on a map of one peak
        scaled = parts / (values.clamp(min=0) + self.eps).sqrt().unsqueeze(2)
        return scaled.sum(-1).mean(-1) + self.omega * values.abs().sum(-1)

    def extra_repr(self) -> str:
        return (
            f'omega={self.omega}, kind={self.kind}, s={self.s}, normalization={self.normalization}, '
            f'{super().extra_repr()}'
        )

from typing import Optional

import torch.nn.functional as F
from mmpose.registry import MODELS
from torch import Tensor

from mmpose_sp.structured.grid import compute_dtype

from ..gaussian_maps import gaussian_factors
from .landmark_loss import LandmarkLoss


@MODELS.register_module()
class KeypointGaussianMSELoss(LandmarkLoss):
    """Baseline: mean squared error to Gaussian heatmaps (Eq. 2), made from the labels on the device.

    A target is ``exp(-|p - y|^2 / (2 sigma^2))``, of peak 1 at the sub-pixel label, not cut off. With weights of 1 the
    value is that of mmpose's ``KeypointMSELoss`` on these targets.

    Args:
        sigma: width of the Gaussian in heatmap px.
        num_samples, loss_weight, seed: see :class:`LandmarkLoss`.
    """

    def __init__(self, sigma: float = 2.0, num_samples: int = 10, loss_weight: float = 1.0, seed: Optional[int] = None):
        super().__init__(num_samples, loss_weight, seed)
        if not sigma > 0:
            raise ValueError(f'sigma={sigma}: the width of the Gaussian must be positive')
        self.sigma = sigma

    def landmark_loss(self, scores: Tensor, labels: Tensor) -> Tensor:
        scores = scores.to(compute_dtype(scores))
        rows, columns = gaussian_factors(labels, scores.shape[-2:], self.sigma)
        # mean_s (H - G_s)^2 = (H - mean G)^2 + variance of G: no tensor of S x h x w
        mean = rows.transpose(-1, -2) @ columns / labels.shape[2]
        loss = F.mse_loss(scores, mean, reduction='none').mean((-2, -1))
        if labels.shape[2] > 1:
            power = columns.square().mean(-1) * rows.square().mean(-1)
            loss = loss + power.mean(-1) - mean.square().mean((-2, -1))
        return loss

    def extra_repr(self) -> str:
        return f'sigma={self.sigma}, {super().extra_repr()}'

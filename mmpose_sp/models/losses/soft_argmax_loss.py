from typing import Optional

from mmpose.registry import MODELS
from torch import Tensor

from mmpose_sp.posterior.moments import expected_position, heatmap_distribution
from mmpose_sp.structured.grid import check_choice, compute_dtype, normalize_points
from mmpose_sp.structured.objective import NORMS, REGRESSIONS, distance

from .landmark_loss import LandmarkLoss


@MODELS.register_module()
class SoftArgmaxLoss(LandmarkLoss):
    """Baseline: a regression loss on the soft-argmax position (Eq. 3 and 4), in [-1, 1] coordinates.

    Args:
        kind: ``'l2'`` (squared, Eq. 4), ``'smooth_l1'`` or ``'l1'``.
        norm: ``'l2'`` or ``'l1'``, for the last two.
        s: threshold of smooth l1.
        num_samples, loss_weight, seed: see :class:`LandmarkLoss`.
    """

    def __init__(
        self,
        kind: str = 'l2',
        norm: str = 'l2',
        s: float = 0.01,
        num_samples: int = 10,
        loss_weight: float = 1.0,
        seed: Optional[int] = None,
    ):
        super().__init__(num_samples, loss_weight, seed)
        check_choice('kind', kind, REGRESSIONS)
        check_choice('norm', norm, NORMS)
        self.kind, self.norm, self.s = kind, norm, s

    def landmark_loss(self, scores: Tensor, labels: Tensor) -> Tensor:
        heatmaps = heatmap_distribution(scores.to(compute_dtype(scores)))
        error = expected_position(heatmaps).unsqueeze(2) - normalize_points(labels, scores.shape[-2:])
        return distance(error[..., 0], error[..., 1], self.kind, self.norm, self.s).mean(-1)

    def extra_repr(self) -> str:
        return f'kind={self.kind}, norm={self.norm}, s={self.s}, {super().extra_repr()}'

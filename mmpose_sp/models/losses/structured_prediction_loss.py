from typing import Optional

from mmpose.registry import MODELS
from torch import Tensor

from mmpose_sp.structured import Objective, fast_structured_loss

from .landmark_loss import LandmarkLoss


@MODELS.register_module()
class StructuredPredictionLoss(LandmarkLoss):
    """The paper's objective: Eq. 11 with the margin of Eq. 12, averaged over label samples (Eq. 13).

    `Heatmap Regression without Soft-Argmax for Facial Landmark Detection`, Yang and Yeh. Convex in the scores.
    ``alpha=0`` (or ``margin='none'``) is the cross-entropy at the label with temperature ``eps``.

    Args:
        eps: temperature; 0 is the structured hinge (maximum instead of log-sum-exp).
        alpha: weight of the margin.
        s: threshold of the smooth l1 margin, in [-1, 1] coordinates.
        margin: ``'none'``, ``'l1'``, ``'l2'`` (squared) or ``'smooth_l1'``.
        norm: ``'l1'`` (as printed in Eq. 12; the fast one) or ``'l2'`` (Euclidean) in the l1 and smooth l1 margins.
        rounded_label: use the pixel nearest to the label (sample) instead of interpolating the scores there.
        num_samples, loss_weight, seed: see :class:`LandmarkLoss`.
    """

    def __init__(
        self,
        eps: float = 1.0,
        alpha: float = 1.0,
        s: float = 0.01,
        margin: str = 'smooth_l1',
        norm: str = 'l1',
        rounded_label: bool = False,
        num_samples: int = 10,
        loss_weight: float = 1.0,
        seed: Optional[int] = None,
    ):
        super().__init__(num_samples, loss_weight, seed)
        self.objective = Objective(eps, alpha, s, margin, norm, rounded_label)

    def landmark_loss(self, scores: Tensor, labels: Tensor) -> Tensor:
        return fast_structured_loss(scores, labels, self.objective)

    def extra_repr(self) -> str:
        return f'{self.objective}, {super().extra_repr()}'

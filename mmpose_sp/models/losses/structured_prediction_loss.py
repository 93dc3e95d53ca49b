from typing import Optional

from mmpose.registry import MODELS
from torch import Tensor

from mmpose_sp.structured import Objective, fast_structured_loss, score_at
from mmpose_sp.structured.grid import check_choice, compute_dtype, round_points

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
        margin_at: ``'sample'``: a label sample moves the margin and the score that is raised, as Eq. 13 is printed.
            ``'label'``: the margin stays at the annotated label, only the score is that of the sample.
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
        margin_at: str = 'sample',
    ):
        super().__init__(num_samples, loss_weight, seed)
        check_choice('margin_at', margin_at, ('sample', 'label'))
        self.wants_label = margin_at == 'label'
        self.objective = Objective(eps, alpha, s, margin, norm, rounded_label)

    def landmark_loss(self, scores: Tensor, labels: Tensor) -> Tensor:
        if not self.wants_label or labels.shape[2] == 1:
            return fast_structured_loss(scores, labels, self.objective)
        if self.objective.rounded_label:
            labels = round_points(labels, scores.shape[-2:])
        raised = score_at(scores.to(compute_dtype(scores)), labels)
        loss = fast_structured_loss(scores, labels[:, :, :1], self.objective)
        return loss + raised[..., 0] - raised[..., 1:].mean(-1)

    def extra_repr(self) -> str:
        return f'{self.objective}, {super().extra_repr()}'

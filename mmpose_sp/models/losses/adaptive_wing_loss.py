import math

import torch
import torch.nn.functional as F
from mmpose.registry import MODELS
from torch import Tensor, nn


@MODELS.register_module()
class AWingLoss(nn.Module):
    """Adaptive wing loss on dense maps with its weight map, for the points and edges of the attention branch.

    `Adaptive Wing Loss for Robust Face Alignment via Heatmap Regression`, Wang et al., ICCV 2019. mmpose's
    ``AdaptiveWingLoss`` is this one without the weight map (``foreground_weight=0``).

    Args:
        alpha: the power of the error is ``alpha - target``: 2.1 at the background, 1.1 at a peak, where small errors
            then have a larger gradient.
        omega: factor on the loss of small errors, ``omega * log(1 + (error / epsilon) ** (alpha - target))``.
        epsilon: scale of the error in it; the smaller, the larger the gradient of small errors.
        theta: error, in units of the target, from which on the loss goes on as a straight line.
        foreground_weight: pixels whose 3 x 3 neighbourhood in the target reaches ``foreground_threshold`` count
            ``1 + foreground_weight`` times; 0 turns the map off.
        foreground_threshold: see above.
        loss_weight: factor on the loss.
    """

    def __init__(
        self,
        alpha: float = 2.1,
        omega: float = 14.0,
        epsilon: float = 1.0,
        theta: float = 0.5,
        foreground_weight: float = 10.0,
        foreground_threshold: float = 0.2,
        loss_weight: float = 1.0,
    ):
        super().__init__()
        self.alpha, self.omega, self.epsilon, self.theta = alpha, omega, epsilon, theta
        self.foreground_weight, self.foreground_threshold = foreground_weight, foreground_threshold
        self.loss_weight = loss_weight

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        """
        Args:
            pred: (B, C, h, w).
            target: (B, C, h, w) in [0, 1].

        Returns:
            Scalar, float32 (float64 for float64 maps): the mean over all pixels, 0 of none.

        Raises:
            ValueError: ``pred`` and ``target`` differ in shape.
        """
        if pred.shape != target.shape:
            raise ValueError(f'pred {tuple(pred.shape)} and target {tuple(target.shape)} differ in shape')
        with torch.autocast(pred.device.type, enabled=False):
            dtype = torch.promote_types(pred.dtype, torch.float32)
            pred, target = pred.to(dtype), target.detach().to(dtype)
            ratio = self.theta / self.epsilon
            power = self.alpha - target
            raised = (power * math.log(ratio)).exp()  # ratio ** power
            slope = self.omega * power * raised / (1 + raised) / self.theta
            offset = self.theta * slope - self.omega * raised.log1p()
            error = (pred - target).abs()
            loss = torch.where(
                error < self.theta, self.omega * (error / self.epsilon).pow(power).log1p(), slope * error - offset
            )
            if self.foreground_weight and target.numel():  # max_pool2d refuses maps of no landmark
                near = F.max_pool2d(target, 3, stride=1, padding=1) >= self.foreground_threshold
                loss = loss * (1 + self.foreground_weight * near)
            return self.loss_weight * loss.sum() / max(1, loss.numel())

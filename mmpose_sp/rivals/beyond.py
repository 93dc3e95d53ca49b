"""What the paper does not have, tried with its objective: the expected error, the error of landmarks joined while they
train, coarser maps, a temperature that falls. What they bring is in docs/heads.md.
"""

from dataclasses import replace
from typing import Any, Optional

import torch
from mmengine.logging import MessageHub
from mmpose.registry import MODELS
from torch import Tensor

from mmpose_sp.models.losses import StructuredPredictionLoss
from mmpose_sp.posterior.moments import first_moment, second_moment
from mmpose_sp.structured.grid import compute_dtype, normalize_points, pixel_centres

FLOOR = 0.05  # map px^2, of the covariance of a site and of the prior
WARM_UP = 500  # faces that the prior has to see first


@MODELS.register_module()
class ExpectedErrorLoss(StructuredPredictionLoss):
    """Eq. 11-13 plus ``E_p |y - y*|``, the mean l1 distance to the label in [-1, 1] under p = softmax(F / eps).

    Args:
        risk_weight: Of the second term.
        options: See :class:`StructuredPredictionLoss`.
    """

    def __init__(self, risk_weight: float, **options: Any) -> None:
        super().__init__(**options)
        self.risk_weight = risk_weight

    def landmark_loss(self, scores: Tensor, labels: Tensor) -> Tensor:
        return super().landmark_loss(scores, labels) + self.risk_weight * self.expected_error(scores, labels)

    def expected_error(self, scores: Tensor, labels: Tensor) -> Tensor:
        """(B, K) for scores (B, K, h, w) and label samples (B, K, S, 2) in map px."""
        scores = scores.to(compute_dtype(scores)) / self.objective.eps
        maps = scores.flatten(-2).softmax(-1).view_as(scores)
        at = normalize_points(labels, scores.shape[-2:])
        parts = []
        for axis, summed, size in ((0, -2, scores.shape[-1]), (1, -1, scores.shape[-2])):
            distance = (pixel_centres(size, maps) - at[..., axis, None]).abs().mean(dim=2)
            parts.append((maps.sum(summed) * distance).sum(-1))
        return parts[0] + parts[1]


@MODELS.register_module()
class JointGaussianLoss(StructuredPredictionLoss):
    """Eq. 11-13 plus the log loss of a face's labels under its joint Gaussian, a landmark.

    Sites are the means and covariances of the score maps; the prior is that of the labels seen so far, augmented as
    they are; errors count as independent. Faces with a landmark of weight 0 have no second term.

    Args:
        num_landmarks: K.
        joint_weight: Of the second term.
        options: See :class:`StructuredPredictionLoss`.
    """

    seen: Tensor
    total: Tensor
    outer: Tensor

    def __init__(self, num_landmarks: int, joint_weight: float, **options: Any) -> None:
        super().__init__(**options)
        self.joint_weight = joint_weight
        size = 2 * num_landmarks
        for name, shape in (('seen', ()), ('total', (size,)), ('outer', (size, size))):
            self.register_buffer(name, torch.zeros(shape, dtype=torch.float64))

    def forward(
        self, scores: Tensor, labels: Tensor, weights: Optional[Tensor] = None, covariances: Optional[Tensor] = None
    ) -> Tensor:
        """See :meth:`LandmarkLoss.forward`."""
        loss = super().forward(scores, labels, weights, covariances)
        whole = torch.ones_like(labels[..., 0]) if weights is None else weights
        complete = (whole > 0).all(dim=1)
        faces = labels[complete].detach().double().flatten(1)
        with torch.no_grad():
            self.seen += len(faces)
            self.total += faces.sum(dim=0)
            self.outer += faces.T @ faces
        if self.seen < WARM_UP or not len(faces):
            return loss
        return loss + self.joint_weight * self.log_loss(scores[complete], faces).to(loss.dtype)

    def log_loss(self, scores: Tensor, faces: Tensor) -> Tensor:
        """Scalar, nats a landmark, of faces (B, 2K) in map px whose scores are (B, K, h, w)."""
        scores = scores.double() / self.objective.eps
        maps = scores.flatten(-2).softmax(-1).view_as(scores)
        x, y = (torch.arange(size, dtype=maps.dtype, device=maps.device) for size in (maps.shape[-1], maps.shape[-2]))
        points = first_moment(maps, x, y)
        unit = torch.eye(faces.shape[1], dtype=maps.dtype, device=maps.device)
        noise = second_moment(maps, points, x, y) + FLOOR * unit[:2, :2]
        mean = self.total / self.seen
        prior = self.outer / self.seen - torch.outer(mean, mean) + FLOOR * unit
        weights = torch.stack([torch.block_diag(*blocks) for blocks in torch.linalg.inv(noise)])
        precision = torch.linalg.inv(prior) + weights
        root = torch.linalg.cholesky(precision)
        pull = weights @ (points.flatten(1) - mean)[..., None]
        error = (faces - mean)[..., None] - torch.cholesky_solve(pull, root)
        squared = (root.mT @ error).square().sum(dim=(1, 2)) / 2
        return (squared - root.diagonal(dim1=-2, dim2=-1).log().sum(-1)).mean() / (faces.shape[1] // 2)


@MODELS.register_module()
class PyramidLoss(StructuredPredictionLoss):
    """Eq. 11-13 on the score map and on coarser ones, averaged: supervision at several scales.

    The score of a block of 2 x 2 pixels is ``eps log sum exp(F / eps)`` over them, its posterior the sum of theirs.

    Args:
        levels: Maps in all, each of half the side of the one before.
        options: See :class:`StructuredPredictionLoss`.
    """

    def __init__(self, levels: int, **options: Any) -> None:
        super().__init__(**options)
        self.levels = levels

    def landmark_loss(self, scores: Tensor, labels: Tensor) -> Tensor:
        loss = super().landmark_loss(scores, labels)
        for _ in range(1, self.levels):
            scores, labels = self.halved(scores), (labels + 0.5) / 2 - 0.5
            loss = loss + super().landmark_loss(scores, labels)
        return loss / self.levels

    def halved(self, scores: Tensor) -> Tensor:
        """(B, K, h / 2, w / 2) of scores (B, K, h, w)."""
        blocks = scores.to(compute_dtype(scores)).unflatten(-1, (-1, 2)).unflatten(-3, (-1, 2))
        return self.objective.eps * torch.logsumexp(blocks / self.objective.eps, dim=(-3, -1))


@MODELS.register_module()
class AnnealedLoss(StructuredPredictionLoss):
    """Eq. 11-13 with a temperature that falls from ``first`` to ``eps``, by the same factor in every step: from the
    smooth maximum of Eq. 10 towards the hinge of Eq. 9.

    Args:
        first: Temperature of the first step.
        options: See :class:`StructuredPredictionLoss`; ``eps`` is that of the last step, and of what reads the scores.
    """

    def __init__(self, first: float, **options: Any) -> None:
        super().__init__(**options)
        self.first, self.last = first, self.objective.eps

    def landmark_loss(self, scores: Tensor, labels: Tensor) -> Tensor:
        hub = MessageHub.get_current_instance()
        done = hub.get_info('iter', 0) / hub.get_info('max_iters', 1)
        self.objective = replace(self.objective, eps=self.first ** (1 - done) * self.last**done)
        return super().landmark_loss(scores, labels)

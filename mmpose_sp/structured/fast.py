"""The structured loss, exact and fast: what training runs. Equal to :func:`~.objective.structured_loss`.

With P = softmax(F / eps) over the pixels and D = exp(Delta(y, .) / eps), Eq. 11 and its gradient are::

    L = eps log sum exp((Delta + F) / eps) - F[y] = eps (log <D, P> - log P[y]),    dL/dF = P D / <D, P> - dF[y]/dF.

- P takes one exponential per pixel, for all samples of a landmark together.
- An l1 margin is a function of x plus one of y, as the squared one is: D = a b^T is an outer product. For S samples,
  <D_s, P> = a_s^T P b_s and sum_s c_s D_s are matrix products, and no tensor of S x h x w exists.
- Smooth l1 is l1 - 0.5 s but for the pixels nearer than s. If s is no longer than a pixel, these are among the four
  around the label: what D differs by there is added to <D, P> and to the gradient.
- The Euclidean margin, and smooth l1 with a larger s, build D itself (:mod:`.exponential_margin`). Where exp(Delta/eps)
  would overflow, each sample has its own exponentials (:mod:`.small_eps`). Both do so for a few maps at a time.

The gradient is made along with the value, while its maps are in the cache; the backward pass only scales it.
"""

from typing import Any, Callable, Optional, Tuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from .exponential_margin import ExponentialMargin
from .grid import bilinear_taps, compute_dtype, full_precision, round_points, slices
from .objective import PAPER, Objective
from .small_eps import augmented_maximum


def fast_structured_loss(scores: Tensor, labels: Tensor, objective: Objective = PAPER) -> Tensor:
    """Eq. 11 (...) of scores (..., h, w) and labels (..., S, 2): see :func:`~.objective.structured_loss`."""
    lead, size = scores.shape[:-2], scores.shape[-2:]
    if labels.shape[:-2] != lead or labels.shape[-1:] != (2,):
        raise ValueError(f'labels {tuple(labels.shape)} do not fit scores {tuple(scores.shape)}: expected (..., S, 2)')
    points = labels.detach().to(compute_dtype(scores)).reshape(lead.numel(), *labels.shape[-2:])
    with_grad = torch.is_grad_enabled() and scores.requires_grad
    apply: Callable[..., Tensor] = FastLoss.apply
    return apply(scores.reshape(-1, *size), points, objective, with_grad).view(lead)


class FastLoss(torch.autograd.Function):
    """:func:`loss_and_gradient`, for autograd."""

    @staticmethod
    def forward(ctx: Any, scores: Tensor, labels: Tensor, objective: Objective, with_grad: bool) -> Tensor:
        ctx.save_for_backward(*((scores, labels) if with_grad else ()))
        ctx.objective = objective
        loss, ctx.grad = loss_and_gradient(scores, labels, objective, with_grad)
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_output: Tensor) -> Tuple[Optional[Tensor], ...]:
        scores, labels = ctx.saved_tensors
        grad, ctx.grad = ctx.grad, None  # given away, for memory; a second pass through a retained graph makes its own
        if grad is None:
            grad = loss_and_gradient(scores, labels, ctx.objective, True)[1]
        return grad.mul_(grad_output[:, None, None]).to(scores.dtype), None, None, None


def loss_and_gradient(
    scores: Tensor, labels: Tensor, objective: Objective, with_grad: bool
) -> Tuple[Tensor, Optional[Tensor]]:
    """Loss (N,) of scores (N, h, w) and labels (N, S, 2), and the gradient (N, h, w) of its sum."""
    size, eps = scores.shape[1:], objective.eps
    labels = round_points(labels, size) if objective.rounded_label else labels
    with full_precision(scores.device):
        peak = scores.flatten(1).amax(1).to(labels.dtype)[:, None, None]  # relative to it, large scores lose no digits
        index, weight = bilinear_taps(labels, size)
        taps = scores.flatten(1).gather(1, index.flatten(1)).to(labels.dtype).view_as(weight) - peak
        at_label = (torch.where(weight > 0, taps, 0.0) * weight).sum(-1).mean(1)
        grad = labels.new_empty(scores.shape) if with_grad else None
        targets = labels[:, :1] if objective.flat else labels  # without a margin all samples share one maximum
        margin = ExponentialMargin(targets, size, objective)
        near, maximum = margin.near(index, taps), targets.new_empty(targets.shape[:2])
        parts = slices(len(scores), max(margin.numel, size.numel()), scores.device)
        buffer = labels.new_empty(parts[0].stop if parts else 0, size.numel())  # new pages cost more than the softmax
        for part in parts:
            maps = scores[part].to(labels.dtype)
            if margin.steep:
                maximum[part], posterior = augmented_maximum(maps - peak[part], targets[part], objective)
                if grad is not None:
                    grad[part] = posterior
                continue
            maps = maps if eps == 1 else (maps - peak[part]) / eps
            posterior = torch.softmax(maps.flatten(1), 1, out=buffer[: len(maps)])
            top, posterior = posterior.amax(1, keepdim=True), posterior.view_as(maps)
            lifted = margin.maps(part)
            sums = lifted.expectation(posterior) / top  # of exp((Delta + F - peak) / eps)
            if near is not None:
                sums += near[part].sum(-1)
                near[part] /= sums.unsqueeze(-1)
            maximum[part] = eps * sums.log() + margin.constant
            if grad is not None:
                lifted.weighted_sum(1 / (sums * top * sums.shape[1]), out=grad[part])
                grad[part] *= posterior
        if grad is not None:
            pull = -weight if near is None else near - weight
            grad.flatten(1).scatter_add_(1, index.flatten(1), pull.flatten(1) / labels.shape[1])
        return maximum.mean(1) - at_label, grad

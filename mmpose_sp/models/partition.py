"""The computation behind :func:`mmpose_sp.models.functional.structured_loss`: exact, fast, and numerically safe."""
from contextlib import contextmanager
from typing import NamedTuple, Optional, Tuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from .geometry import (
    MARGINS,
    NORMS,
    bilinear_taps,
    check_choice,
    compute_dtype,
    distance,
    label_margin,
    normalize_points,
    pixel_centres,
)


class Objective(NamedTuple):
    """The options of Eq. 11 and 12 (see :func:`structured_loss`), and the fastest exact way to compute them."""
    eps: float = 1.0
    alpha: float = 1.0
    s: float = 0.01
    margin: str = 'smooth_l1'
    norm: str = 'l1'

    def validate(self) -> 'Objective':
        check_choice('margin', self.margin, MARGINS)
        check_choice('norm', self.norm, NORMS)
        if not self.eps >= 0:
            raise ValueError(f'eps={self.eps}: use a positive temperature, or 0 for the structured hinge')
        if not self.alpha >= 0:
            raise ValueError(f'alpha={self.alpha}: the margin weight must not be negative')
        if self.margin == 'smooth_l1' and not self.s > 0:
            raise ValueError(f's={self.s}: the smooth l1 threshold must be positive')
        return self

    @property
    def flat(self) -> bool:
        return self.margin == 'none' or self.alpha == 0

    def span(self) -> float:
        """The largest possible (Delta - min Delta) / eps."""
        if self.flat:
            return 0.0
        largest = 8.0 if self.margin == 'l2' else (4.0 if self.norm == 'l1' else 8.0**0.5)
        return self.alpha * largest / self.eps

    def method(self, size: Tuple[int, int]) -> str:
        """``'separable'``, ``'shared'`` or ``'direct'``; see :class:`StructuredLossFunction`."""
        # one exponential per pixel is shared by all samples: it must neither overflow nor lose what the margin
        # can lift by exp(span) (float32 reaches exp(+-87))
        if self.eps == 0 or self.span() > 40:
            return 'direct'
        # smooth l1 is l1 but for the pixels closer than s, which must be among the four around the label
        if self.margin == 'smooth_l1' and not self.flat and (
                min(size) < 2 or self.s * max(size) / 2 > 1):
            return 'direct'
        if self.flat or self.margin == 'l2' or self.norm == 'l1':
            return 'separable'
        return 'shared'


@contextmanager
def _exact_matmul():
    """Keeps TensorFloat-32 and bfloat16 (3 digits), if the user allows them, out of the partition function."""
    # torch 2.9 replaced the one switch by one per backend, and reading the old one may then raise
    backends = [b.matmul for b in (torch.backends.cuda, torch.backends.mkldnn)
                if hasattr(getattr(b, 'matmul', None), 'fp32_precision')]
    if backends:
        before = [backend.fp32_precision for backend in backends]
        for backend in backends:
            backend.fp32_precision = 'ieee'
    else:
        before = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision('highest')
    try:
        yield
    finally:
        if backends:
            for backend, precision in zip(backends, before):
                backend.fp32_precision = precision
        else:
            torch.set_float32_matmul_precision(before)


class StructuredLossFunction(torch.autograd.Function):
    """Eq. 11 averaged over S labels, for scores (N, h, w) and labels (N, S, 2) -> (N,).

    With P = softmax(F / eps) and D_s = exp(Delta_s / eps), the loss of sample s is eps log <D_s, P> + eps log sum
    exp(F / eps) - F[y_s], and the gradient of the mean is P * sum_s D_s / (S <D_s, P>) minus the interpolation
    weights of the labels. So

    - ``separable``: for the l1 and squared l2 margins D_s = a_s b_s^T. One exponential per pixel, then two products
      with S x h and S x w matrices: nearly independent of S, and no tensor of S x h x w.
    - ``shared``: for the Euclidean margin, D_s is built for a few maps at a time.
    - ``direct``: log-sum-exp (or maximum) of Delta_s + F for a few maps at a time; for small eps, the hinge and
      everything else.

    Smooth l1 is (l1 - 0.5 s) plus a correction at the pixels nearer than s, at most the four around the label.
    The gradient is made along with the value, while a map is in cache, and scaled in the backward pass.
    """

    @staticmethod
    def forward(ctx, scores: Tensor, labels: Tensor, objective: Objective, with_grad: bool) -> Tensor:
        loss, grad = loss_and_gradient(scores, labels, objective, with_grad)
        ctx.objective, ctx.grad = objective, grad
        if with_grad:
            ctx.save_for_backward(scores, labels)
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_output: Tensor):
        scores, labels = ctx.saved_tensors
        # scaled in place and given away: a second map-sized tensor would double the memory. A second backward pass
        # through a retained graph makes its own.
        grad, ctx.grad = ctx.grad, None
        if grad is None:
            grad = loss_and_gradient(scores, labels, ctx.objective, True)[1]
        grad *= grad_output.to(grad.dtype)[:, None, None]
        return grad.to(scores.dtype), None, None, None


def loss_and_gradient(scores: Tensor, labels: Tensor, objective: Objective, with_grad: bool,
                     method: Optional[str] = None) -> Tuple[Tensor, Optional[Tensor]]:
    """Value (N,) and gradient (N, h, w) of its sum; ``method`` overrides the choice of the fastest one."""
    with torch.autocast(scores.device.type, enabled=False), _exact_matmul():
        size, dtype = tuple(scores.shape[-2:]), compute_dtype(scores)
        flat = scores.flatten(1)
        peaks = flat.amax(1).to(dtype)
        index, weight = bilinear_taps(labels, size)
        # relative to the peak: large scores then cancel exactly instead of in the last digits of the loss
        taps = flat.gather(1, index.flatten(1)).to(dtype).view_as(weight) - peaks[:, None, None]
        grad = torch.empty(scores.shape, dtype=dtype, device=scores.device) if with_grad else None
        # without a margin all samples share one partition function
        targets = labels[:, :1] if objective.flat else labels
        if (method or objective.method(size)) == 'direct':
            log_partition, pull = _direct(scores, peaks, targets, objective, grad), -weight
        else:
            log_partition, pull = _factorised(scores, targets, objective, grad, index, taps, method)
            pull = -weight if pull is None else pull - weight
        if with_grad:
            offset = torch.arange(0, scores.numel(), size[0] * size[1], device=scores.device)[:, None, None]
            grad.view(-1).scatter_add_(0, (index + offset).flatten(), (pull / labels.shape[1]).flatten())
        return log_partition.mean(1) - (taps * weight).sum(-1).mean(1), grad


def _chunks(count: int, per_map: int, device: torch.device):
    """Slices of maps: few enough to stay in a CPU's cache, many for an accelerator."""
    step = max(1, (2**18 if device.type == 'cpu' else 2**24) // per_map)
    return [slice(start, min(start + step, count)) for start in range(0, count, step)]


def _factorised(scores: Tensor, labels: Tensor, objective: Objective, grad: Optional[Tensor], index: Tensor,
                taps: Tensor, method: Optional[str]) -> Tuple[Tensor, Optional[Tensor]]:
    """eps log sum exp ((Delta + F - max F) / eps) as (N, S); fills ``grad`` (N, h, w).

    Also returns what the smooth l1 correction adds to S times the gradient at the taps (N, S, 4), or None.
    """
    (count, height, width), samples = scores.shape, labels.shape[1]
    size, eps = (height, width), objective.eps
    separable = (method or objective.method(size)) == 'separable'
    smooth = objective.margin == 'smooth_l1' and not objective.flat
    correction = _smooth_correction(labels, index, taps, objective, size) if smooth else None
    margin = _SeparableMargin(labels, size, objective) if separable else None
    log_partition = labels.new_empty(count, samples)
    for part in _chunks(count, height * width * (1 if separable else samples), scores.device):
        flat = scores[part].flatten(1)
        posterior = torch.softmax(flat if eps == 1 else flat / eps, -1, dtype=labels.dtype)
        top = posterior.amax(1, keepdim=True)  # = 1 / sum exp ((F - max F) / eps)
        if separable:
            column, row = margin.factors(part)
            partition = (torch.bmm(column, posterior.view(-1, height, width)) * row).sum(-1)
        else:
            lifted = _euclidean_margin(labels[part], size, objective)
            partition = torch.bmm(lifted, posterior.unsqueeze(-1)).squeeze(-1)
        if smooth:
            partition += correction[part].sum(-1) * top
        if grad is not None:
            share = 1 / (partition * samples)
            out = grad[part]
            if separable:
                torch.bmm((column * share.unsqueeze(-1)).transpose(1, 2), row, out=out)
            else:
                torch.bmm(share.unsqueeze(1), lifted, out=out.view(-1, 1, height * width))
            out *= posterior.view_as(out)
        torch.div(partition, top, out=log_partition[part])
    pull = correction / log_partition.unsqueeze(-1) if smooth else None
    constant = 0.5 * objective.alpha * objective.s if smooth else 0
    return eps * log_partition.log() - constant, pull


class _SeparableMargin:
    """a (n, S, h) and b (n, S, w) with exp(Delta_s / eps) = a_s b_s^T, for the labels (N, S, 2) of a chunk."""

    def __init__(self, labels: Tensor, size: Tuple[int, int], objective: Objective):
        self.k = 0.0 if objective.flat else objective.alpha / objective.eps
        self.squared = objective.margin == 'l2'
        points = normalize_points(labels, size)
        self.axes = []
        for axis, length in ((1, size[0]), (0, size[1])):
            centre, point = pixel_centres(length, labels), points[..., axis, None]
            if not self.squared:
                centre, point = (self.k * centre).exp(), (self.k * point).exp()
            self.axes.append((centre, 1 / centre, point, 1 / point))

    def factors(self, part: slice) -> Tuple[Tensor, Tensor]:
        if self.squared:
            return tuple((centre - point[part]).square_().mul_(self.k).exp_() for centre, _, point, _ in self.axes)
        # exp(k |t|) = max(exp(k t), exp(-k t)), and these are products: no exponential per sample and pixel
        return tuple(torch.maximum(centre * point_inverse[part], centre_inverse * point[part])
                     for centre, centre_inverse, point, point_inverse in self.axes)


def _euclidean_margin(labels: Tensor, size: Tuple[int, int], objective: Objective) -> Tensor:
    """exp(alpha |y - .|_2 / eps) as (n, S, h w) for labels (n, S, 2); three passes over the result."""
    k = objective.alpha / objective.eps
    points = normalize_points(labels, size)
    dx = (k * (pixel_centres(size[1], labels) - points[..., 0, None])).square_()
    dy = (k * (pixel_centres(size[0], labels) - points[..., 1, None])).square_()
    return (dy[..., :, None] + dx[..., None, :]).sqrt_().exp_().flatten(2)


def _smooth_correction(labels: Tensor, index: Tensor, taps: Tensor, objective: Objective,
                       size: Tuple[int, int]) -> Tensor:
    """What smooth l1 adds to exp((l1 margin + F - max F) / eps) at the pixels (N, S, 4) around the labels (N, S, 2).

    ``taps`` (N, S, 4) are F - max F there. The common factor exp(-0.5 alpha s / eps) is left out.
    """
    height, width = size
    s, norm, k = objective.s, objective.norm, objective.alpha / objective.eps
    row = torch.div(index, width, rounding_mode='floor')
    dx = (index - row * width - labels[..., :1]) * (2 / width)
    dy = (row - labels[..., 1:]) * (2 / height)
    smooth = ((distance(dx, dy, 'smooth_l1', norm, s) + 0.5 * s) * k).exp()
    return (smooth - (distance(dx, dy, 'l1', norm) * k).exp()) * (taps / objective.eps).exp()


def _direct(scores: Tensor, peaks: Tensor, labels: Tensor, objective: Objective, grad: Optional[Tensor]) -> Tensor:
    """eps log sum exp ((Delta + F - max F) / eps), or the maximum for eps = 0, as (N, S); fills ``grad``."""
    (count, height, width), samples = scores.shape, labels.shape[1]
    margin = 'none' if objective.flat else objective.margin
    log_partition = labels.new_empty(count, samples)
    # smaller terms cannot matter, and subnormal numbers are slow
    floor = -30 if labels.dtype == torch.float32 else -60
    for part in _chunks(count, height * width * samples, scores.device):
        augmented = label_margin(labels[part], (height, width), objective.alpha, objective.s, margin, objective.norm)
        augmented = augmented.add_((scores[part] - peaks[part, None, None]).unsqueeze(1)).flatten(2)
        largest, where = augmented.max(-1)
        out = None if grad is None else grad[part].view(-1, 1, height * width)
        if objective.eps == 0:
            log_partition[part] = largest
            if grad is not None:
                out.zero_().squeeze(1).scatter_add_(1, where, torch.full_like(largest, 1 / samples))
            continue
        augmented = augmented.sub_(largest.unsqueeze(-1)).div_(objective.eps).clamp_(min=floor).exp_()
        partition = augmented.sum(-1)
        log_partition[part] = largest + objective.eps * partition.log()
        if grad is not None:
            torch.bmm((1 / (partition * samples)).unsqueeze(1), augmented, out=out)
    return log_partition

"""The computation behind :func:`mmpose_sp.models.functional.structured_loss`: exact, fast, and numerically safe."""

from contextlib import contextmanager
from typing import NamedTuple, Optional, Tuple, Union

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

    def smooth(self) -> bool:
        return self.margin == 'smooth_l1' and not self.flat

    def near(self, size: Tuple[int, int]) -> bool:
        """Whether the pixels closer than s are always among the four around the label."""
        return min(size) > 1 and self.s * max(size) / 2 <= 1

    def method(self, size: Tuple[int, int]) -> str:
        """``'separable'`` or ``'direct'``; see :class:`StructuredLossFunction`."""
        # one exponential per pixel is shared by all samples: it must neither overflow nor lose what the margin
        # can lift by exp(span) (float32 reaches exp(+-87))
        if self.eps == 0 or self.span() > 40 or (self.smooth() and not self.near(size)):
            return 'direct'
        return 'separable' if self.flat or self.margin == 'l2' or self.norm == 'l1' else 'direct'


@contextmanager
def _exact_matmul():
    """Keeps TensorFloat-32 and bfloat16 (3 digits), if the user allows them, out of the partition function."""
    # torch 2.9 replaced the one switch by one per backend, and reading the old one may then raise
    backends = [
        b.matmul
        for b in (torch.backends.cuda, torch.backends.mkldnn)
        if hasattr(getattr(b, 'matmul', None), 'fp32_precision')
    ]
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
      with S x h and S x w matrices, or smaller ones where the samples are close together: nearly independent of S,
      and no tensor of S x h x w.
    - ``direct``: log-sum-exp (or maximum) of Delta_s + F, for a few maps at a time; for the Euclidean norm, small
      eps and the hinge.

    Smooth l1 is (l1 - 0.5 s) but for the pixels nearer than s, usually among the four around the label.
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


def loss_and_gradient(
    scores: Tensor, labels: Tensor, objective: Objective, with_grad: bool, method: Optional[str] = None
) -> Tuple[Tensor, Optional[Tensor]]:
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
        pull = -weight
        if (method or objective.method(size)) == 'separable':
            log_partition, correction = _separable(scores, targets, objective, grad, index, taps)
            if correction is not None:
                pull = pull + correction
        else:
            log_partition = _direct(scores, peaks, targets, objective, grad, index)
        if with_grad:
            offset = torch.arange(0, scores.numel(), size[0] * size[1], device=scores.device)[:, None, None]
            grad.view(-1).scatter_add_(0, (index + offset).flatten(), (pull / labels.shape[1]).flatten())
        return log_partition.mean(1) - (taps * weight).sum(-1).mean(1), grad


def _chunks(count: int, per_map: int, device: torch.device):
    """Slices of maps: few enough to stay in a CPU's cache, many for an accelerator."""
    step = max(1, (2**18 if device.type == 'cpu' else 2**24) // per_map)
    return [slice(start, min(start + step, count)) for start in range(0, count, step)]


def _separable(
    scores: Tensor, labels: Tensor, objective: Objective, grad: Optional[Tensor], index: Tensor, taps: Tensor
) -> Tuple[Tensor, Optional[Tensor]]:
    """eps log sum exp ((Delta + F - max F) / eps) as (N, S); fills ``grad`` (N, h, w) with its gradient.

    Also returns what smooth l1 adds to S times the gradient at the taps (N, S, 4), or None.
    """
    (count, height, width), samples = scores.shape, labels.shape[1]
    eps, smooth = objective.eps, objective.smooth()
    margin = SeparableMargin(labels, (height, width), objective)
    correction = _smooth_correction(labels, index, taps, objective, (height, width)) if smooth else None
    log_partition = labels.new_empty(count, samples)
    # the axes of all samples are (n, S, h) and (n, S, w)
    parts = _chunks(count, max(height * width, samples * max(height, width)), scores.device)
    buffer = labels.new_empty(parts[0].stop if parts else 0, height * width)  # new memory pages cost more than softmax
    for part in parts:
        flat = scores[part].flatten(1).to(labels.dtype)
        posterior = torch.softmax(flat if eps == 1 else flat / eps, -1, out=buffer[: len(flat)])
        top = posterior.amax(1, keepdim=True)  # = 1 / sum exp ((F - max F) / eps)
        posterior = posterior.view(-1, height, width)
        maps = margin.maps(part)
        partition = maps.expectation(posterior)
        if smooth:
            partition += correction[part].sum(-1) * top
        torch.div(partition, top, out=log_partition[part])
        if grad is not None:
            maps.weighted_sum(1 / (partition * samples), out=grad[part])
            grad[part] *= posterior
    if smooth:
        correction = correction / log_partition.unsqueeze(-1)
    constant = 0.5 * objective.alpha * objective.s if smooth else 0
    return eps * log_partition.log() - constant, correction


class SeparableMargin:
    """The maps D_s = exp(Delta_s / eps) = a_s b_s^T of labels (N, S, 2), which are never built.

    Args:
        low_rank: write the S maps of a landmark as combinations of fewer (l1 margin only). By default where this is
            less work, and known without waiting for an accelerator.
    """

    def __init__(self, labels: Tensor, size: Tuple[int, int], objective: Objective, low_rank: Optional[bool] = None):
        k = 0.0 if objective.flat else objective.alpha / objective.eps
        points = normalize_points(labels, size)
        axis = _SquaredAxis if objective.margin == 'l2' and not objective.flat else _ExponentialAxis
        self.axes = [axis(pixel_centres(size[i], labels), points[..., 1 - i], k) for i in (0, 1)]
        if low_rank is None:
            low_rank = (
                labels.shape[1] >= 12
                and axis is _ExponentialAxis
                and labels.device.type == 'cpu'
                and 4 * max(axis.rank for axis in self.axes) <= labels.shape[1]
            )
        self.decomposed = [axis.decompose() for axis in self.axes] if low_rank else None

    def maps(self, part: slice) -> Union['_OuterProducts', '_LowRank']:
        """The maps of a slice of the landmarks."""
        if self.decomposed is None:
            return _OuterProducts(*(axis.values(part) for axis in self.axes))
        return _LowRank(*(tuple(x[part] for x in axis) for axis in self.decomposed))


class _SquaredAxis:
    """exp(k (c - p)^2) for pixel centres c (L,) and labels p (N, S) along one axis."""

    def __init__(self, centre: Tensor, point: Tensor, k: float):
        self.centre, self.point, self.k = centre, point.unsqueeze(-1), k

    def values(self, part: slice) -> Tensor:
        """(n, S, L)."""
        return (self.centre - self.point[part]).square_().mul_(self.k).exp_()


class _ExponentialAxis:
    """exp(k |c - p|) for pixel centres c (L,), ascending, and labels p (N, S) along one axis."""

    def __init__(self, centre: Tensor, point: Tensor, k: float):
        # exp(k |t|) = max(exp(k t), exp(-k t)), and these are products: no exponential per sample and pixel
        self.up, self.down = (k * centre).exp(), (-k * centre).exp()
        self.point_up, self.point_down = (k * point).exp().unsqueeze(-1), (-k * point).exp().unsqueeze(-1)
        self.centre, self.point = centre, point

    def values(self, part: slice) -> Tensor:
        """(n, S, L)."""
        return torch.maximum(self.up * self.point_down[part], self.down * self.point_up[part])

    def _between(self) -> Tuple[Tensor, Tensor]:
        """(N,): the pixels in ``first <= i < last`` are neither below nor above all labels of a landmark."""
        low, high = self.point.aminmax(dim=1)
        return torch.searchsorted(self.centre, low), torch.searchsorted(self.centre, high)

    @property
    def rank(self) -> int:
        first, last = self._between()
        return 2 + int((last - first).max())

    def decompose(self) -> Tuple[Tensor, Tensor]:
        """Coefficients (N, S, R) and basis (N, R, L) whose product are the values.

        Below all labels of a landmark they are multiples of exp(-k c), above them of exp(k c); only the few pixels
        between stand for themselves.
        """
        first = self._between()[0].unsqueeze(-1)
        between = first + torch.arange(self.rank - 2, device=first.device)
        i = torch.arange(len(self.centre), device=first.device)
        basis = torch.cat(
            [
                (self.down * (i < first)).unsqueeze(1),
                (self.up * (i >= first + between.shape[1])).unsqueeze(1),
                (i == between.unsqueeze(-1)).to(self.up.dtype),
            ],
            1,
        )
        between = between.clamp_(max=len(i) - 1).unsqueeze(1)
        values = torch.maximum(self.up[between] * self.point_down, self.down[between] * self.point_up)
        return torch.cat([self.point_up, self.point_down, values], -1), basis


class _OuterProducts(NamedTuple):
    """D_s = a_s b_s^T of a (n, S, h) and b (n, S, w)."""

    column: Tensor
    row: Tensor

    def expectation(self, posterior: Tensor) -> Tensor:
        """<D_s, P> (n, S) for maps P (n, h, w)."""
        return (torch.bmm(self.column, posterior) * self.row).sum(-1)

    def weighted_sum(self, weight: Tensor, out: Tensor) -> None:
        """sum_s weight_s D_s (n, h, w) for weights (n, S)."""
        torch.bmm((self.column * weight.unsqueeze(-1)).transpose(1, 2), self.row, out=out)


class _LowRank(NamedTuple):
    """:class:`_OuterProducts` of a and b given as pairs of coefficients (n, S, R) and basis (n, R, h or w)."""

    column: Tuple[Tensor, Tensor]
    row: Tuple[Tensor, Tensor]

    def expectation(self, posterior: Tensor) -> Tensor:
        (a, column), (b, row) = self
        inner = torch.bmm(torch.bmm(column, posterior), row.transpose(1, 2))
        return (torch.bmm(a, inner) * b).sum(-1)

    def weighted_sum(self, weight: Tensor, out: Tensor) -> None:
        (a, column), (b, row) = self
        inner = torch.bmm((a * weight.unsqueeze(-1)).transpose(1, 2), b)
        torch.bmm(column.transpose(1, 2), torch.bmm(inner, row), out=out)


def _tap_offsets(labels: Tensor, index: Tensor, size: Tuple[int, int]) -> Tuple[Tensor, Tensor]:
    """dx, dy (..., 4) in [-1, 1] units from the labels (..., 2) to the pixels with flat index (..., 4)."""
    row = torch.div(index, size[1], rounding_mode='floor')
    return (index - row * size[1] - labels[..., :1]) * (2 / size[1]), (row - labels[..., 1:]) * (2 / size[0])


def _smooth_correction(
    labels: Tensor, index: Tensor, taps: Tensor, objective: Objective, size: Tuple[int, int]
) -> Tensor:
    """What smooth l1 adds to exp((l1 margin + F - max F) / eps) at the pixels (N, S, 4) around the labels (N, S, 2).

    ``taps`` (N, S, 4) are F - max F there. The common factor exp(-0.5 alpha s / eps) is left out.
    """
    s, norm, k = objective.s, objective.norm, objective.alpha / objective.eps
    offsets = _tap_offsets(labels, index, size)
    smooth = ((distance(*offsets, 'smooth_l1', norm, s) + 0.5 * s) * k).exp()
    return (smooth - (distance(*offsets, 'l1', norm) * k).exp()) * (taps / objective.eps).exp()


def _direct(
    scores: Tensor, peaks: Tensor, labels: Tensor, objective: Objective, grad: Optional[Tensor], index: Tensor
) -> Tensor:
    """eps log sum exp ((Delta + F - max F) / eps), or the maximum for eps = 0, as (N, S).

    Fills ``grad`` (N, h, w) with its gradient, averaged over S.
    """
    (count, height, width), samples = scores.shape, labels.shape[1]
    eps, log_partition = objective.eps, labels.new_empty(count, samples)
    for part in _chunks(count, height * width * samples, scores.device):
        augmented = _margin_maps(labels[part], index[part], objective, (height, width))
        augmented = augmented.add_((scores[part] - peaks[part, None, None]).unsqueeze(1)).flatten(2)
        largest, where = augmented.max(-1) if eps == 0 else (augmented.amax(-1), None)
        out = None if grad is None else grad[part].view(-1, 1, height * width)
        if eps == 0:
            log_partition[part] = largest
            if grad is not None:
                out.zero_().squeeze(1).scatter_add_(1, where, torch.full_like(largest, 1 / samples))
            continue
        posterior = torch.softmax(augmented if eps == 1 else augmented.div_(eps), -1)
        log_partition[part] = largest - eps * posterior.amax(-1).log()
        if grad is not None:
            torch.bmm(largest.new_full((out.shape[0], 1, samples), 1 / samples), posterior, out=out)
    return log_partition


def _margin_maps(labels: Tensor, index: Tensor, objective: Objective, size: Tuple[int, int]) -> Tensor:
    """:func:`label_margin` of labels (n, S, 2) as (n, S, h, w), in as few passes as possible.

    ``index`` (n, S, 4) are the pixels around the labels.
    """
    alpha, s, margin, norm = objective.alpha, objective.s, objective.margin, objective.norm
    if objective.flat or margin == 'l2' or (objective.smooth() and not objective.near(size)):
        return label_margin(labels, size, alpha, s, 'none' if objective.flat else margin, norm)
    points = normalize_points(labels, size)
    dx = (alpha * (pixel_centres(size[1], labels) - points[..., 0, None]))[..., None, :]
    dy = (alpha * (pixel_centres(size[0], labels) - points[..., 1, None]))[..., :, None]
    if not objective.smooth():
        return dx.abs() + dy.abs() if norm == 'l1' else (dx.square() + dy.square()).sqrt_()
    if norm == 'l1':
        maps = (dx.abs() - 0.5 * alpha * s) + dy.abs()
    else:
        maps = (dx.square() + dy.square()).sqrt_().sub_(0.5 * alpha * s)
    near = alpha * distance(*_tap_offsets(labels, index, size), margin, norm, s)
    return maps.flatten(2).scatter_(2, index, near).view_as(maps)

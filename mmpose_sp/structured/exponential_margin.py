"""D = exp(Delta / eps) of the margins of Eq. 12 for :mod:`~mmpose_sp.structured.fast`, as factors where it has some."""

from typing import NamedTuple, Optional, Sequence, Union

import torch
from torch import Tensor

from .grid import normalize_points, pixel_centres
from .objective import Objective, distance, label_margin


class OuterProducts(NamedTuple):
    """D_s = a_s b_s^T of a (n, S, h) and b (n, S, w)."""

    column: Tensor
    row: Tensor

    def expectation(self, posterior: Tensor) -> Tensor:
        """<D_s, P> (n, S) of maps P (n, h, w)."""
        return torch.bmm(self.column, posterior).mul_(self.row).sum(-1)

    def weighted_sum(self, weight: Tensor, out: Tensor) -> None:
        """sum_s weight_s D_s (n, h, w) for weights (n, S), written to ``out``; the last call, as it changes D."""
        torch.bmm(self.column.mul_(weight.unsqueeze(-1)).transpose(1, 2), self.row, out=out)


class Maps(NamedTuple):
    """:class:`OuterProducts` of maps that are none: D (n, S, h, w) itself."""

    maps: Tensor

    def expectation(self, posterior: Tensor) -> Tensor:
        # a row times a matrix: the product the other way round takes ten times as long on a CPU
        return torch.bmm(posterior.flatten(1).unsqueeze(1), self.maps.flatten(2).transpose(1, 2)).squeeze(1)

    def weighted_sum(self, weight: Tensor, out: Tensor) -> None:
        torch.bmm(weight.unsqueeze(1), self.maps.flatten(2), out=out.flatten(1).unsqueeze(1))


class ExponentialMargin:
    """D of labels (N, S, 2) in heatmap px on a map of ``size = (h, w)``.

    Attributes:
        steep: D may lift what P has lost, for float32 reaches exp(+-87): nothing here may be used.
        numel: numbers that a landmark's D takes, or its factors do.
        constant: the margin that :meth:`maps` leave out.
    """

    def __init__(self, labels: Tensor, size: Sequence[int], objective: Objective):
        alpha, eps, margin = objective.alpha, objective.eps, objective.margin
        flat, smooth = objective.flat, margin == 'smooth_l1' and not objective.flat
        self.labels, self.size, self.objective = labels, size, objective
        self.steep = eps == 0 or not flat and alpha * (8 if margin == 'l2' else 4) > 40 * eps
        # whether the pixels nearer than s are among the four around the label
        self.corrected = smooth and not self.steep and min(size) > 1 and objective.s * max(size) <= 2
        self.constant = -0.5 * alpha * objective.s if self.corrected else 0.0
        self.of_norm = flat or margin == 'l1' or self.corrected
        self.separable = not self.steep and (margin == 'l2' or flat or self.of_norm and objective.norm == 'l1')
        self.numel = labels.shape[1] * (max(size) if self.separable else size[0] * size[1])
        self.k = 0.0 if flat or self.steep else alpha / eps
        self.points = normalize_points(labels, size)
        self.axes = [pixel_centres(length, labels) for length in size]
        # exp(k |c - p|) is the larger of two products: no exponential per sample and pixel of an axis
        self.up, self.down = ([(k * axis).exp() for axis in self.axes] for k in (self.k, -self.k))
        self.point_up, self.point_down = ((k * self.points).exp() for k in (self.k, -self.k))

    def maps(self, part: slice) -> Union[OuterProducts, Maps]:
        """D of a slice of the landmarks."""
        if self.separable:
            return OuterProducts(self._factor(part, 0), self._factor(part, 1))
        if self.of_norm:
            dx, dy = ((self.axes[1 - i] - self.points[part, :, i, None]).square_() for i in (0, 1))
            return Maps((dx.unsqueeze(-2) + dy.unsqueeze(-1)).sqrt_().mul_(self.k).exp_())
        return Maps(label_margin(self.labels[part], self.size, self.objective).div_(self.objective.eps).exp_())

    def _factor(self, part: slice, axis: int) -> Tensor:
        """exp(Delta / eps) (n, S, L) along the rows (axis 0) or the columns (axis 1)."""
        own = (part, slice(None), 1 - axis, None)
        if self.objective.margin == 'l2' and not self.objective.flat:
            return (self.axes[axis] - self.points[own]).square_().mul_(self.k).exp_()
        rising, falling = self.up[axis] * self.point_down[own], self.down[axis] * self.point_up[own]
        return torch.maximum(rising, falling, out=rising)

    def near(self, index: Tensor, scores: Tensor) -> Optional[Tensor]:
        """What smooth l1 adds to D exp(F / eps) at the pixels around the labels; None where the margin is no smooth l1.

        Args:
            index: (N, S, 4) of these pixels in the flattened map.
            scores: F (N, S, 4) there.
        """
        if not self.corrected:
            return None
        row = torch.div(index, self.size[1], rounding_mode='floor')
        dx = (index - row * self.size[1] - self.labels[..., :1]) * (2 / self.size[1])
        dy = (row - self.labels[..., 1:]) * (2 / self.size[0])
        norm, s = self.objective.norm, self.objective.s
        smooth = (distance(dx, dy, 'smooth_l1', norm, s) + 0.5 * s) * self.k
        return (smooth.exp() - (distance(dx, dy, 'l1', norm) * self.k).exp()) * (scores / self.objective.eps).exp()

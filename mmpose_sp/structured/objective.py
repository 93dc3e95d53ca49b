"""The training objective, Eq. 8 to 12 of the paper, in plain autograd: the definition.

Written to be read from top to bottom and to be compared with. Training runs the same function in another form
(:mod:`~mmpose_sp.structured.fast`), over label samples (:mod:`~mmpose_sp.structured.sampling`).

Shapes: ``...`` are any leading dimensions (usually B, K: images and landmarks), S label samples, h x w the map.
Labels are (x, y) in heatmap px at pixel centres, so a point is inside the map iff ``-0.5 <= x <= w - 0.5`` and
``-0.5 <= y <= h - 0.5``. Margins are measured in [-1, 1] coordinates, ``(2 x + 1) / w - 1``. The arithmetic is
float32, and float64 for float64 scores.
"""

import math
from dataclasses import dataclass
from typing import Sequence

import torch
from torch import Tensor

from .grid import bilinear_taps, check_choice, compute_dtype, normalize_points, pixel_centres, round_points

MARGINS = ('none', 'l1', 'l2', 'smooth_l1')
REGRESSIONS = MARGINS[1:]
NORMS = ('l1', 'l2')


@dataclass(frozen=True)
class Objective:
    """The options of Eq. 11 and 12; the defaults are the paper's.

    Args:
        eps: temperature of Eq. 10; 0 is the structured hinge of Eq. 9.
        alpha: weight of the margin; 0 leaves the cross-entropy at the label.
        s: threshold of the smooth l1 margin, in [-1, 1] coordinates.
        margin: ``'none'``, ``'l1'``, ``'l2'`` (squared) or ``'smooth_l1'``; see :func:`distance`.
        norm: ``'l1'`` (as printed in Eq. 12) or ``'l2'`` (Euclidean), in the l1 and smooth l1 margins.
        rounded_label: use the pixel nearest to the label instead of interpolating the scores at it.

    Raises:
        ValueError: an option out of range; names it.
    """

    eps: float = 1.0
    alpha: float = 1.0
    s: float = 0.01
    margin: str = 'smooth_l1'
    norm: str = 'l1'
    rounded_label: bool = False

    def __post_init__(self) -> None:
        check_choice('margin', self.margin, MARGINS)
        check_choice('norm', self.norm, NORMS)
        if not 0 <= self.eps < math.inf:
            raise ValueError(f'eps={self.eps}: use a positive temperature, or 0 for the structured hinge')
        if not 0 <= self.alpha < math.inf:
            raise ValueError(f'alpha={self.alpha}: the margin weight must be finite and not negative')
        if self.margin == 'smooth_l1' and not 0 < self.s < math.inf:
            raise ValueError(f's={self.s}: the smooth l1 threshold must be positive')

    @property
    def flat(self) -> bool:
        """Whether there is no margin."""
        return self.margin == 'none' or self.alpha == 0


PAPER = Objective()


def score_at(scores: Tensor, points: Tensor) -> Tensor:
    """Eq. 8: F[y], the score of a landmark at y is its map's value there, interpolated between pixels.

    The sum over landmarks in Eq. 8 is the sum over the leading dimensions, whose losses do not depend on each other.

    Args:
        scores: (..., h, w).
        points: (..., S, 2) heatmap px.

    Returns:
        (..., S).

    >>> score_at(torch.tensor([[0.0, 1.0], [2.0, 3.0]]), torch.tensor([[0.0, 0.0], [0.5, 1.0]]))
    tensor([0.0000, 2.5000])
    """
    index, weight = bilinear_taps(points, scores.shape[-2:])
    values = scores.flatten(-2).gather(-1, index.flatten(-2)).view_as(weight)
    # a pixel that does not count may be masked: 0 * -inf would be NaN
    return (torch.where(weight > 0, values, 0.0) * weight).sum(-1)


def relaxed_maximum(values: Tensor, eps: float) -> Tensor:
    """Eq. 9 and 10: the maximum over the last dimension (eps 0), or eps log sum exp(values / eps), which tends to it.

    >>> [round(relaxed_maximum(torch.tensor([1.0, 2.0]), eps).item(), 4) for eps in (1.0, 0.1, 0.0)]
    [2.3133, 2.0, 2.0]
    """
    if eps == 0:
        return values.max(-1).values
    return eps * torch.logsumexp(values / eps, -1)


def structured_loss(scores: Tensor, labels: Tensor, objective: Objective = PAPER) -> Tensor:
    """Eq. 11 per landmark, averaged over its label samples (Eq. 13).

    .. math:: L = \\epsilon \\log \\sum_{\\hat y} \\exp((\\Delta(y, \\hat y) + F[\\hat y]) / \\epsilon) - F[y]

    Convex in the scores; the gradient flows to them only. Materialises (..., S, h, w).

    Args:
        scores: (..., h, w), any floating dtype.
        labels: (..., S, 2) heatmap px, inside the map.
        objective: the options.

    Returns:
        (...), float32 (float64 for float64 scores).

    >>> scores = torch.zeros(1, 1, 3, 3)
    >>> scores[0, 0, 2, 1] = 9.0
    >>> structured_loss(scores, torch.tensor([[[[1.0, 2.0]]]]))  # the label is on the peak
    tensor([[0.0039]])
    """
    scores = scores.to(compute_dtype(scores))
    # a constant added to the scores changes nothing: relative to their peak, large ones lose no digits
    scores = scores - scores.detach().amax((-2, -1), keepdim=True)
    labels = labels.detach().to(scores.dtype)
    if objective.rounded_label:
        labels = round_points(labels, scores.shape[-2:])
    augmented = label_margin(labels, scores.shape[-2:], objective) + scores.unsqueeze(-3)
    loss = relaxed_maximum(augmented.flatten(-2), objective.eps) - score_at(scores, labels)
    return loss.mean(-1)


def label_margin(labels: Tensor, size: Sequence[int], objective: Objective = PAPER) -> Tensor:
    """Eq. 12: the margin Delta(y, .) of every pixel.

    Args:
        labels: (..., 2) heatmap px, floating point.
        size: (h, w).
        objective: alpha, s, margin and norm are read.

    Returns:
        (..., h, w), of the labels' dtype.
    """
    y = normalize_points(labels, size)
    dx = (pixel_centres(size[1], labels) - y[..., 0, None])[..., None, :]
    dy = (pixel_centres(size[0], labels) - y[..., 1, None])[..., :, None]
    return objective.alpha * distance(dx, dy, objective.margin, objective.norm, objective.s)


def distance(dx: Tensor, dy: Tensor, kind: str = 'smooth_l1', norm: str = 'l1', s: float = 0.01) -> Tensor:
    """Eq. 12 with alpha = 1; also the regression loss of the soft-argmax baselines (Eq. 4).

    Args:
        dx, dy: coordinate differences that broadcast, of any unit.
        kind: ``'l1'`` is the norm itself, ``'l2'`` the squared Euclidean norm (Eq. 4), ``'smooth_l1'`` is
            ``0.5 / s * |d|_2^2`` where the norm is below ``s`` and norm - 0.5 s elsewhere, ``'none'`` is 0.
        norm: norm of ``'l1'`` and ``'smooth_l1'``. ``'l1'`` is what the paper prints (its smooth l1 then jumps by
            up to 0.25 s where the norm is ``s``), ``'l2'`` what code of this family does.
        s: threshold of ``'smooth_l1'``, in the unit of dx and dy.

    Its gradient is finite everywhere (0 where d = 0).
    """
    if kind == 'none':
        return torch.zeros_like(dx + dy)
    if kind == 'l1' and norm == 'l1':
        return dx.abs() + dy.abs()
    squared = dx.square() + dy.square()
    if kind == 'l2':
        return squared
    # sqrt has an infinite slope at 0; the clamp makes it 0 there and changes nothing else
    length = dx.abs() + dy.abs() if norm == 'l1' else squared.clamp(min=1e-24).sqrt()
    if kind == 'l1':
        return length
    return torch.where(length < s, 0.5 / s * squared, length - 0.5 * s)

"""Maps as distributions over positions: mean and covariance, for decoding and the soft-argmax losses (Eq. 3)."""

from typing import Tuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ..structured.grid import check_choice, pixel_centres

NORMALIZATIONS = ('softmax', 'instance_norm_relu')


def heatmap_distribution(scores: Tensor, normalization: str = 'softmax') -> Tensor:
    """Scores (B, K, h, w) -> non-negative maps of sum 1 (of sum 0 only where nothing is left to normalise).

    Args:
        scores: floating point.
        normalization: ``'softmax'`` (Eq. 3), or ``'instance_norm_relu'``, what ADNet and STAR do: zero mean and unit
            variance per map, negative values cut off, divided by the sum.
    """
    check_choice('normalization', normalization, NORMALIZATIONS)
    if normalization == 'softmax':
        return scores.flatten(-2).softmax(-1).view_as(scores)
    positive = F.relu(F.instance_norm(scores))
    return positive / positive.sum((-2, -1), keepdim=True).clamp(min=1e-6)


def first_moment(maps: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """sum p (x, y) (..., 2) over maps p (..., h, w) whose columns lie at x (w,) and rows at y (h,)."""
    return torch.stack([maps.sum(-2) @ x, maps.sum(-1) @ y], dim=-1)


def second_moment(maps: Tensor, centre: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """sum p d d^T (..., 2, 2) with d = (x, y) - ``centre`` (..., 2): the covariance, if that is the mean.

    Args:
        maps: p (..., h, w).
        centre: in the unit of x and y.
        x, y: positions (w,) of the columns and (h,) of the rows.
    """
    dx, dy = x - centre[..., 0, None], y - centre[..., 1, None]
    xx, yy = (maps.sum(-2) * dx.square()).sum(-1), (maps.sum(-1) * dy.square()).sum(-1)
    xy = ((maps @ dx.unsqueeze(-1)).squeeze(-1) * dy).sum(-1)
    return torch.stack([xx, xy, xy, yy], dim=-1).view(*xx.shape, 2, 2)


def expected_position(heatmaps: Tensor) -> Tensor:
    """Soft-argmax (Eq. 3): the mean position (..., 2) as (x, y) in [-1, 1] of maps (..., h, w) of sum 1."""
    height, width = heatmaps.shape[-2:]
    return first_moment(heatmaps, pixel_centres(width, heatmaps), pixel_centres(height, heatmaps))


def position_covariance(heatmaps: Tensor, mean: Tensor, eps: float = 1e-5) -> Tensor:
    """The covariance (..., 2, 2) of maps (..., h, w) about ``mean`` (..., 2), in [-1, 1] units squared.

    Unbiased for weighted samples, as in STAR: divided by V1 - V2 / V1, with V1 the sum and V2 the sum of squares of
    the map, both plus ``eps``.
    """
    height, width = heatmaps.shape[-2:]
    moment = second_moment(heatmaps, mean, pixel_centres(width, heatmaps), pixel_centres(height, heatmaps))
    v1 = heatmaps.sum((-2, -1)) + eps
    v2 = heatmaps.square().sum((-2, -1)) + eps
    return moment / (v1 - v2 / v1)[..., None, None]


def symmetric_eig_2x2(matrix: Tensor, tolerance: float = 1e-4) -> Tuple[Tensor, Tensor]:
    """Eigenvalues (..., 2), ascending, and unit eigenvectors (..., 2, 2) in rows, of symmetric 2 x 2 matrices.

    In closed form, on the tensor's device. The eigenvectors of (nearly) equal eigenvalues are not defined and
    their derivative is infinite: where the eigenvalues differ by less than ``tolerance`` times their sum, the
    vectors are held constant in the backward pass. The values are exact everywhere, and so are all derivatives
    elsewhere.
    """
    a, b, c = matrix[..., 0, 0], matrix[..., 0, 1], matrix[..., 1, 1]
    centre, half = (a + c) / 2, (a - c) / 2
    squared = half.square() + b.square()
    distinct = squared > (tolerance * centre).square()
    # where they are not, the derivatives of the square root and of the angle are those of a harmless stand-in
    floor = torch.finfo(matrix.dtype).tiny
    radius = torch.where(squared > floor, squared, torch.ones_like(squared)).sqrt()
    radius = torch.where(squared > floor, radius, torch.zeros_like(radius))
    one, zero = torch.ones_like(half), torch.zeros_like(half)
    angle = torch.atan2(torch.where(distinct, b, zero), torch.where(distinct, half, one)) / 2
    with torch.no_grad():
        exact = torch.atan2(b, half) / 2
    angle = torch.where(distinct, angle, exact)
    cos, sin = angle.cos(), angle.sin()  # of the long axis
    values = torch.stack([centre - radius, centre + radius], dim=-1)
    vectors = torch.stack([-sin, cos, cos, sin], dim=-1).view(*sin.shape, 2, 2)
    return values, vectors

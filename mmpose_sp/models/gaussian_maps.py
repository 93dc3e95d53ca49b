"""Gaussian bumps at landmarks: the targets of Eq. 2 and of the attention branch."""

from typing import Sequence, Tuple

import torch
from torch import Tensor


def gaussian_factors(points: Tensor, size: Sequence[int], sigma: float) -> Tuple[Tensor, Tensor]:
    """a (..., h) and b (..., w) whose outer product is :func:`gaussian_maps`."""
    a, b = (
        (torch.arange(length, dtype=points.dtype, device=points.device) - points[..., axis, None]).square()
        for axis, length in ((1, size[0]), (0, size[1]))
    )
    return (a / (-2 * sigma**2)).exp(), (b / (-2 * sigma**2)).exp()


def gaussian_maps(points: Tensor, size: Sequence[int], sigma: float) -> Tensor:
    """``exp(-|p - y|^2 / (2 sigma^2))`` (..., h, w) about sub-pixel points y (..., 2), heatmap px; ``size`` is (h, w).

    >>> gaussian_maps(torch.tensor([1.0, 0.0]), (1, 3), 1.0)
    tensor([[0.6065, 1.0000, 0.6065]])
    """
    a, b = gaussian_factors(points, size, sigma)
    return a.unsqueeze(-1) * b.unsqueeze(-2)

"""Points, distances and margins on a score map: the geometry that losses share.

Labels are (x, y) in heatmap px at pixel centres, so a point is inside the map iff ``-0.5 <= x <= w - 0.5`` and
``-0.5 <= y <= h - 0.5``. Margins are measured in [-1, 1] coordinates, ``(2 x + 1) / w - 1``.
"""

from typing import Tuple

import torch
from torch import Tensor

MARGINS = ('none', 'l1', 'l2', 'smooth_l1')
REGRESSIONS = MARGINS[1:]
NORMS = ('l1', 'l2')


def check_choice(name: str, value: str, choices: Tuple[str, ...]) -> None:
    """Raise a ValueError that lists the ``choices`` if ``value`` is not one of them."""
    if value not in choices:
        raise ValueError(f'{name}={value!r}: use one of {choices}')


def compute_dtype(scores: Tensor) -> torch.dtype:
    """The dtype of the arithmetic: float64 stays, everything else is float32."""
    return torch.float64 if scores.dtype == torch.float64 else torch.float32


def normalize_points(points: Tensor, size: Tuple[int, int]) -> Tensor:
    """Heatmap px (..., 2) as (x, y) -> [-1, 1] coordinates of a map of ``size = (h, w)``."""
    # no tensor of the sizes: it would have to be copied to the device, and the host would wait for that
    return torch.stack([(2 * points[..., i] + 1) / size[1 - i] - 1 for i in (0, 1)], dim=-1)


def pixel_centres(length: int, like: Tensor) -> Tensor:
    """The [-1, 1] coordinates (length,) of an axis of ``length`` pixels, with dtype and device of ``like``."""
    return (2 * torch.arange(length, dtype=like.dtype, device=like.device) + 1) / length - 1


def round_points(points: Tensor, size: Tuple[int, int]) -> Tensor:
    """The nearest pixel (..., 2) of the map to ``points`` (..., 2), as floating point heatmap px."""
    return torch.stack([points[..., i].round().clamp(0, size[1 - i] - 1) for i in (0, 1)], dim=-1)


def bilinear_taps(points: Tensor, size: Tuple[int, int]) -> Tuple[Tensor, Tensor]:
    """Flat indices (..., 4) and weights (..., 4) that interpolate a map at ``points`` (..., 2) in heatmap px.

    Beyond the outermost pixel centres the value of the nearest border position is used.
    """
    height, width = size
    x = points[..., 0].clamp(0, width - 1)
    y = points[..., 1].clamp(0, height - 1)
    x0 = x.floor().clamp(max=max(width - 2, 0))
    y0 = y.floor().clamp(max=max(height - 2, 0))
    fx, fy = x - x0, y - y0
    first = y0.long() * width + x0.long()
    right, down = min(width - 1, 1), min(height - 1, 1) * width  # 0 on a map of one column / row
    index = torch.stack([first, first + right, first + down, first + down + right], dim=-1)
    weight = torch.stack([(1 - fy) * (1 - fx), (1 - fy) * fx, fy * (1 - fx), fy * fx], dim=-1)
    return index, weight


def distance(dx: Tensor, dy: Tensor, kind: str = 'smooth_l1', norm: str = 'l1', s: float = 0.01) -> Tensor:
    """The distance in the margin (Eq. 12 with alpha = 1), also the regression loss of the soft-argmax baselines.

    Args:
        dx, dy: coordinate differences that broadcast, of any unit.
        kind: ``'l1'`` is the norm itself, ``'l2'`` the squared Euclidean norm (Eq. 4), ``'smooth_l1'`` is
            0.5 / s * |d|_2^2 where the norm is below ``s`` and norm - 0.5 s elsewhere, ``'none'`` is 0.
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


def label_margin(
    labels: Tensor,
    size: Tuple[int, int],
    alpha: float = 1.0,
    s: float = 0.01,
    margin: str = 'smooth_l1',
    norm: str = 'l1',
) -> Tensor:
    """Delta(y, .) of Eq. 12 for every pixel of the map.

    Args:
        labels: (..., 2) heatmap px, floating point.
        size: (h, w).
        alpha, s, margin, norm: see :func:`distance`; ``s`` is in [-1, 1] coordinates.

    Returns:
        Tensor: (..., h, w), of the labels' dtype.
    """
    check_choice('margin', margin, MARGINS)
    check_choice('norm', norm, NORMS)
    height, width = size
    y = normalize_points(labels, size)
    dx = (pixel_centres(width, labels) - y[..., 0, None])[..., None, :]
    dy = (pixel_centres(height, labels) - y[..., 1, None])[..., :, None]
    return alpha * distance(dx, dy, margin, norm, s)

"""Pixels and points of a score map: coordinates, interpolation, and in which precision they are computed."""

from contextlib import contextmanager
from typing import Iterator, Sequence, Tuple

import torch
from torch import Tensor


def check_choice(name: str, value: str, choices: Sequence[str]) -> None:
    """Raise a ValueError that lists the ``choices`` if ``value`` is not one of them."""
    if value not in choices:
        raise ValueError(f'{name}={value!r}: use one of {choices}')


def compute_dtype(scores: Tensor) -> torch.dtype:
    """The dtype of the arithmetic: float64 stays, everything else is float32."""
    return torch.float64 if scores.dtype == torch.float64 else torch.float32


def normalize_points(points: Tensor, size: Sequence[int]) -> Tensor:
    """Heatmap px (..., 2) as (x, y) -> [-1, 1] coordinates of a map of ``size = (h, w)``.

    >>> normalize_points(torch.tensor([-0.5, 1.5]), (2, 4))
    tensor([-1.,  1.])
    """
    # no tensor of the sizes: it would have to be copied to the device, and the host would wait for that
    return torch.stack([(2 * points[..., i] + 1) / size[1 - i] - 1 for i in (0, 1)], dim=-1)


def pixel_centres(length: int, like: Tensor) -> Tensor:
    """The [-1, 1] coordinates (length,) of an axis of ``length`` pixels, with dtype and device of ``like``."""
    return (2 * torch.arange(length, dtype=like.dtype, device=like.device) + 1) / length - 1


def round_points(points: Tensor, size: Sequence[int]) -> Tensor:
    """The nearest pixel (..., 2) of the map to ``points`` (..., 2), as floating point heatmap px."""
    return torch.stack([points[..., i].round().clamp(0, size[1 - i] - 1) for i in (0, 1)], dim=-1)


def bilinear_taps(points: Tensor, size: Sequence[int]) -> Tuple[Tensor, Tensor]:
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


def slices(count: int, numel: int, device: torch.device) -> Sequence[slice]:
    """Slices of ``count`` maps of ``numel`` numbers each: what a CPU's cache holds, and many for an accelerator."""
    step = max(1, (2**18 if device.type == 'cpu' else 2**24) // max(1, numel))
    return [slice(start, min(start + step, count)) for start in range(0, count, step)]


@contextmanager
def full_precision(device: torch.device) -> Iterator[None]:
    """Keeps autocast, TensorFloat-32 and bfloat16 products (3 digits), where the user allows them, out of this."""
    # torch 2.9 replaced the one switch by one per backend, and reading the old one may then raise
    backends = [
        b.matmul
        for b in (torch.backends.cuda, torch.backends.mkldnn)
        if hasattr(getattr(b, 'matmul', None), 'fp32_precision')
    ]
    before = [b.fp32_precision for b in backends] if backends else [torch.get_float32_matmul_precision()]
    try:
        for backend in backends:
            backend.fp32_precision = 'ieee'
        if not backends:
            torch.set_float32_matmul_precision('highest')
        with torch.autocast(device.type, enabled=False):
            yield
    finally:
        for backend, precision in zip(backends, before):
            backend.fp32_precision = precision
        if not backends:
            torch.set_float32_matmul_precision(before[0])

"""The structured prediction objective (Eq. 8 to 13) in plain PyTorch.

Shapes: ``...`` are any leading dimensions (usually B, K: images and landmarks), S label samples, h x w the map.
Labels are (x, y) in heatmap px at pixel centres, so a point is inside the map iff ``-0.5 <= x <= w - 0.5`` and
``-0.5 <= y <= h - 0.5``. Margins are measured in [-1, 1] coordinates, ``(2 x + 1) / w - 1``.

Everything is computed in float32 (float64 for float64 scores), also under autocast.
"""

from typing import Optional, Tuple

import torch
from torch import Tensor

from .geometry import bilinear_taps, compute_dtype, label_margin, round_points
from .partition import Objective, StructuredLossFunction

__all__ = ['check_covariances', 'check_labels', 'label_margin', 'sample_labels', 'score_at', 'structured_loss']

LABEL_TOLERANCE = 1e-3  # px: rounding of a label that lies on the border of the map


def score_at(scores: Tensor, points: Tensor, rounded: bool = False) -> Tensor:
    """F[y]: scores at sub-pixel positions, by bilinear interpolation.

    Args:
        scores: (..., h, w).
        points: (..., 2) or (..., S, 2) heatmap px, leading dimensions as in ``scores``.
        rounded: read the nearest pixel instead.

    Returns:
        Tensor: (...) or (..., S), differentiable in the scores.
    """
    size = scores.shape[-2:]
    dtype = compute_dtype(scores)
    points = points.to(dtype)
    if rounded:
        points = round_points(points, size)
    index, weight = bilinear_taps(points, size)
    flat = scores.flatten(-2)
    values = flat.gather(-1, index.flatten(scores.dim() - 2)).to(dtype)
    return (values.reshape(weight.shape) * weight).sum(-1)


def sample_labels(
    labels: Tensor,
    covariances: Tensor,
    num_samples: int,
    size: Optional[Tuple[int, int]] = None,
    generator: Optional[torch.Generator] = None,
) -> Tensor:
    """y' ~ N(y, covariance) of Eq. 13, drawn on the device of the labels.

    Args:
        labels: (..., 2) heatmap px.
        covariances: (..., 2, 2) heatmap px^2, symmetric and positive semi-definite (0 = no smoothing).
        num_samples: S.
        size: (h, w): samples that leave the map are moved to its border; ``None`` leaves them.
        generator: source of the noise, on the device of the labels; ``None`` is torch's default one.

    Returns:
        Tensor: (..., S, 2) heatmap px, without gradient.
    """
    labels, covariances = labels.detach(), covariances.detach().to(labels.dtype)
    var_x, cov, var_y = covariances[..., 0, 0], covariances[..., 0, 1], covariances[..., 1, 1]
    # Cholesky factor in closed form; clamps keep singular covariances (a straight edge, or 0) finite
    std_x = var_x.clamp(min=0).sqrt()
    slope = torch.where(std_x > 0, cov / std_x.clamp(min=torch.finfo(labels.dtype).tiny), torch.zeros_like(cov))
    rest = (var_y - slope.square()).clamp(min=0).sqrt()
    noise = torch.randn(
        (*labels.shape[:-1], num_samples, 2), generator=generator, dtype=labels.dtype, device=labels.device
    )
    x = labels[..., :1] + std_x[..., None] * noise[..., 0]
    y = labels[..., 1:] + slope[..., None] * noise[..., 0] + rest[..., None] * noise[..., 1]
    if size is not None:
        x, y = x.clamp(-0.5, size[1] - 0.5), y.clamp(-0.5, size[0] - 0.5)
    return torch.stack([x, y], dim=-1)


def check_labels(labels: Tensor, used: Tensor, size: Tuple[int, int]) -> None:
    """Refuse labels that no loss can use.

    Args:
        labels: (..., 2) heatmap px.
        used: (...) bool: whether the landmark counts (its weight is positive).
        size: (h, w).

    Raises:
        ValueError: a label that counts is NaN or outside the map. On accelerators the check is an asynchronous
            device assertion instead, as an exception would cost a synchronisation per step.
    """
    low = -0.5 - LABEL_TOLERANCE
    inside = (labels >= low) & (labels[..., :1] <= size[1] - 1 - low) & (labels[..., 1:] <= size[0] - 1 - low)
    bad = used & ~inside.all(-1)
    _refuse(
        bad,
        labels,
        f'label (x, y in heatmap px) is NaN or outside the map of width {size[1]} and height '
        f"{size[0]}. A landmark outside the map needs weight 0 (see the codec's keypoint_weights); a missing one "
        'may be NaN if its weight is 0.',
    )


def check_covariances(covariances: Tensor) -> None:
    """Refuse covariances (..., 2, 2) that are not finite; raises as :func:`check_labels` does."""
    bad = ~covariances.isfinite().flatten(-2).all(-1)
    _refuse(bad, covariances, 'covariance of a landmark with positive weight is not finite.')


def _refuse(bad: Tensor, values: Tensor, message: str) -> None:
    if bad.is_cuda:
        torch._assert_async(~bad.any(), message)
    elif bad.any():
        where = tuple(bad.nonzero()[0].tolist())
        raise ValueError(f'landmark [{", ".join(map(str, where))}]: {values[where].tolist()} as {message}')


def structured_loss(
    scores: Tensor,
    labels: Tensor,
    eps: float = 1.0,
    alpha: float = 1.0,
    s: float = 0.01,
    margin: str = 'smooth_l1',
    norm: str = 'l1',
    rounded_label: bool = False,
) -> Tensor:
    """Eq. 11 per landmark, averaged over label samples if there are any (Eq. 13).

    .. math:: \\epsilon \\log \\sum_{\\hat y} \\exp((\\Delta(y, \\hat y) + F[\\hat y]) / \\epsilon) - F[y]

    It is convex in the scores and never materialises S x h x w; the gradient flows to the scores only, once.

    Args:
        scores: (..., h, w), any floating dtype; the arithmetic is at least float32.
        labels: (..., 2) or (..., S, 2) heatmap px, inside the map (not checked here: :func:`check_labels`).
        eps: temperature; 0 is the structured hinge (maximum).
        alpha, s, margin, norm: see :func:`label_margin`.
        rounded_label: move the label to the nearest pixel first.

    Returns:
        Tensor: (...), float32 (float64 for float64 scores).

    Raises:
        ValueError: an option out of range, or shapes that do not belong together.
    """
    objective = Objective(float(eps), float(alpha), float(s), margin, norm).validate()
    lead, size = scores.shape[:-2], scores.shape[-2:]
    if labels.shape[: len(lead)] != lead or labels.shape[-1] != 2 or labels.dim() - len(lead) not in (1, 2):
        raise ValueError(
            f'labels {tuple(labels.shape)} do not fit scores {tuple(scores.shape)}: '
            'expected (..., 2) or (..., S, 2) for (..., h, w)'
        )
    points = labels.detach().to(compute_dtype(scores)).reshape(lead.numel(), -1, 2)
    if rounded_label:
        points = round_points(points, size)
    with_grad = torch.is_grad_enabled() and scores.requires_grad
    loss = StructuredLossFunction.apply(scores.reshape(-1, *size), points, objective, with_grad)
    return loss.view(lead)

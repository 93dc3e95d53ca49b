"""From score maps to landmarks: arg max, sub-pixel step, confidence and covariance.

Everything here is batched over faces and landmarks and stays on the device of the scores; only coordinates need to
leave it. Coordinates are heatmap pixels with pixel centres at the integers, x first.
"""
from typing import Tuple

import torch
from torch import Tensor

SUBPIXEL = ('quadratic', 'expectation', 'none')

# Share of the score range that is added before the logarithm of the quadratic step. It keeps log() finite at the
# minimum of the map, and is small enough to leave a Gaussian peak of sigma >= 0.7 px where it is (see the tests).
LOG_FLOOR = 1e-3
# Longest step (px, per axis) away from the arg max that is believed. An isotropic peak never needs more than 0.5; the
# arg max of an elongated, tilted one can lie further along its ridge.
MAX_STEP = 2.0


@torch.no_grad()
def decode_scores(scores: Tensor, subpixel: str = 'quadratic', eps: float = 1.) -> Tuple[Tensor, Tensor]:
    """Locate one landmark per score map (Eq. 1) and say how sure the map is.

    Args:
        scores (Tensor): Score maps F in shape (B, K, h, w), of any floating dtype and any sign. Maps smaller than
            3 px in an axis are decoded without the quadratic step.
        subpixel (str): ``'quadratic'``: a Newton step on the logarithm of the scores above their minimum, from the
            3x3 values around the arg max; exact for quadratic scores and for Gaussian-shaped heatmaps, whatever their
            scale and offset. ``'expectation'``: the mean of the posterior over the whole map (soft-argmax, Eq. 3).
            ``'none'``: the arg max itself. Defaults to ``'quadratic'``.
        eps (float): Temperature of the posterior softmax(F / eps), as in Eq. 11. Defaults to 1.

    Returns:
        tuple:
        - coords (Tensor): (x, y) in heatmap px, shape (B, K, 2), float32, inside [-0.5, w - 0.5] x [-0.5, h - 0.5].
        - confidence (Tensor): Posterior mass of the 3x3 window around the arg max (cut at the border), shape (B, K),
          float32 in [0, 1].

    Raises:
        ValueError: If ``scores`` is not 4-dimensional, ``subpixel`` is unknown or ``eps`` is not positive.
    """
    scores = _check(scores, eps)
    if subpixel not in SUBPIXEL:
        raise ValueError(f'subpixel must be one of {SUBPIXEL}, got {subpixel!r}')
    h, w = scores.shape[-2:]
    flat = scores.flatten(2)
    top, index = flat.max(dim=-1)
    peak_x, peak_y = index % w, torch.div(index, w, rounding_mode='floor')
    peak = torch.stack([peak_x, peak_y], dim=-1).to(scores.dtype)

    weight = ((flat - top[..., None]) / eps).exp_()
    total = weight.sum(dim=-1)
    confidence = _window_mass(weight, peak_x, peak_y, h, w) / total

    if subpixel == 'expectation':
        coords = _mean(weight.view_as(scores), total)
    elif subpixel == 'quadratic' and min(h, w) >= 3:
        coords = _quadratic_peak(flat, top, peak, h, w)
    else:
        coords = peak
    return coords.float(), confidence.clamp_(0, 1).float()


@torch.no_grad()
def score_covariance(scores: Tensor, eps: float = 1.) -> Tensor:
    """Covariance of the posterior softmax(F / eps) about its mean.

    Args:
        scores (Tensor): Score maps in shape (B, K, h, w).
        eps (float): Temperature of the posterior. Defaults to 1.

    Returns:
        Tensor: [[var x, cov], [cov, var y]] in heatmap px^2, shape (B, K, 2, 2), float32.
    """
    scores = _check(scores, eps)
    h, w = scores.shape[-2:]
    posterior = (scores.flatten(2) / eps).softmax(dim=-1).view_as(scores)
    mean = _mean(posterior, posterior.sum(dim=(-2, -1)))
    dx = torch.arange(w, dtype=scores.dtype, device=scores.device) - mean[..., 0:1]
    dy = torch.arange(h, dtype=scores.dtype, device=scores.device) - mean[..., 1:2]
    var_x = (posterior.sum(dim=-2) * dx.square()).sum(dim=-1)
    var_y = (posterior.sum(dim=-1) * dy.square()).sum(dim=-1)
    cov = ((posterior @ dx[..., None]).squeeze(-1) * dy).sum(dim=-1)
    return torch.stack([var_x, cov, cov, var_y], dim=-1).unflatten(-1, (2, 2)).float()


def _check(scores: Tensor, eps: float) -> Tensor:
    if scores.ndim != 4:
        raise ValueError(f'scores must have the shape (B, K, h, w), got {tuple(scores.shape)}')
    if not eps > 0:
        raise ValueError(f'eps must be positive, got {eps}')
    return scores if scores.dtype in (torch.float32, torch.float64) else scores.float()


def _mean(weight: Tensor, total: Tensor) -> Tensor:
    """Mean (x, y) of maps (B, K, h, w) of non-negative weights that sum to ``total`` (B, K)."""
    h, w = weight.shape[-2:]
    x = weight.sum(dim=-2) @ torch.arange(w, dtype=weight.dtype, device=weight.device)
    y = weight.sum(dim=-1) @ torch.arange(h, dtype=weight.dtype, device=weight.device)
    return torch.stack([x, y], dim=-1) / total[..., None]


def _window(flat: Tensor, x: Tensor, y: Tensor, h: int, w: int) -> Tuple[Tensor, Tensor]:
    """The 3x3 values (B, K, 3, 3), [row, column], around integer (x, y) and which of them lie inside the map."""
    step = torch.arange(-1, 2, device=flat.device)
    xs, ys = x[..., None] + step, y[..., None] + step
    inside = ((ys >= 0) & (ys < h))[..., :, None] & ((xs >= 0) & (xs < w))[..., None, :]
    index = ys.clamp(0, h - 1)[..., :, None] * w + xs.clamp(0, w - 1)[..., None, :]
    return flat.gather(-1, index.flatten(-2)).unflatten(-1, (3, 3)), inside


def _window_mass(weight: Tensor, x: Tensor, y: Tensor, h: int, w: int) -> Tensor:
    values, inside = _window(weight, x, y, h, w)
    return (values * inside).sum(dim=(-2, -1))


def _quadratic_peak(flat: Tensor, top: Tensor, peak: Tensor, h: int, w: int) -> Tensor:
    """Vertex of the paraboloid through the log scores around the arg max.

    At the border the stencil moves inward by one pixel, so that it always holds nine pixels of the map. Where the
    Hessian is not negative definite, or the full step is longer than :data:`MAX_STEP`, each axis takes its own
    one-dimensional step of at most half a pixel, or none if it does not curve downwards.
    """
    size = peak.new_tensor([w, h])
    centre = torch.minimum(peak.clamp(min=1), size - 2)
    values, _ = _window(flat, centre[..., 0].long(), centre[..., 1].long(), h, w)
    t = _log_above_minimum(values, flat.amin(dim=-1), top)

    gradient = torch.stack([t[..., 1, 2] - t[..., 1, 0], t[..., 2, 1] - t[..., 0, 1]], dim=-1) / 2
    curve_x = t[..., 1, 2] - 2 * t[..., 1, 1] + t[..., 1, 0]
    curve_y = t[..., 2, 1] - 2 * t[..., 1, 1] + t[..., 0, 1]
    curve_xy = (t[..., 2, 2] - t[..., 2, 0] - t[..., 0, 2] + t[..., 0, 0]) / 4
    curves = torch.stack([curve_x, curve_y], dim=-1)

    # Full Newton step, -H^-1 g in closed form.
    det = curve_x * curve_y - curve_xy.square()
    adjugate_gradient = curves.flip(-1) * gradient - curve_xy[..., None] * gradient.flip(-1)
    tiny = torch.finfo(t.dtype).tiny
    newton = centre - adjugate_gradient / det.clamp(min=tiny)[..., None]
    concave = (curves < 0).all(dim=-1) & (det > 1e-3 * curve_x * curve_y)
    trusted = concave & ((newton - peak).abs() <= MAX_STEP).all(dim=-1)

    # Each axis for itself: with the arg max inside its three values the vertex is within half a pixel of it.
    single = centre - gradient / curves.clamp(max=-tiny)
    single = torch.minimum(torch.maximum(single, peak - 0.5), peak + 0.5)
    single = torch.where(curves < 0, single, peak)

    coords = torch.where(trusted[..., None], newton, single)
    return torch.minimum(coords.clamp(min=-0.5), size - 0.5)


def _log_above_minimum(values: Tensor, bottom: Tensor, top: Tensor) -> Tensor:
    """log((F - min F) / (max F - min F) + floor); zero for constant maps. Affine changes of F cancel."""
    # Halves before the difference, and a finite bottom, keep scores near the limits of the dtype finite.
    bottom = bottom.clamp(min=torch.finfo(values.dtype).min)[..., None, None] / 2
    span = (top[..., None, None] / 2 - bottom)
    above = (values.clamp(min=torch.finfo(values.dtype).min) / 2 - bottom) / span.clamp(min=torch.finfo(values.dtype).tiny)
    return torch.log(torch.where(span > 0, above, torch.ones_like(above)) + LOG_FLOOR)

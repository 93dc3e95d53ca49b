"""From score maps to sites: landmark, confidence and covariance, in one reading of the posterior.

Everything here is batched over faces and landmarks and stays on the device of the scores; only coordinates need to
leave it. Coordinates are heatmap pixels with pixel centres at the integers, x first.
"""

from typing import NamedTuple, Optional, Sequence, Tuple

import torch
from torch import Tensor

from .calibration import IDENTITY, Calibration
from .moments import first_moment, second_moment

SUBPIXEL = ('quadratic', 'local_expectation', 'expectation', 'none')

# Share of the score range that is added before the logarithm of the quadratic step. It keeps log() finite at the
# minimum of the map, and is small enough to leave a Gaussian peak of sigma >= 0.7 px where it is (see the tests).
LOG_FLOOR = 1e-4
# Longest step (px, per axis) away from the arg max that is believed. An isotropic peak never needs more than 0.5; the
# arg max of an elongated, tilted one can lie further along its ridge.
MAX_STEP = 2.0
LOCAL_RADIUS = 4  # heatmap px, of 'local_expectation'
CACHE_BYTES = 2**21  # of scores per slice on a CPU, see _cache_sized
_is_compiling = getattr(getattr(torch, 'compiler', None), 'is_compiling', bool)  # torch < 2.2 lacks it: bool() is False


class Sites(NamedTuple):
    """What a batch of score maps says about its landmarks, float32.

    Attributes:
        points: (x, y) in heatmap px, shape (B, K, 2), inside [-0.5, w - 0.5] x [-0.5, h - 0.5].
        confidence: Posterior mass of the 3x3 window around the arg max (moved inward at the border), shape (B, K), in
            [0, 1].
        covariance: [[var x, cov], [cov, var y]] of the posterior about its mean, in heatmap px^2, shape (B, K, 2, 2);
            None where it was not asked for.
    """

    points: Tensor
    confidence: Tensor
    covariance: Optional[Tensor] = None


@torch.no_grad()
def read_sites(
    scores: Tensor,
    subpixel: str = 'quadratic',
    eps: float = 1.0,
    calibration: Calibration = IDENTITY,
    covariance: bool = True,
) -> Sites:
    """Locate one landmark per score map (Eq. 1) and say how sure the map is, in float32 also under autocast.

    The quadratic step returns the centre of a Gaussian peak of sigma 0.7 to 3 px, round or elongated, to 0.025 px as
    long as the centre is a pixel away from the outline of the map. Closer to the outline, where only half of the peak
    is left, the narrowest peaks (sigma below 1 px) are off by up to 0.02 px if round and 0.3 px in a corner or if
    elongated and tilted.

    >>> y, x = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing='ij')
    >>> sites = read_sites(-((x - 20.25) ** 2 + (y - 31.5) ** 2)[None, None] / 8)  # a Gaussian posterior of sigma 2
    >>> [value.round(decimals=2).tolist() for value in (sites.points, sites.covariance[..., 0, 0])]
    [[[[20.25, 31.5]]], [[4.0]]]

    Args:
        scores: Score maps F in shape (B, K, h, w), h and w at least 3, of any floating dtype and any sign.
        subpixel: ``'quadratic'``: a Newton step on the logarithm of the scores above their minimum, from the
            3x3 values around the arg max; exact for quadratic scores and for Gaussian-shaped heatmaps, whatever their
            scale and offset. ``'expectation'``: the mean of the posterior over the whole map (soft-argmax, Eq. 3). The
            logarithm of a heatmap as scores gives the heatmap's centre of mass, as STAR and ADNet read theirs.
            ``'local_expectation'``: that mean over the 9x9 window around the arg max alone, so that a second peak does
            not pull: exact at the minimum of Eq. 11 without margin, where the posterior holds the label in its four
            nearest pixels by bilinear weights.
            ``'none'``: the arg max itself. Defaults to ``'quadratic'``.
        eps: Temperature of the posterior softmax(F / eps), as in Eq. 11. Defaults to 1.
        calibration: Of confidences and covariances; the points do not depend on it. Defaults to the
            identity.
        covariance: Whether to compute the covariances, too. Defaults to True.

    A map with NaN or infinity in it, or with nothing but -infinity, gives NaN; the others are as without it.

    Raises:
        ValueError: If ``scores`` is not of such a shape, ``subpixel`` is unknown or ``eps`` is not positive.
    """
    scores = _check(scores, eps)
    if subpixel not in SUBPIXEL:
        raise ValueError(f'subpixel must be one of {SUBPIXEL}, got {subpixel!r}')
    # autocast would compute means in half precision: bfloat16 moves them by 0.1 px on a map of 64 px
    with torch.autocast(scores.device.type, enabled=False):
        return _read(scores, subpixel, eps, calibration, covariance)


def _read(scores: Tensor, subpixel: str, eps: float, calibration: Calibration, with_covariance: bool) -> Sites:
    """:func:`read_sites` of checked, float32 or float64 ``scores``."""
    h, w = scores.shape[-2:]
    temperature = eps * calibration.temperature
    slices = _cache_sized(scores.flatten(0, 1))
    buffer = torch.empty_like(slices[0]).flatten(1)  # one for all slices: new memory costs more than the softmax
    # len() is no symbol in exports
    parts = [_survey(maps, buffer[: maps.shape[0]], temperature, subpixel, with_covariance) for maps in slices]
    peak, top, bottom, peak_mass, mean, covariance = (torch.cat(values) for values in zip(*parts))

    flat = scores.reshape(-1, h * w)
    window, centre = _window(flat, peak, (w, h), radius=1)
    confidence = ((window - top) / temperature).exp().sum(dim=-1, keepdim=True) * peak_mass

    if subpixel == 'expectation':
        same = temperature == eps
        points = mean if same else torch.cat([_mean((m / eps).flatten(1).softmax(1).view_as(m)) for m in slices])
    elif subpixel == 'quadratic':
        points = _quadratic_peak(_log_above_minimum(window, bottom, top).view(-1, 3, 3), centre, peak)
        points = _inside(points, (w, h), -0.5)
    elif subpixel == 'local_expectation':
        radius = min(LOCAL_RADIUS, (min(h, w) - 1) // 2)
        window, centre = _window(flat, peak, (w, h), radius)
        side = 2 * radius + 1
        points = _mean((window / eps).softmax(dim=-1).view(-1, side, side)) + (centre - radius)
    else:
        points = peak
    shape = scores.shape[:2]
    points = torch.where(top.isfinite(), points.float(), torch.nan)  # no landmark is better than one in a corner
    return Sites(
        points.view(*shape, 2),
        confidence.clamp_(0, 1).float().view(shape),
        calibration.calibrated(covariance.float().view(*shape, 2, 2)) if with_covariance else None,
    )


def _check(scores: Tensor, eps: float) -> Tensor:
    if scores.ndim != 4 or min(scores.shape[-2:]) < 3:
        raise ValueError(f'scores must have the shape (B, K, h, w) with h, w >= 3, got {tuple(scores.shape)}')
    if not eps > 0:
        raise ValueError(f'eps must be positive, got {eps}')
    return scores if scores.dtype in (torch.float32, torch.float64) else scores.float()


def _inside(points: Tensor, size: Tuple[int, int], margin: float) -> Tensor:
    """Points (M, 2) moved to where they are at least ``margin`` px from the outermost pixels of a map of (w, h)."""
    # no tensor of the size: copying it to an accelerator would make the host wait
    return torch.stack([points[:, i].clamp(margin, size[i] - 1 - margin) for i in (0, 1)], dim=-1)


def _window(flat: Tensor, peak: Tensor, size: Tuple[int, int], radius: int) -> Tuple[Tensor, Tensor]:
    """Values (M, side * side) of flattened maps (M, h * w) around integer ``peak`` (M, 2), and the centre of the window
    (M, 2): the peak, moved inward at the border so that the window lies inside the map of ``size`` (w, h)."""
    centre = _inside(peak, size, radius)
    step = torch.arange(-radius, radius + 1, device=flat.device)
    offset = (step[:, None] * size[0] + step).flatten()
    return flat.gather(1, (centre[:, 1] * size[0] + centre[:, 0])[:, None] + offset), centre


def _cache_sized(maps: Tensor) -> Sequence[Tensor]:
    """Slices of the maps (M, h, w). On a GPU, all of them; on a CPU, 2 MiB each: what is computed from a slice then
    stays in the cache, and temporaries of the size of the whole batch, whose memory pages cost more than the
    arithmetic, are never made. Exported graphs must not depend on the size of the batch."""
    if maps.device.type != 'cpu' or _is_compiling() or not len(maps):
        return [maps]
    return torch.split(maps, max(1, CACHE_BYTES // (maps[0].numel() * maps.element_size())))


def _survey(maps: Tensor, posterior: Tensor, eps: float, subpixel: str, covariance: bool) -> Tuple[Tensor, ...]:
    """All that takes a look at every pixel of maps (M, h, w), or at those that were just read.

    ``posterior`` (M, h * w) is overwritten.

    Returns:
        Arg max (M, 2), maximum (M, 1), minimum (M, 1) and posterior of the arg max (M, 1); mean (M, 2) and
        covariance (M, 2, 2) of the posterior. The last two and the minimum are empty where nothing needs them.
    """
    w, flat, nothing = maps.shape[-1], maps.flatten(1), maps.new_empty(0)
    torch.softmax(flat if eps == 1 else flat / eps, -1, out=posterior)
    # In two steps, best row first: unlike argmax over the map, the maximum of a row is vectorised.
    y = maps.amax(dim=-1).max(dim=-1, keepdim=True).indices
    top, x = flat.gather(1, y * w + torch.arange(w, device=maps.device)).max(dim=-1, keepdim=True)
    peak = torch.cat([x, y], dim=-1)
    bottom = flat.amin(dim=-1, keepdim=True) if subpixel == 'quadratic' else nothing
    mean = _mean(posterior.view_as(maps)) if subpixel == 'expectation' or covariance else nothing
    second = second_moment(posterior.view_as(maps), mean, *_positions(maps)) if covariance else nothing
    return peak, top, bottom, posterior.gather(1, y * w + x), mean, second


def _positions(maps: Tensor, origin: Tuple[float, float] = (0.0, 0.0)) -> Tuple[Tensor, Tensor]:
    """Heatmap px of the columns (w,) and of the rows (h,), less ``origin``."""
    h, w = maps.shape[-2:]
    x, y = (torch.arange(n, dtype=maps.dtype, device=maps.device) - o for n, o in zip((w, h), origin))
    return x, y


def _mean(posterior: Tensor) -> Tensor:
    """Mean (..., 2) as (x, y) of maps (..., h, w) that sum to one."""
    # About the middle of the map: float32 maps sum to one but for 1e-6, which the distance from 0 would multiply.
    h, w = posterior.shape[-2:]
    middle = (w - 1) / 2, (h - 1) / 2
    mean = first_moment(posterior, *_positions(posterior, middle))
    return torch.stack([mean[..., 0] + middle[0], mean[..., 1] + middle[1]], dim=-1)


def _quadratic_peak(t: Tensor, centre: Tensor, peak: Tensor) -> Tensor:
    """Vertex (M, 2) of the paraboloid through the log scores t (M, 3, 3), [row, column], around ``centre`` (M, 2).

    Where the Hessian is not negative definite, or the vertex is further than :data:`MAX_STEP` from the arg max
    ``peak`` (M, 2), each axis takes its own one-dimensional step, which ends within half a pixel of the arg max; an
    axis that does not curve downwards keeps the arg max.
    """
    centre, peak = centre.to(t.dtype), peak.to(t.dtype)
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

    single = centre - gradient / curves.clamp(max=-tiny)
    single = torch.minimum(torch.maximum(single, peak - 0.5), peak + 0.5)
    single = torch.where(curves < 0, single, peak)

    return torch.where(trusted[..., None], newton, single)


def _log_above_minimum(values: Tensor, bottom: Tensor, top: Tensor) -> Tensor:
    """log((F - min F) / (max F - min F) + floor); zero for constant maps. Affine changes of F cancel."""
    limits = torch.finfo(values.dtype)
    # Masked pixels (-inf) count as the lowest finite score; halving keeps the differences finite as well.
    values, bottom, top = (x.clamp(min=limits.min) / 2 for x in (values, bottom, top))
    share = (values - bottom) / (top - bottom).clamp(min=limits.tiny)
    return torch.log(torch.where(top > bottom, share, torch.ones_like(share)) + LOG_FLOOR)

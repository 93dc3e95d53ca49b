"""The landmarks of a face as one Gaussian: sites, a shape prior and an annotation's offset, in closed form.

A score map gives a site: a landmark z_k with the (calibrated) covariance R_k. Faces give a prior N(mu, P) over all 2K
coordinates y, and the errors of the sites are correlated: R = H C H, with H the block-diagonal symmetric root of the
R_k and C the correlation of errors. Then::

    V = (P^-1 + R^-1)^-1,    x = mu + V R^-1 (z - mu)

are the mean and the covariance of y, and R^-1 = H^-1 C^-1 H^-1 is made of 2 x 2 roots: one inverse a face. A site that
says nothing has H_k^-1 = 0, and the prior stands in for it with its own width.

What is left is an error that depends on the face alone: E[y - x] = d + G (x - mu), the offset of the annotations, see
docs/joint.md. Coordinates are input px, in the order x_1, y_1, x_2, y_2, ...
"""

from typing import Dict, NamedTuple, Optional

import torch
from torch import Tensor, nn

from .calibration import Calibration

MIN_VARIANCE = 1e-4  # input px^2, of a site along any direction: what keeps R invertible


class Shape(NamedTuple):
    """What is known of faces before one is seen, input px.

    Attributes:
        mean: (2K,) mu.
        precision: (2K, 2K) P^-1.
        noise_precision: (2K, 2K) C^-1, of the errors of the sites, without unit.
    """

    mean: Tensor
    precision: Tensor
    noise_precision: Tensor


class Joined(NamedTuple):
    """The landmarks of B faces together.

    Attributes:
        points: (B, K, 2) mean, input px.
        covariance: (B, 2K, 2K), input px^2.
        distance: (B,) of the sites from what the shape expects, (z - mu)' (P + R)^-1 (z - mu) / 2K: about 1 for sites
            as the shape model draws them.
    """

    points: Tensor
    covariance: Tensor
    distance: Tensor


def inverse_roots(covariances: Tensor) -> Tensor:
    """R_k^-1/2 (..., 2, 2), symmetric, of covariances (..., 2, 2); 0 where one is not finite.

    The root of a 2 x 2 matrix A is (A + sqrt(det A) I) / sqrt(tr A + 2 sqrt(det A)). Symmetric roots, unlike
    Cholesky's, are mirrored with the face.
    """
    known = covariances.isfinite().all(dim=-1).all(dim=-1)[..., None, None]
    unit = torch.eye(2, dtype=covariances.dtype, device=covariances.device)
    covariances = torch.where(known, covariances, unit) + MIN_VARIANCE * unit
    a, b, c = covariances[..., 0, 0], covariances[..., 0, 1], covariances[..., 1, 1]
    root = (a * c - b * b).clamp(min=MIN_VARIANCE**2).sqrt()[..., None, None]
    adjugate = torch.stack([c, -b, -b, a], dim=-1).unflatten(-1, (2, 2))
    trace = (a + c)[..., None, None]
    return torch.where(known, (adjugate + root * unit) / (root * (trace + 2 * root).sqrt()), torch.zeros_like(adjugate))


def join(points: Tensor, covariances: Tensor, shape: Shape) -> Joined:
    """Mean x and covariance V of the landmarks of faces, from their sites.

    Args:
        points: (B, K, 2) z, input px. A site with a NaN or infinite number counts as missing.
        covariances: (B, K, 2, 2) R_k, input px^2, positive semi-definite.
        shape: Of K landmarks.

    Returns:
        In the dtype of the points. Computed in float64 (float32 on devices without it), whatever autocast says.

    Raises:
        ValueError: The shape is one of another number of landmarks.
    """
    count = points.shape[-2]
    if shape.mean.numel() != 2 * count:
        raise ValueError(f'a shape prior of {shape.mean.numel() // 2} landmarks cannot join {count}')
    with torch.autocast(points.device.type, enabled=False):
        work = torch.float32 if points.device.type == 'mps' else torch.float64
        mean, precision, noise = (value.to(work) for value in shape)
        known = points.isfinite().all(dim=-1)[..., None]
        deviation = torch.where(known, points.to(work) - mean.view(count, 2), 0.0)
        roots = torch.where(known[..., None], inverse_roots(covariances.to(work)), 0.0)
        # H^-1 C^-1 H^-1: the rows of C^-1 by the roots of their landmarks, then, as rows again, its columns
        rows = (roots @ noise.view(count, 2, 2 * count)).flatten(1, 2)
        whitened = (roots @ rows.mT.unflatten(1, (count, 2))).flatten(1, 2)
        pull = (roots @ ((roots @ deviation[..., None]).flatten(1) @ noise).view(-1, count, 2, 1)).flatten(1)
        covariance = torch.linalg.inv(whitened.add_(precision))  # in place: matrices of a batch outgrow the caches
        moved = (covariance @ pull[..., None]).squeeze(-1)
        distance = (pull * (deviation.flatten(1) - moved)).mean(dim=-1)
        joined = (mean + moved).view_as(points), covariance, distance
        return Joined(*(value.to(points.dtype) for value in joined))


def landmark_blocks(covariance: Tensor) -> Tensor:
    """The 2 x 2 covariances (..., K, 2, 2) of each landmark alone in (..., 2K, 2K)."""
    size, flat = covariance.shape[-1], covariance.flatten(-2)
    # strides, which ONNX has as well: it makes a diagonal of a whole matrix of zeros
    entries = [flat[..., row * size + column :: 2 * (size + 1)] for row in (0, 1) for column in (0, 1)]
    return torch.stack(entries, dim=-1).unflatten(-1, (2, 2))


def mean_deviation(covariance: Tensor) -> Tensor:
    """Root mean square distance (...,) that (..., 2K, 2K) expects, averaged over the landmarks."""
    variances = covariance.flatten(-2)[..., :: covariance.shape[-1] + 1]
    return variances.unflatten(-1, (-1, 2)).sum(dim=-1).sqrt().mean(dim=-1)


class JointPosterior(nn.Module):
    """All that is fitted after a training, as buffers, so that it travels in a checkpoint's ``state_dict``.

    A head takes it from there (:class:`mmpose_sp.models.heads.score_map_head.ScoreMapMixin`); tools/posterior.py makes
    it.

    Args:
        num_landmarks: K.

    Attributes:
        calibration_values: (5,) of :class:`Calibration`, whose covariances are those of the sites.
        mean, precision, noise_precision: See :class:`Shape`.
        offset, slope: (2K,) d in input px and (2K, 2K) G.
        spread: (3,) s, f (input px^2) and the tail weight (see :func:`mmpose_sp.faces.ellipse_radius`): the covariance
            to report is s V + f I.
        prior_deviation: () what :func:`mean_deviation` says of P, input px.
    """

    calibration_values: Tensor
    mean: Tensor
    precision: Tensor
    noise_precision: Tensor
    offset: Tensor
    slope: Tensor
    spread: Tensor
    prior_deviation: Tensor

    def __init__(self, num_landmarks: int) -> None:
        super().__init__()
        size = 2 * num_landmarks
        self.register_buffer('calibration_values', torch.tensor(Calibration()))
        self.register_buffer('mean', torch.zeros(size))
        self.register_buffer('precision', torch.eye(size))
        self.register_buffer('noise_precision', torch.eye(size))
        self.register_buffer('offset', torch.zeros(size))
        self.register_buffer('slope', torch.zeros(size, size))
        self.register_buffer('spread', torch.tensor([1.0, 0.0, 0.0]))
        self.register_buffer('prior_deviation', mean_deviation(torch.eye(size)))

    @classmethod
    def of_state(cls, state: Dict[str, Tensor], prefix: str = '') -> Optional['JointPosterior']:
        """An empty one for what a ``state_dict`` holds below ``prefix``, None if there is nothing."""
        mean = state.get(f'{prefix}mean')
        return None if mean is None else cls(mean.numel() // 2)

    @property
    def calibration(self) -> Calibration:
        """That of the sites."""
        return Calibration(*self.calibration_values.tolist()).checked()

    @property
    def shape(self) -> Shape:
        """Prior and correlation of errors."""
        return Shape(self.mean, self.precision, self.noise_precision)

    def forward(self, points: Tensor, covariances: Tensor, joint: str = 'offset') -> Joined:
        """Join sites, see :func:`join`; the covariances are calibrated anew.

        Args:
            points: (B, K, 2), input px.
            covariances: (B, K, 2, 2), input px^2, calibrated.
            joint: ``'prior'``, which mirrored faces mirror, or ``'offset'``, with the annotations' offset.

        Raises:
            ValueError: Another number of landmarks.
        """
        joined, covariance, distance = join(points, covariances, self.shape)
        if joint == 'offset':
            with torch.autocast(points.device.type, enabled=False):
                joined = joined + self.expected_error(joined)
        unit = torch.eye(covariance.shape[-1], dtype=covariance.dtype, device=covariance.device)
        return Joined(joined, torch.addcmul(self.spread[1] * unit, self.spread[0], covariance), distance)

    def quality(self, joined: Joined) -> Tensor:
        """Whether this is a face and can be trusted (B,): 1 minus the share of the prior's deviation that is left, the
        more the further the sites are from any face, exp(distance / 4). In [0, 1]; 0 where the picture told nothing."""
        left = mean_deviation(joined.covariance) / self.prior_deviation
        return (1 - left * (joined.distance / 4).exp()).clamp(0, 1)

    def expected_error(self, joined: Tensor) -> Tensor:
        """d + G (x - mu) (B, K, 2) of joined landmarks (B, K, 2), input px."""
        return (self.offset + (joined.flatten(1) - self.mean) @ self.slope.mT).view_as(joined)

"""Fits of the joint posterior: shape prior, correlation of errors and the annotations' offset, from annotated faces.

Pure functions on float64 tensors. Coordinates are input px; N faces of K landmarks; the constants were chosen on
validation faces (docs/joint.md).
"""

from typing import NamedTuple, Sequence, Tuple

import torch
from torch import Tensor

from .joint import Shape, inverse_roots, join

RIDGE = 2e-5  # px^2 per squared input width that every coordinate varies beyond what the faces say
WIDENING = 2.0  # of the covariance of the faces: those that come vary more than those that were seen
# How far a face's box may be off: shift and size as a share of the input's width (measured on the crops by landmarks
# that were found: 1.3% and 2.4%), and turn in radians. Without it the prior would know where the annotated box lies.
SHIFT, SIZE, TURN = 0.02, 0.02, 0.1
KEPT_CORRELATION = 0.7  # the rest of the correlation of errors is shrunk to its diagonal
OFFSET_RIDGE = 0.3  # pull of the prior on the slope of the offset, as a share of the faces


class SitesOfFaces(NamedTuple):
    """Sites and annotations of faces.

    Attributes:
        points: (N, K, 2).
        covariances: (N, K, 2, 2) px^2, calibrated.
        labels: (N, K, 2).
    """

    points: Tensor
    covariances: Tensor
    labels: Tensor

    def double(self) -> 'SitesOfFaces':
        """The same in float64."""
        return SitesOfFaces(*(value.double() for value in self))


def mirror(points: Tensor, flip_indices: Sequence[int], width: float) -> Tensor:
    """Landmarks (..., K, 2) of the mirrored face in an input of ``width`` px."""
    points = points[..., list(flip_indices), :]
    return torch.stack([width - 1 - points[..., 0], points[..., 1]], dim=-1)


def mirror_matrix(flip_indices: Sequence[int]) -> Tensor:
    """The (2K, 2K) signed permutation that :func:`mirror` is, but for its constant."""
    count = len(flip_indices)
    matrix = torch.zeros(count, 2, count, 2, dtype=torch.float64)
    for index, other in enumerate(flip_indices):
        matrix[index, 0, other, 0], matrix[index, 1, other, 1] = -1, 1
    return matrix.view(2 * count, 2 * count)


def similarity_directions(mean: Tensor) -> Tensor:
    """(4, 2K) by which the coordinates of a shape (2K,) change: shift along x and y, relative size, turn in radians.

    Small changes of a face's box, about the middle of the shape, to first order.
    """
    centred = mean.view(-1, 2) - mean.view(-1, 2).mean(dim=0)
    x, y = (torch.eye(2, dtype=mean.dtype)[i].repeat(len(centred)) for i in (0, 1))
    turned = torch.stack([-centred[:, 1], centred[:, 0]], dim=-1)
    return torch.stack([x, y, centred.flatten(), turned.flatten()])


def fit_prior(labels: Tensor, flip_indices: Sequence[int], width: float) -> Tuple[Tensor, Tensor]:
    """Mean (2K,) and covariance (2K, 2K) of the annotated faces and their mirror images.

    Args:
        labels: (N, K, 2) in crops as the test pipeline makes them, N at least 2.
        flip_indices: Of the landmark scheme.
        width: Of the input, px.
    """
    faces = torch.cat([labels, mirror(labels, flip_indices, width)]).flatten(1)
    mean = faces.mean(dim=0)
    covariance = WIDENING * (faces - mean).T @ (faces - mean) / len(faces)
    size = torch.tensor([SHIFT * width, SHIFT * width, SIZE, TURN], dtype=faces.dtype)
    slack = similarity_directions(mean) * size[:, None]
    return mean, covariance + slack.T @ slack + RIDGE * width**2 * torch.eye(len(mean), dtype=faces.dtype)


def fit_correlation(sites: SitesOfFaces, flip_indices: Sequence[int]) -> Tensor:
    """C (2K, 2K): correlation of whitened errors, mirrored ones too, shrunk towards the unit matrix."""
    errors = (sites.labels - sites.points)[..., None]
    whitened = (inverse_roots(sites.covariances) @ errors).flatten(1)
    second = whitened.T @ whitened / len(whitened)
    flip = mirror_matrix(flip_indices)
    second = (second + flip @ second @ flip.T) / 2
    root = second.diagonal().clamp(min=1e-12).rsqrt()
    unit = torch.eye(len(second), dtype=second.dtype)
    return KEPT_CORRELATION * (root[:, None] * second * root) + (1 - KEPT_CORRELATION) * unit


def fit_offset(joined: Tensor, labels: Tensor, mean: Tensor, covariance: Tensor, width: float) -> Tuple[Tensor, Tensor]:
    """d (2K,) and G (2K, 2K): what is left of the annotations as a linear function of the joined shape.

    A ridge regression whose penalty is the inverse of the prior's covariance: a change of shape that is rare, or one
    that a change of the box would bring about, can explain little.

    Args:
        joined: (N, K, 2) without offset.
        labels: (N, K, 2).
        mean, covariance: Of :func:`fit_prior`.
        width: Of the input, px.
    """
    errors, shapes = (labels - joined).flatten(1), joined.flatten(1) - mean
    mean_error, mean_shape = errors.mean(dim=0), shapes.mean(dim=0)
    centred = shapes - mean_shape
    wide = similarity_directions(mean) * torch.tensor([width, width, 1.0, 1.0], dtype=mean.dtype)[:, None] / 3
    penalty = OFFSET_RIDGE * len(shapes) * (covariance / WIDENING + wide.T @ wide)
    slope = torch.linalg.solve(centred.T @ centred + penalty, centred.T @ (errors - mean_error)).T
    return mean_error - slope @ mean_shape, slope


def scale_of(mean: Tensor, other: Tensor) -> Tensor:
    """How much larger the shape (2K,) ``mean`` is than ``other``: px of an input per px of another, for crops of one
    kind."""
    sizes = [(value.view(-1, 2) - value.view(-1, 2).mean(dim=0)).norm() for value in (mean, other)]
    return sizes[0] / sizes[1]


def fit_shape(sites: SitesOfFaces, flip_indices: Sequence[int], width: float) -> Tuple[Shape, Tensor, Tensor]:
    """Prior and correlation, and the offset (d, G) under them, of the sites of training faces.

    Args:
        sites: Of faces without augmentation.
        flip_indices: Of the landmark scheme.
        width: Of the input, px.
    """
    sites = sites.double()
    mean, covariance = fit_prior(sites.labels, flip_indices, width)
    correlation = fit_correlation(sites, flip_indices)
    shape = Shape(mean, torch.linalg.inv(covariance), torch.linalg.inv(correlation))
    joined = torch.cat([join(*part, shape)[0] for part in zip(sites.points.split(64), sites.covariances.split(64))])
    return (shape, *fit_offset(joined, sites.labels, mean, covariance, width))

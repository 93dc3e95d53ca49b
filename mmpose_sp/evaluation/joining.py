"""What joining landmarks brings: the joint posterior fitted to faces, and a table of its parts, one by one.

Coordinates are input px; N faces of K landmarks.
"""

from typing import Any, Callable, Dict, Iterator, NamedTuple, Optional, Sequence, Tuple

import numpy as np
import torch
from torch import Tensor

from mmpose_sp.faces import JOINT
from mmpose_sp.posterior import Calibration, JointPosterior, fitting, landmark_blocks
from mmpose_sp.posterior.joint import Shape, join, mean_deviation

from .reliability import coverage, ellipse_loss, fit_scale_and_floor, fit_tail_weight, rounded
from .scores import ced_auc, failure_rate, per_face_nme

PART = 64  # faces joined at once
OFFSETS = ('none', 'x shift', 'per landmark', 'by shape')
CONSTANTS = 4.0 ** np.arange(-4, 5)  # of the variance of a site, px^2, at an input of 128 px
BINS = 20  # of landmarks by confidence


class Faces(NamedTuple):
    """Faces with what a model says of each landmark alone.

    Attributes:
        points: (N, K, 2) sites, float64.
        covariances: (N, K, 2, 2) px^2, calibrated, float64; None for heatmaps, which have none.
        labels: (N, K, 2) annotations, float64.
        counted: (N, K) bool, the annotated ones.
        norm: (N,) normaliser of the benchmark, px.
        confidence: (N, K), as the model says; None where it is not known.
    """

    points: Tensor
    covariances: Optional[Tensor]
    labels: Tensor
    counted: np.ndarray
    norm: np.ndarray
    confidence: Optional[np.ndarray] = None

    def nme(self, found: Tensor) -> np.ndarray:
        """(N,) percent, of landmarks (N, K, 2)."""
        return per_face_nme(found.numpy(), self.labels.numpy(), self.norm, self.counted)

    def complete(self) -> 'Faces':
        """The faces whose landmarks are all annotated.

        Raises:
            ValueError: There are fewer than two.
        """
        whole = self.counted.all(axis=1)
        if whole.sum() < 2:
            raise ValueError('a shape prior needs two or more training faces whose landmarks are all annotated')
        keep = torch.from_numpy(whole)
        covariances = None if self.covariances is None else self.covariances[keep]
        confidence = None if self.confidence is None else self.confidence[whole]
        return Faces(
            self.points[keep], covariances, self.labels[keep], self.counted[whole], self.norm[whole], confidence
        )


def fit_joint_posterior(
    train: Faces,
    validation: Faces,
    calibration: Calibration,
    flip_indices: Sequence[int],
    width: float,
    like: Optional[JointPosterior] = None,
) -> JointPosterior:
    """Prior, correlation of errors and offset of training faces; the spread of what is joined, of validation faces.

    Args:
        train: Without augmentation, in crops of the test pipeline.
        validation: The same.
        calibration: That of the covariances.
        flip_indices: Of the landmark scheme.
        width: Of the input, px.
        like: Of another model of these landmarks, whose correlation and offset are taken: the training faces then
            need no sites.

    Raises:
        ValueError: Too few training faces, or ``like`` is one of other landmarks.
    """
    train = train.complete()
    if like is None:
        sites = fitting.SitesOfFaces(train.points, train.covariances, train.labels)
        shape, offset, slope = fitting.fit_shape(sites, flip_indices, width)
    else:
        mean, covariance = fitting.fit_prior(train.labels, flip_indices, width)
        if len(like.mean) != len(mean):
            raise ValueError(f'a posterior of {len(like.mean) // 2} landmarks is none of {len(mean) // 2}')
        shape = Shape(mean, torch.linalg.inv(covariance), like.noise_precision)
        offset, slope = fitting.scale_of(mean, like.mean.double()) * like.offset, like.slope
    posterior = JointPosterior(train.points.shape[1])
    fitted = dict(shape._asdict(), offset=offset, slope=slope, calibration_values=torch.tensor(calibration))
    fitted['prior_deviation'] = mean_deviation(torch.linalg.inv(shape.precision))
    posterior.load_state_dict({**fitted, 'spread': posterior.spread})
    found, covariances = joined_by(posterior, validation)
    errors, joined = (validation.labels - found).numpy()[validation.counted], covariances.numpy()[validation.counted]
    scale, floor = fit_scale_and_floor(errors, joined)
    tails = fit_tail_weight(errors, scale * joined + floor * np.eye(2))
    posterior.spread = torch.tensor([scale, floor, tails])
    return posterior


def joined_by(posterior: JointPosterior, faces: Faces, joint: str = 'offset') -> Tuple[Tensor, Tensor]:
    """Landmarks (N, K, 2) and their covariances (N, K, 2, 2), float64."""
    with torch.no_grad():
        parts = [
            posterior(*part, joint)
            for part in zip(faces.points.float().split(PART), faces.covariances.float().split(PART))
        ]
    return torch.cat([p[0] for p in parts]).double(), torch.cat([landmark_blocks(p[1]) for p in parts]).double()


def variance_by_confidence(train: Faces) -> Callable[[Faces], Tensor]:
    """What a confidence without a unit says of errors: a function of faces to variances (N, K) along each axis, px^2.

    The mean over :data:`BINS` equal parts of the training landmarks by confidence, never larger for more of it, and
    linear between the middles of these parts.
    """
    confidence = train.confidence[train.counted]
    squared = (train.labels - train.points).square().sum(dim=-1).numpy()[train.counted] / 2
    parts = [part for part in np.array_split(np.argsort(confidence, kind='stable'), BINS) if part.size]
    middles, means = (np.array([values[part].mean() for part in parts]) for values in (confidence, squared))
    falling = np.minimum.accumulate(means)
    return lambda faces: torch.from_numpy(np.interp(faces.confidence, middles, falling))


def noises(faces: Dict[str, Faces], prior: Callable, width: float) -> Iterator[Tuple[str, Callable, bool]]:
    """Ways to see the noise of a site: name, function of faces to covariances, and whether errors are correlated."""
    unit = torch.eye(2, dtype=torch.float64)

    def isotropic(variances: Callable, scale: float) -> Callable:
        return lambda part: scale * variances(part)[..., None, None] * unit

    def best_scale(variances: Callable) -> Callable:
        noises = [isotropic(variances, float(scale)) for scale in CONSTANTS]
        errors = [faces['val'].nme(prior(faces['val'], noise, False)).mean() for noise in noises]
        return noises[int(np.argmin(errors))]

    constant = (width / 128) ** 2
    yield (
        'prior, one constant isotropic R',
        best_scale(lambda part: torch.full(part.points.shape[:-1], constant, dtype=torch.float64)),
        False,
    )
    if faces['train'].confidence is not None:
        noise = best_scale(variance_by_confidence(faces['train']))
        yield 'prior, R by confidence', noise, False
        yield 'prior, R by confidence, correlated errors', noise, True
    if faces['val'].covariances is not None:
        yield (
            'prior, R_k made isotropic',
            lambda part: torch.linalg.det(part.covariances).clamp(min=0).sqrt()[..., None, None] * unit,
            False,
        )
        yield 'prior, full R_k', lambda part: part.covariances, False
        yield 'prior, full R_k, correlated errors', lambda part: part.covariances, True


def offsets(joined: Tensor, train: Faces, mean: Tensor, covariance: Tensor, width: float) -> Dict[str, Callable]:
    """By name, functions of joined landmarks to what is added to them, each fitted to ``joined`` training faces."""
    errors = train.labels - joined
    shift = torch.stack([errors[..., 0].mean(), errors.new_zeros(())])
    constant, slope = fitting.fit_offset(joined, train.labels, mean, covariance, width)
    per_landmark = errors.mean(dim=0)
    return {
        'none': torch.zeros_like,
        'x shift': lambda found: shift.expand_as(found),
        'per landmark': lambda found: per_landmark.expand_as(found),
        'by shape': lambda found: (constant + (found.flatten(1) - mean) @ slope.T).view_as(found),
    }


class Reading(NamedTuple):
    """Landmarks of faces by one way to see the noise of a site, with one offset.

    Attributes:
        noise, offset: Which.
        found: Of validation and test faces, (N, K, 2) each.
    """

    noise: str
    offset: str
    found: Dict[str, Tensor]


def readings(faces: Dict[str, Faces], flip_indices: Sequence[int], width: float) -> Iterator[Reading]:
    """Every noise with every offset, the sites alone first.

    Args:
        faces: ``train``, ``val`` and ``test``.
        flip_indices: Of the landmark scheme.
        width: Of the input, px.
    """
    train = faces['train'].complete()
    mean, covariance = fitting.fit_prior(train.labels, flip_indices, width)
    precision, size = torch.linalg.inv(covariance), len(mean)

    def prior(part: Faces, noise: Callable, correlated: bool) -> Tensor:
        correlation = torch.eye(size, dtype=torch.float64)
        if correlated:
            sites = fitting.SitesOfFaces(train.points, noise(train), train.labels)
            correlation = fitting.fit_correlation(sites, flip_indices)
        shape = Shape(mean, precision, torch.linalg.inv(correlation))
        return torch.cat([join(*batch, shape)[0] for batch in zip(part.points.split(PART), noise(part).split(PART))])

    ways = [('sites alone', lambda part: part.points)]
    for name, noise, correlated in noises(faces, prior, width):
        ways.append((name, lambda part, noise=noise, correlated=correlated: prior(part, noise, correlated)))
    for name, find in ways:
        joined = {split: find(part) for split, part in dict(faces, train=train).items()}
        added = offsets(joined['train'], train, mean, covariance, width)
        for offset in OFFSETS:
            found = {split: joined[split] + added[offset](joined[split]) for split in ('val', 'test')}
            yield Reading(name, offset, found)


def table(faces: Dict[str, Faces], flip_indices: Sequence[int], width: float, threshold: float) -> list:
    """:func:`readings` as dicts of noise, offset, and for each split NME, FR, AUC at a threshold in percent, and the
    gain in NME on the sites, with its interval of 95% (paired bootstrap over faces)."""
    return [
        dict(
            noise=reading.noise,
            offset=reading.offset,
            **{split: scores_of(found, faces[split], threshold) for split, found in reading.found.items()},
        )
        for reading in readings(faces, flip_indices, width)
    ]


def short_table(faces: Dict[str, Faces], posterior: JointPosterior, threshold: float) -> list:
    """The rows of :func:`table` that a given posterior has."""
    rows = [dict(noise='sites alone', offset='none')]
    rows += [dict(noise='joined', offset={'prior': 'none', 'offset': 'by shape'}[joint]) for joint in JOINT[1:]]
    for split in ('val', 'test'):
        part = faces[split]
        for row, found in zip(rows, [part.points, *(joined_by(posterior, part, joint)[0] for joint in JOINT[1:])]):
            row[split] = scores_of(found, part, threshold)
    return rows


def scores_of(found: Tensor, part: Faces, threshold: float) -> Dict[str, Any]:
    """NME, FR and AUC of landmarks, and the gain on the sites with its 95% interval."""
    nme = part.nme(found)
    gain = part.nme(part.points) - nme
    return dict(
        NME=round(float(nme.mean()), 3),
        FR=round(failure_rate(nme, threshold), 2),
        AUC=round(ced_auc(nme, threshold), 3),
        gain=round(float(gain.mean()), 3),
        interval=bootstrap(gain),
    )


def bootstrap(values: np.ndarray, draws: int = 5000, seed: int = 0) -> list:
    """95% interval of the mean of (N,) values, drawn again from themselves."""
    means = np.random.default_rng(seed).choice(values, (draws, len(values))).mean(axis=1)
    return rounded(np.quantile(means, [0.025, 0.975]), 3)


def ellipses(found: Tensor, covariances: Tensor, tail_weight: float, faces: Faces) -> Dict[str, Any]:
    """Log loss (nats a landmark, up to its constant) and coverage of the ellipses at :data:`reliability.LEVELS`."""
    errors, spread = (faces.labels - found).numpy()[faces.counted], covariances.numpy()[faces.counted]
    covered = coverage(errors, spread, tail_weight=tail_weight)
    return dict(log_loss=round(ellipse_loss(errors, spread, tail_weight), 3), coverage=rounded(covered, 3))

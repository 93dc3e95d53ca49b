"""What is fitted to training faces: against the definitions, face by face, in NumPy."""

import numpy as np
import pytest
import torch

from mmpose_sp.faces import find_scheme
from mmpose_sp.posterior import fitting

WIDTH = 64
FLIP = list(find_scheme('cofw').flip_indices)
COUNT = len(FLIP)


@pytest.fixture
def sites():
    """Of forty faces, in which nothing is symmetric; double precision."""
    rng = np.random.default_rng(0)
    labels = rng.uniform(8, 56, (1, COUNT, 2)) + rng.normal(0, 2, (40, COUNT, 2))
    half = rng.normal(size=(40, COUNT, 2, 2))
    covariances = half @ half.swapaxes(-1, -2) + 0.5 * np.eye(2)
    points = labels + rng.normal(0, 1, labels.shape) + rng.normal(0, 1, (40, 1, 2)) + [0.7, -0.3]
    return fitting.SitesOfFaces(*map(torch.from_numpy, (points, covariances, labels)))


def mirrored(points):
    """By hand: landmark by landmark, pixel 0 to pixel WIDTH - 1."""
    other = np.empty_like(points)
    for index, pair in enumerate(FLIP):
        other[..., index, 0] = (WIDTH - 1) - points[..., pair, 0]
        other[..., index, 1] = points[..., pair, 1]
    return other


def test_mirroring_takes_the_first_pixel_to_the_last(sites):
    np.testing.assert_array_equal(fitting.mirror(sites.points, FLIP, WIDTH), mirrored(sites.points.numpy()))


def test_directions_are_the_derivatives_of_similarities():
    mean = np.random.default_rng(1).uniform(0, 50, (COUNT, 2))
    step, middle = 1e-6, mean.mean(axis=0)
    turn = np.array([[np.cos(step), -np.sin(step)], [np.sin(step), np.cos(step)]])
    changed = [
        mean + [step, 0],
        mean + [0, step],
        middle + (1 + step) * (mean - middle),
        middle + (mean - middle) @ turn.T,
    ]
    found = fitting.similarity_directions(torch.from_numpy(mean.ravel()))
    np.testing.assert_allclose(found, [(other - mean).ravel() / step for other in changed], atol=1e-4)


def test_the_prior_is_the_widened_covariance_of_faces_and_mirrored_faces_in_unsteady_boxes(sites):
    labels = sites.labels.numpy()
    faces = np.concatenate([labels, mirrored(labels)]).reshape(80, -1)
    mean, covariance = fitting.fit_prior(sites.labels, FLIP, WIDTH)
    np.testing.assert_allclose(mean, faces.mean(axis=0))
    expected = fitting.WIDENING * np.cov(faces.T, ddof=0) + fitting.RIDGE * WIDTH**2 * np.eye(2 * COUNT)
    deviations = [fitting.SHIFT * WIDTH, fitting.SHIFT * WIDTH, fitting.SIZE, fitting.TURN]
    for deviation, direction in zip(deviations, fitting.similarity_directions(mean).numpy()):
        expected += deviation**2 * np.outer(direction, direction)
    np.testing.assert_allclose(covariance, expected, rtol=1e-9, atol=1e-12)


def whitened(points, covariances, labels):
    """Errors (2K,) of one face in units of its sites' own deviations."""
    errors = []
    for point, covariance, label in zip(points, covariances, labels):
        values, vectors = np.linalg.eigh(covariance)
        errors.append(vectors @ np.diag(values**-0.5) @ vectors.T @ (label - point))
    return np.ravel(errors)


def test_the_correlation_is_that_of_whitened_errors_of_faces_and_mirrored_faces(sites):
    points, covariances, labels = (value.numpy() for value in sites)
    sign = np.diag([-1.0, 1.0])
    other = mirrored(points), (sign @ covariances @ sign)[:, FLIP], mirrored(labels)
    errors = np.array([whitened(*face) for faces in (zip(points, covariances, labels), zip(*other)) for face in faces])
    second = errors.T @ errors / len(errors)
    root = np.sqrt(np.diag(second))
    kept = fitting.KEPT_CORRELATION
    expected = kept * second / np.outer(root, root) + (1 - kept) * np.eye(2 * COUNT)
    np.testing.assert_allclose(fitting.fit_correlation(sites, FLIP), expected, atol=2e-4)  # 1e-4 px^2 keep R invertible


def test_the_offset_is_a_ridge_regression(sites):
    """By least squares with the penalty as more rows; changes of the box are as dear as a third of the input."""
    mean, covariance = fitting.fit_prior(sites.labels, FLIP, WIDTH)
    offset, slope = fitting.fit_offset(sites.points, sites.labels, mean, covariance, WIDTH)
    shapes = (sites.points.flatten(1) - mean).numpy()
    errors = (sites.labels - sites.points).flatten(1).numpy()
    wide = fitting.similarity_directions(mean).numpy() * np.array([[WIDTH], [WIDTH], [1], [1]]) / 3
    penalty = fitting.OFFSET_RIDGE * len(shapes) * (covariance.numpy() / fitting.WIDENING + wide.T @ wide)
    rows = np.column_stack([np.ones(len(shapes)), shapes])
    more = np.column_stack([np.zeros(2 * COUNT), np.linalg.cholesky(penalty).T])
    targets = np.concatenate([errors, np.zeros((2 * COUNT, 2 * COUNT))])
    found = np.linalg.lstsq(np.concatenate([rows, more]), targets, rcond=None)[0]
    np.testing.assert_allclose(offset, found[0], atol=1e-7)
    np.testing.assert_allclose(slope, found[1:].T, atol=1e-7)


def test_a_shape_of_twice_the_size_has_the_scale_two():
    mean = torch.rand(2 * COUNT, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert float(fitting.scale_of(2 * mean + 5, mean)) == pytest.approx(2)

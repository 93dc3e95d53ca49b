"""Landmarks joined: against the dense formulas, mirrored, on bad sites, and what is fitted on faces of a known law."""

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from mmpose_sp.faces import find_scheme
from mmpose_sp.posterior import JointPosterior, fitting, landmark_blocks
from mmpose_sp.posterior.joint import Shape, inverse_roots, join, mean_deviation

WIDTH = 64
FLIP = find_scheme('cofw').flip_indices
COUNT = len(FLIP)


def covariance_matrix(size, generator, strength=1.0):
    root = torch.randn(size, 2 * size, generator=generator, dtype=torch.float64)
    return strength * root @ root.T / (2 * size)


@pytest.fixture
def problem():
    """Sites of four faces and a shape model; double precision."""
    generator = torch.Generator().manual_seed(0)
    prior = covariance_matrix(2 * COUNT, generator, 9.0) + 0.3 * torch.eye(2 * COUNT)
    correlation = covariance_matrix(2 * COUNT, generator)
    root = correlation.diagonal().rsqrt()
    correlation = 0.5 * root[:, None] * correlation * root + 0.5 * torch.eye(2 * COUNT)
    mean = WIDTH * torch.rand(2 * COUNT, generator=generator, dtype=torch.float64)
    half = torch.randn(4, COUNT, 2, 2, generator=generator, dtype=torch.float64)
    points = mean.view(COUNT, 2) + 3 * torch.randn(4, COUNT, 2, generator=generator, dtype=torch.float64)
    return points, half @ half.mT + 0.05 * torch.eye(2), mean, prior, correlation


def symmetric_root(matrix):
    values, vectors = torch.linalg.eigh(matrix)
    return vectors @ torch.diag(values.sqrt()) @ vectors.T


def shape_of(mean, prior, correlation):
    return Shape(mean, prior.inverse(), correlation.inverse())


def test_joining_is_the_dense_gaussian(problem):
    points, covariances, mean, prior, correlation = problem
    joined, covariance, distance = join(points, covariances, shape_of(mean, prior, correlation))
    for face in range(len(points)):
        root = torch.block_diag(*(symmetric_root(c) for c in covariances[face]))
        whole = torch.linalg.inv(prior + root @ correlation @ root)
        gain, deviation = prior @ whole, points[face].flatten() - mean
        expected = mean + gain @ deviation
        assert distance[face] == pytest.approx(float(deviation @ whole @ deviation) / (2 * COUNT), rel=1e-3)
        assert_close(joined[face].flatten(), expected, atol=2e-3, rtol=0)  # 1e-4 px^2 keep R invertible
        assert_close(covariance[face], prior - gain @ prior, atol=2e-3, rtol=0)
    blocks = landmark_blocks(covariance)
    assert_close(blocks[2, 5], covariance[2, 10:12, 10:12])


def test_inverse_roots_squared_are_the_inverse(problem):
    covariances = problem[1]
    root = inverse_roots(covariances)
    assert_close(root @ root @ covariances, torch.eye(2, dtype=torch.float64).expand_as(root), atol=5e-3, rtol=0)
    assert_close(root, root.mT)


def test_mirrored_sites_give_the_mirrored_face(problem):
    points, covariances, _, prior, correlation = problem
    faces = points + torch.randn(4, COUNT, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    sites = fitting.SitesOfFaces(points, covariances, faces)
    shape, _, _ = fitting.fit_shape(sites, FLIP, WIDTH)
    sign = torch.diag(torch.tensor([-1.0, 1.0], dtype=torch.float64))
    mirrored = fitting.mirror(points, FLIP, WIDTH), (sign @ covariances @ sign)[:, FLIP]
    joined, covariance, _ = join(points, covariances, shape)
    other, other_covariance, _ = join(*mirrored, shape)
    assert_close(other, fitting.mirror(joined, FLIP, WIDTH))
    flip = fitting.mirror_matrix(FLIP)
    assert_close(other_covariance, flip @ covariance @ flip.T)


@pytest.mark.parametrize('what', ['NaN point', 'NaN covariance', 'infinite covariance', 'infinite point'])
def test_a_site_that_says_nothing_is_imputed_with_the_width_of_the_prior(problem, what):
    points, covariances, mean, prior, correlation = problem
    value = float('nan') if 'NaN' in what else float('inf')
    (points if 'point' in what else covariances)[0, 3] = value
    joined, covariance, _ = join(points, covariances, shape_of(mean, prior, torch.eye(2 * COUNT, dtype=torch.float64)))
    known = [i for i in range(2 * COUNT) if i not in (6, 7)]
    noise = torch.block_diag(*covariances[0])[known][:, known]
    gain = prior[6:8][:, known] @ torch.linalg.inv(prior[known][:, known] + noise)
    assert_close(joined[0, 3], mean[6:8] + gain @ (points[0].flatten() - mean)[known], atol=2e-3, rtol=0)
    assert_close(covariance[0, 6:8, 6:8], prior[6:8, 6:8] - gain @ prior[known][:, 6:8], atol=2e-3, rtol=0)


def test_a_face_without_any_site_is_the_prior(problem):
    points, covariances, mean, prior, correlation = problem
    joined, covariance, _ = join(torch.full_like(points, torch.nan), covariances, shape_of(mean, prior, correlation))
    assert_close(joined[1].flatten(), mean)
    assert_close(covariance[1], prior, atol=1e-6, rtol=1e-6)


def test_singular_sites_stay_where_they_are(problem):
    points, covariances, mean, prior, correlation = problem
    covariances[:] = 0
    joined, covariance, _ = join(points, covariances, shape_of(mean, prior, correlation))
    assert_close(joined, points, atol=5e-3, rtol=0)
    assert (torch.linalg.eigvalsh(covariance) > 0).all()


def test_half_precision_outside_changes_nothing_inside(problem):
    points, covariances, mean, prior, correlation = (value.float() for value in problem)
    model = JointPosterior(COUNT)
    model.mean, model.precision, model.noise_precision = shape_of(mean, prior, correlation)
    expected = model(points, covariances)
    with torch.autocast('cpu', torch.bfloat16):
        for value, other in zip(model(points, covariances), expected):
            assert value.dtype == torch.float32 and torch.equal(value, other)


def test_what_is_reported_is_the_joint_with_its_offset_and_fitted_spread(problem):
    points, covariances, mean, prior, correlation = (value.float() for value in problem)
    model = JointPosterior(COUNT)
    model.mean, model.precision, model.noise_precision = shape = shape_of(mean, prior, correlation)
    generator = torch.Generator().manual_seed(3)
    model.offset, model.slope = (torch.randn(n, generator=generator) for n in ((2 * COUNT,), (2 * COUNT, 2 * COUNT)))
    joined, covariance, distance = join(points, covariances, shape)
    as_it_is = model(points, covariances, 'prior')
    assert_close(as_it_is.points, joined)
    assert_close(as_it_is.covariance, covariance)
    model.spread = torch.tensor([2.0, 0.3, 0.1])
    found = model(points, covariances)
    for face in range(len(points)):
        error = model.offset + model.slope @ (joined[face].flatten() - mean)
        assert_close(found.points[face].flatten(), joined[face].flatten() + error, atol=1e-4, rtol=1e-4)
        assert_close(found.covariance[face], 2 * covariance[face] + 0.3 * torch.eye(2 * COUNT))
    assert torch.equal(found.distance, distance)


def test_another_number_of_landmarks_is_refused(problem):
    with pytest.raises(ValueError, match='prior of 5 landmarks cannot join 29'):
        JointPosterior(5)(problem[0], problem[1])


def test_quality_falls_with_what_is_open_and_with_what_no_face_looks_like(problem):
    points, covariances, mean, prior, correlation = (value.float() for value in problem)
    model = JointPosterior(COUNT)
    model.mean, model.precision, model.noise_precision = shape_of(mean, prior, correlation)
    model.prior_deviation = mean_deviation(prior)

    def quality(shift=0.0, widen=1.0):
        shifted = mean.view(COUNT, 2) + shift * torch.randn(COUNT, 2, generator=torch.Generator().manual_seed(2))
        joined = model(shifted.expand_as(points), widen * covariances)
        found = float(model.quality(joined)[0])
        left, before = (
            np.mean([float(matrix[2 * k, 2 * k] + matrix[2 * k + 1, 2 * k + 1]) ** 0.5 for k in range(COUNT)])
            for matrix in (joined.covariance[0], prior)
        )
        expected = 1 - left / before * np.exp(float(joined.distance[0]) / 4)
        assert found == pytest.approx(max(expected, 0), abs=1e-4)
        return found

    values = [quality(), quality(widen=4.0), quality(widen=100.0)]
    assert 1 > values[0] > values[1] > values[2] >= 0 and quality(shift=1.0) < values[0]
    assert quality(shift=60.0) == 0
    assert quality(widen=float('nan')) == pytest.approx(0, abs=1e-3), 'a picture that says nothing'


def test_it_travels_in_a_state_dict():
    model = JointPosterior(3)
    model.offset += 1
    state = {f'head.posterior.{key}': value for key, value in model.state_dict().items()}
    other = JointPosterior.of_state(state, 'head.posterior.')
    assert other.mean.shape == (6,) and JointPosterior.of_state(state, 'neck.') is None
    other.load_state_dict(model.state_dict())
    assert_close(other.offset, model.offset)


def drawn_faces(number, generator):
    """Faces and sites of a symmetric law, but that annotations lie 2 px to the right, and more so in wide faces."""
    middle = torch.rand(COUNT, 2, generator=generator, dtype=torch.float64) * 40 + 12
    middle = (middle + fitting.mirror(middle, FLIP, WIDTH)) / 2
    width = torch.randn(number, generator=generator, dtype=torch.float64)
    bend = torch.randn(number, generator=generator, dtype=torch.float64)
    faces = middle + 0.3 * torch.randn(number, COUNT, 2, generator=generator, dtype=torch.float64)
    faces[..., 0] += 0.05 * width[:, None] * (middle[:, 0] - (WIDTH - 1) / 2)
    faces[..., 1] += 3 * bend[:, None] * torch.sin(middle[:, 0] / 9)
    variance = 0.2 + 3 * torch.rand(number, COUNT, generator=generator, dtype=torch.float64)
    noise = torch.randn(number, COUNT, 2, generator=generator, dtype=torch.float64)
    points = faces + variance.sqrt()[..., None] * noise
    lean = torch.zeros_like(faces)
    lean[..., 0] = 2 + 0.5 * width[:, None]
    return fitting.SitesOfFaces(points, variance[..., None, None] * torch.eye(2, dtype=torch.float64), faces + lean)


def test_fitted_on_faces_of_a_known_law_it_finds_others_better_than_their_sites():
    generator = torch.Generator().manual_seed(0)
    sites = drawn_faces(600, generator)
    train, test = (fitting.SitesOfFaces(*(value[part] for value in sites)) for part in (slice(400), slice(400, 600)))
    shape, offset, slope = fitting.fit_shape(train, FLIP, WIDTH)
    model = JointPosterior(COUNT)
    model.mean, model.precision, model.noise_precision = (value.float() for value in shape)
    model.offset, model.slope = offset.float(), slope.float()
    points, covariances = test.points.float(), test.covariances.float()
    leaning = {joint: (test.labels - model(points, covariances, joint)[0]) for joint in ('prior', 'offset')}
    assert leaning['prior'].mean(dim=(0, 1))[0] == pytest.approx(2, abs=0.1)
    assert leaning['offset'].mean(dim=(0, 1)).abs().max() < 0.1
    error = {joint: errors.norm(dim=-1).mean() for joint, errors in leaning.items()}
    error['sites'] = (test.labels - points).norm(dim=-1).mean()
    assert error['offset'] < 0.5 * error['sites'] and error['prior'] < 0.9 * error['sites']


def test_the_offset_does_not_depend_on_where_the_box_is():
    generator = torch.Generator().manual_seed(0)
    shape, _, slope = fitting.fit_shape(drawn_faces(400, generator), FLIP, WIDTH)
    directions = fitting.similarity_directions(shape.mean)
    moved = (directions * torch.tensor([1.0, 1.0, 0.05, 0.05], dtype=torch.float64)[:, None]) @ slope.T
    assert moved.abs().max() < 0.05  # px, for a box that is off by 1 px, 5% or 3 degrees

"""Calibration on posteriors whose coverage is known in closed form."""

import numpy as np
import pytest
import torch
from scipy import stats

from mmpose_sp.evaluation import reliability as measures
from mmpose_sp.posterior import Calibration, read_sites

SIZE, FACES, LANDMARKS = 32, 40, 50
SIGMA = np.array([[3.0, 1.0], [1.0, 2.0]])  # heatmap px^2


def gaussian_scores(centres):
    """(N, K, h, w) of -(x - c)' SIGMA^-1 (x - c) / 2, whose posterior is a Gaussian of covariance SIGMA."""
    ys, xs = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing='ij')
    offset = torch.stack([xs, ys], dim=-1).double() - torch.as_tensor(centres)[:, :, None, None]
    return -0.5 * torch.einsum('nkhwi,ij,nkhwj->nkhw', offset, torch.as_tensor(np.linalg.inv(SIGMA)), offset)


@pytest.fixture(scope='module')
def drawn():
    """Scores, the centres of their posteriors, and standard normal errors in the metric of SIGMA."""
    rng = np.random.default_rng(0)
    centres = rng.uniform(12, 20, (FACES, LANDMARKS, 2))
    errors = rng.standard_normal((FACES, LANDMARKS, 2)) @ np.linalg.cholesky(SIGMA).T
    return gaussian_scores(centres), centres, errors


@pytest.mark.parametrize('factor', [0.25, 1.0, 4.0])
def test_coverage_of_errors_of_another_variance(drawn, factor):
    scores, _, errors = drawn
    covariances = read_sites(scores).covariance
    covered = measures.coverage(np.sqrt(factor) * errors.reshape(-1, 2), covariances.numpy().reshape(-1, 2, 2))
    # e' C^-1 e / factor is chi^2 of two degrees of freedom, whose distribution is 1 - exp(-x / 2)
    expected = 1 - (1 - np.array(measures.LEVELS)) ** (1 / factor)
    np.testing.assert_allclose(covered, expected, atol=0.03)  # 3 standard deviations of a share of 2000


@pytest.mark.parametrize('factor', [0.5, 2.5])
def test_the_fit_makes_the_ellipses_cover_what_they_say(drawn, factor):
    scores, centres, errors = drawn
    errors = np.sqrt(factor) * errors
    labels, predictions = (torch.as_tensor(values) for values in (centres + errors, centres))
    calibration = measures.fit_calibration(scores, labels, predictions)
    covariances = read_sites(scores, calibration=calibration).covariance
    covered = measures.coverage(errors.reshape(-1, 2), covariances.numpy().reshape(-1, 2, 2))
    np.testing.assert_allclose(covered, measures.LEVELS, atol=0.035)


@pytest.mark.parametrize('temperature', [0.6, 1.7])
def test_the_fit_finds_the_temperature_of_hits_drawn_from_the_posterior(drawn, temperature):
    scores, centres, _ = drawn
    rng = np.random.default_rng(1)
    probability = (scores / temperature).flatten(2).softmax(-1).numpy().reshape(-1, SIZE * SIZE)
    index = np.array([rng.choice(SIZE * SIZE, p=row) for row in probability]).reshape(FACES, LANDMARKS)
    labels = torch.as_tensor(np.stack([index % SIZE, index // SIZE], axis=-1)).double()
    calibration = measures.fit_calibration(scores, labels, torch.as_tensor(centres))
    assert calibration.temperature == pytest.approx(temperature, rel=0.1)


@pytest.mark.parametrize('scale, floor', [(0.85, 0.03), (1.2, 0.1)])
def test_the_fit_finds_scale_and_floor_of_errors_drawn_with_them(scale, floor):
    rng = np.random.default_rng(3)
    spreads = rng.gamma(2.0, 0.1, (40000, 2))
    covariances = np.einsum('md,de->mde', spreads, np.eye(2))
    errors = rng.normal(size=(40000, 2)) * np.sqrt(scale * spreads + floor)
    assert measures.fit_scale_and_floor(errors, covariances) == pytest.approx((scale, floor), rel=0.05)


def heavy_errors(degrees, count):
    """Errors of Student's t with the covariances that are returned, too; its sums of squares are no Gaussian's."""
    rng = np.random.default_rng(5)
    roots = rng.normal(size=(count, 2, 2))
    scales = roots @ roots.transpose(0, 2, 1) + 0.1 * np.eye(2)
    gaussian = np.einsum('mij,mj->mi', np.linalg.cholesky(scales), rng.normal(size=(count, 2)))
    errors = gaussian / np.sqrt(rng.chisquare(degrees, count) / degrees)[:, None]
    return errors, scales * degrees / (degrees - 2)


def test_the_fit_finds_the_tails_of_errors_drawn_with_them():
    errors, covariances = heavy_errors(6, 60000)
    tails = measures.fit_tail_weight(errors, covariances)
    assert tails == pytest.approx(1 / 6, abs=0.01)
    np.testing.assert_allclose(
        measures.coverage(errors, covariances, (0.5, 0.9, 0.95), tails), [0.5, 0.9, 0.95], atol=0.01
    )


def test_gaussian_errors_have_no_tails():
    rng = np.random.default_rng(6)
    errors = rng.normal(size=(60000, 2))
    assert measures.fit_tail_weight(errors, np.tile(np.eye(2), (60000, 1, 1))) < 0.01


@pytest.mark.parametrize('degrees', [3.0, 6.0, 1e7])
def test_the_loss_is_the_density_of_students_t(degrees):
    errors, covariances = heavy_errors(6, 50)
    expected = [
        -stats.multivariate_t(shape=covariance * (degrees - 2) / degrees, df=degrees).logpdf(error) - np.log(2 * np.pi)
        for error, covariance in zip(errors, covariances)
    ]
    assert measures.ellipse_loss(errors, covariances, 1 / degrees) == pytest.approx(np.mean(expected), abs=1e-6)
    if degrees > 1e6:
        assert measures.ellipse_loss(errors, covariances) == pytest.approx(np.mean(expected), abs=1e-5)


def test_the_grid_variance_is_that_of_bilinear_labels():
    rng = np.random.default_rng(2)
    fractions = rng.uniform(size=(1, 4000, 2))
    posterior = torch.zeros(1, 4000, 4, 4, dtype=torch.float64)
    for index, (fx, fy) in enumerate(fractions[0]):
        posterior[0, index, 1:3, 1:3] = torch.as_tensor(np.outer([1 - fy, fy], [1 - fx, fx]))
    covariances = read_sites(posterior.clamp(min=1e-30).log()).covariance
    np.testing.assert_allclose(covariances.mean(dim=(0, 1)), np.eye(2) / 6, atol=5e-3)


def test_reliability_by_hand():
    curve = measures.reliability(np.array([0.2, 0.9, 0.4, 0.7]), np.array([False, True, True, True]), bins=2)
    np.testing.assert_allclose(curve.confidence, [0.3, 0.8])
    np.testing.assert_allclose(curve.hits, [0.5, 1.0])
    assert curve.expected_error == pytest.approx(0.2)


def test_window_moves_inward_at_the_border():
    scores = torch.zeros(1, 1, 6, 8)
    scores[0, 0, 5, 0] = 1
    labels = torch.tensor([[[2.4, 2.6]]])  # the window is x 0..2, y 3..5
    assert measures.in_window(scores, labels).all()
    assert not measures.in_window(scores, labels - torch.tensor([0.0, 0.2])).any()


@pytest.mark.parametrize(
    'name, value',
    [
        ('temperature', 0.0),
        ('temperature', 'warm'),
        ('covariance_scale', -1.0),
        ('covariance_floor', float('nan')),
        ('tail_weight', 0.5),
    ],
)
def test_wrong_calibrations_of_a_checkpoint_are_named(name, value):
    with pytest.raises(ValueError, match=name):
        Calibration(**{name: value}).checked()

import numpy as np
import pytest
from scipy import stats

from mmpose_sp.faces import ellipse_radius

LEVELS = np.array([0.0, 0.1, 0.5, 0.9, 0.95, 0.999])


@pytest.mark.parametrize('degrees', [2.5, 6.0, 40.0])
def test_the_radius_is_that_of_the_f_distribution(degrees):
    # e' S^-1 e / 2 of the scale matrix S = (nu - 2) / nu C is distributed as F with 2 and nu degrees of freedom
    expected = np.sqrt(2 * stats.f.ppf(LEVELS, 2, degrees) * (degrees - 2) / degrees)
    np.testing.assert_allclose(ellipse_radius(LEVELS, 1 / degrees), expected, rtol=1e-9)


def test_without_tails_it_is_that_of_the_gaussian():
    np.testing.assert_allclose(ellipse_radius(LEVELS), np.sqrt(stats.chi2.ppf(LEVELS, 2)), rtol=1e-12)


def test_the_gaussian_is_the_limit_of_light_tails():
    np.testing.assert_allclose(ellipse_radius(LEVELS, 1e-9), ellipse_radius(LEVELS), rtol=1e-7)

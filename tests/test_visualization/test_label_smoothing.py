"""The pictures of the label smoothing."""

import cv2
import numpy as np
import pytest

from mmpose_sp.codecs import ImageAwareLabelSmoothing
from mmpose_sp.visualization import gaussian_density, image_patch, label_heatmap, plot_spread, plot_stages


@pytest.fixture(scope='module')
def codec():
    return ImageAwareLabelSmoothing((128, 128), (32, 32), boundaries='cofw')


@pytest.fixture(scope='module')
def landmarks():
    return np.random.default_rng(0).uniform(30, 98, (29, 2)).astype(np.float32)


def test_gaussian_has_its_level_lines_at_the_standard_deviations():
    covariance = np.array([[4.0, 1.0], [1.0, 2.0]])
    along = 2 * np.linalg.cholesky(covariance)[:, 0]  # Mahalanobis distance 2
    assert gaussian_density(covariance, along) == pytest.approx(np.exp(-2))


def test_singular_covariance_is_refused():
    with pytest.raises(ValueError, match='singular'):
        gaussian_density(np.zeros((2, 2)), np.zeros(2))


def test_label_heatmap_peaks_at_each_landmark():
    points = np.array([[5.0, 7.0], [20.0, 3.0]])
    heatmap = label_heatmap(points, np.stack([np.diag([1.0, 4.0]), np.eye(2)]), (30, 12))
    assert heatmap.shape == (12, 30)
    assert heatmap[7, 5] == heatmap[3, 20] == 1
    assert heatmap[9, 5] == pytest.approx(np.exp(-0.5)) and heatmap[7, 7] == pytest.approx(np.exp(-2))


def test_image_patch_is_centred_on_the_landmark():
    image = np.zeros((64, 64, 3), np.uint8)
    image[38:43, 18:23] = 255  # centre (20, 40)
    patch = image_patch(image, np.array([20.0, 40.0]), np.array([4.0, 4.0]), cells=9, pixels=91)
    y, x = np.nonzero(patch[..., 0] > 128)
    assert (x.mean(), y.mean()) == pytest.approx((45, 45), abs=0.5)


def test_stages_and_spread_are_written(tmp_path, codec, landmarks):
    image = np.full((128, 128, 3), 128, np.uint8)
    annotations = landmarks + np.random.default_rng(1).normal(size=(5, 29, 2))
    for path in (
        plot_stages(image, landmarks, codec, [0, 8], str(tmp_path / 'stages.png')),
        plot_spread(image, landmarks, codec, [0, 8], str(tmp_path / 'spread.png'), annotations),
    ):
        assert np.ptp(cv2.imread(path)) > 100


@pytest.mark.parametrize('size, landmark, message', [(64, 0, 'input_size'), (128, 29, '0 to 28')])
def test_another_image_or_landmark_is_refused(tmp_path, codec, landmarks, size, landmark, message):
    with pytest.raises(ValueError, match=message):
        plot_stages(np.zeros((size, size, 3), np.uint8), landmarks, codec, [landmark], str(tmp_path / 'a.png'))

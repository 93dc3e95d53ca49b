"""Drawing on images."""

import numpy as np
import pytest

from mmpose_sp.apis import ImageResult, draw_result
from mmpose_sp.faces import transform_points
from mmpose_sp.visualization import (
    GREEN,
    RED,
    confidence_colors,
    crop_around,
    draw_boundaries,
    draw_comparison,
    draw_confidence,
    draw_landmarks,
    draw_polyline,
    draw_uncertainty,
    ellipse_axes,
    normalise,
    overlay_heatmap,
)

POINTS = np.array([[20.0, 20.0], [40.0, 30.0]])


def centroid(image, channel):
    """Centre of mass (x, y) of a channel."""
    mass = image[..., channel].astype(float)
    y, x = np.mgrid[: mass.shape[0], : mass.shape[1]]
    return np.array([(mass * x).sum(), (mass * y).sum()]) / mass.sum()


@pytest.fixture
def black():
    return np.zeros((60, 80, 3), np.uint8)


@pytest.mark.parametrize('point', [(30.0, 20.0), (30.5, 20.25), (41.75, 33.5)])
def test_landmarks_are_drawn_where_they_are(black, point):
    drawn = draw_landmarks(black, np.array([point]), (255, 255, 255), radius=4)
    assert np.abs(centroid(drawn, 0) - point).max() < 0.15


@pytest.mark.parametrize(
    'drawn',
    [
        lambda image: draw_landmarks(image, POINTS),
        lambda image: draw_confidence(image, POINTS, np.ones(2)),
        lambda image: draw_polyline(image, POINTS),
        lambda image: draw_boundaries(image, [POINTS]),
        lambda image: draw_comparison(image, POINTS, POINTS + 9),
        lambda image: draw_uncertainty(image, POINTS, 9 * np.eye(2)[None].repeat(2, 0)),
        lambda image: overlay_heatmap(image, np.eye(9)),
    ],
)
def test_the_image_itself_is_not_changed(black, drawn):
    result = drawn(black)
    assert result.any() and not black.any()
    assert drawn(black[..., 0]).shape == (60, 80, 3)  # gray


@pytest.mark.parametrize(
    'drawn',
    [
        lambda image: draw_landmarks(image, POINTS[:0]),
        lambda image: draw_polyline(image, POINTS[:1]),
        lambda image: draw_boundaries(image, []),
        lambda image: draw_result(image, ImageResult(''), ()),
    ],
)
def test_with_nothing_to_draw_the_result_is_a_copy(black, drawn):
    assert not np.shares_memory(drawn(black), black)


def test_ground_truth_is_green_and_prediction_red(black):
    drawn = draw_comparison(black, np.array([[20.0, 20.0]]), np.array([[50.0, 40.0]]), radius=3)
    assert tuple(drawn[20, 20]) == GREEN and tuple(drawn[40, 50]) == RED


def test_missing_landmarks_are_not_drawn(black):
    assert not draw_landmarks(black, np.array([[np.nan, 10], [np.inf, 10]])).any()


def test_landmarks_far_outside_do_no_harm(black):
    assert not draw_landmarks(black, np.array([[1e12, -1e12]])).any()


def test_confidence_runs_from_red_over_yellow_to_green():
    red, yellow, green = [0, 0, 255], [0, 255, 255], [0, 255, 0]
    assert confidence_colors(np.array([0, 0.5, 1, 7, np.nan])).tolist() == [red, yellow, green, green, red]


@pytest.mark.parametrize('angle', [0.0, 30.0, 90.0, 150.0])
def test_ellipse_of_a_rotated_covariance(angle):
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    rotation = np.array([[c, -s], [s, c]])
    covariance = rotation @ np.diag([9.0, 4.0]) @ rotation.T
    major, minor, found = ellipse_axes(covariance, n_std=2)
    assert (major, minor) == pytest.approx((6, 4))
    assert abs((found - angle + 90) % 180 - 90) < 1e-6


def test_ellipse_is_drawn_along_its_long_axis(black):
    drawn = draw_uncertainty(black, np.array([[40.0, 30.0]]), np.diag([100.0, 4.0])[None], n_std=2)
    y, x = np.nonzero(drawn[..., 2] > 128)
    assert (x.min(), x.max()) == pytest.approx((20, 60), abs=1)
    assert (y.min(), y.max()) == pytest.approx((26, 34), abs=1)


def test_indefinite_and_asymmetric_covariances_are_refused():
    with pytest.raises(ValueError, match='semi-definite'):
        ellipse_axes(np.diag([1.0, -1.0]))
    with pytest.raises(ValueError, match='symmetric'):
        ellipse_axes(np.array([[1.0, 0.5], [0.0, 1.0]]))


@pytest.mark.parametrize('size', [32, 200])
def test_crop_keeps_landmarks_on_their_pixels(size):
    """A white square in the picture must lie at its transformed centre, both when enlarged and when shrunk."""
    image = np.zeros((300, 400, 3), np.uint8)
    image[140:161, 200:221] = 255  # centre (210, 150)
    points = np.array([[100.0, 80.0], [320.0, 220.0]])
    crop, matrix = crop_around(image, points, size)
    assert crop.shape == (size, size, 3)
    inside = transform_points(points, matrix)
    assert np.allclose(inside.mean(0), (size - 1) / 2)
    assert np.abs(centroid(crop - crop.min(), 0) - transform_points(np.array([210.0, 150.0]), matrix)).max() < 0.15


def test_crop_without_a_finite_landmark_is_refused(black):
    with pytest.raises(ValueError, match='no finite landmark'):
        crop_around(black, np.full((3, 2), np.nan))


def test_normalise_scales_to_the_unit_range():
    assert normalise(np.array([-3.0, 1.0, 5.0])).tolist() == [0, 0.5, 1]
    assert normalise(np.full(3, 7.0)).tolist() == [0, 0, 0]


def test_overlay_peak_is_where_the_heatmap_peaks(black):
    heatmap = np.zeros((15, 20))
    heatmap[5, 12] = 1  # image px: 4 (12 + 0.5) - 0.5 = 49.5, 4 (5 + 0.5) - 0.5 = 21.5
    drawn = overlay_heatmap(black, heatmap)
    assert np.abs(centroid(drawn, 2) - (49.5, 21.5)).max() < 0.2

"""Jitter and lag by hand, and the rival of the comparison."""

import numpy as np
import pytest
from tools_by_path import load_tool

from mmpose_sp.faces import transform_points

tracking = load_tool('analysis_tools/benchmark_tracking')
SHAPE = np.random.default_rng(0).uniform(20, 100, (68, 2))


@pytest.fixture
def video():
    """A moving face without noise."""
    matrices = tracking.head_motion(np.array([60.0, 60.0]), 200, True, 40.0)
    landmarks = np.array([transform_points(SHAPE, matrix) for matrix in matrices])
    return tracking.Video(landmarks, np.tile(np.eye(2), (200, 68, 1, 1)), matrices, np.zeros((200, 68, 2)), 40.0)


def test_a_delay_of_two_frames_is_a_lag_of_two(video):
    late = np.concatenate([video.landmarks[:2], video.landmarks[:-2]])
    assert tracking.scores(video, video.landmarks)['lag'] == pytest.approx(0, abs=1e-9)
    assert tracking.scores(video, late)['lag'] == pytest.approx(2, rel=0.01)


def test_jitter_of_independent_noise(video):
    """The change of two independent errors of deviation s along two axes is 2 s, in percent of the unit."""
    noise = np.random.default_rng(1).normal(0, 0.2, video.landmarks.shape)
    assert tracking.scores(video, video.landmarks + noise)['jitter'] == pytest.approx(100 * 2 * 0.2 / 40, rel=0.1)
    assert tracking.scores(video, video.landmarks + 3)['jitter'] < 0.5, 'what stays is no jitter'


def test_the_lag_of_the_mouth_is_that_of_the_mouth_alone(video):
    lips = [type('', (), dict(name='outer_lip', indices=(0, 1, 2, 3)))]
    talking = tracking.with_mouth(video, lips)
    assert np.abs(talking.moved).max() == pytest.approx(0.18 * 40)
    stuck = talking.landmarks.copy()  # the head is in time, the mouth a frame late
    stuck[1:] += np.einsum('tij,tkj->tki', video.matrices[1:, :, :2], talking.moved[:-1] - talking.moved[1:])
    assert tracking.scores(talking, stuck)['lag'] == pytest.approx(1)


def test_one_euro_passes_what_does_not_move_and_follows_better_when_fast(video):
    still = video._replace(landmarks=np.tile(SHAPE, (50, 1, 1)))
    np.testing.assert_allclose(tracking.one_euro(still, 0.01, 5.0), still.landmarks)
    slow, fast = (tracking.scores(video, tracking.one_euro(video, 0.01, beta))['lag'] for beta in (5.0, 80.0))
    assert 0 < fast < slow


def test_our_filter_has_the_lag_of_none_and_less_jitter(video):
    noise = np.random.default_rng(2).normal(0, 0.15, video.landmarks.shape)
    noisy = video._replace(landmarks=video.landmarks + noise)
    none, ours = tracking.scores(noisy, noisy.landmarks), tracking.scores(noisy, tracking.ours(noisy))
    assert ours['jitter'] < 0.7 * none['jitter'] and abs(ours['lag']) < 0.1

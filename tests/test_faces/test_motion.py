"""The filter of a face's landmarks, against closed forms and against joint Gaussian regression."""

import numpy as np
import pytest

from mmpose_sp.faces import motion

SHAPE = np.random.default_rng(0).uniform(-50, 50, (20, 2))
NOISE = np.tile(np.array([[4.0, 1.0], [1.0, 2.0]]), (20, 1, 1))


def similarity(scale, degrees, x, y):
    angle = np.radians(degrees)
    return scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]), np.array([x, y])


def filtered(frames, covariances=NOISE):
    states = [motion.start(frames[0], covariances)]
    for landmarks in frames[1:]:
        states.append(motion.update(motion.predict(states[-1]), landmarks, covariances))
    return states


def test_a_similarity_is_found_again():
    linear, offset = similarity(1.3, 25, 4, -7)
    found = motion.fit_similarity(SHAPE, SHAPE @ linear.T + offset, np.random.default_rng(1).uniform(1, 2, 20))
    np.testing.assert_allclose(found[0], linear)
    np.testing.assert_allclose(found[1], offset)


def test_the_fit_is_where_the_weighted_error_is_least():
    rng = np.random.default_rng(2)
    targets, weights = rng.normal(size=(20, 2)), rng.uniform(0.1, 3, 20)
    # least squares of a x - b y + u, b x + a y + v
    x, y = SHAPE.T
    rows = np.concatenate([np.stack([x, -y, 0 * x + 1, 0 * x], 1), np.stack([y, x, 0 * x, 0 * x + 1], 1)])
    root = np.sqrt(np.tile(weights, 2))
    a, b, u, v = np.linalg.lstsq(rows * root[:, None], targets.T.ravel() * root, rcond=None)[0]
    linear, offset = motion.fit_similarity(SHAPE, targets, weights)
    np.testing.assert_allclose(linear, [[a, -b], [b, a]], atol=1e-12)
    np.testing.assert_allclose(offset, [u, v], atol=1e-12)


def test_a_landmark_that_moves_in_the_face_does_not_turn_the_face():
    targets = SHAPE.copy()
    targets[3] += 40
    linear, offset = motion.robust_similarity(SHAPE, targets, np.ones(20))
    plain, _ = motion.fit_similarity(SHAPE, targets, np.ones(20))
    assert np.abs(linear - np.eye(2)).max() < 0.05 * np.abs(plain - np.eye(2)).max()
    assert np.abs(offset).max() < 0.1


def test_steady_motion_is_followed_without_lag():
    frames = [SHAPE + [3.0 * t, -2.0 * t] for t in range(40)]
    np.testing.assert_allclose(filtered(frames)[-1].landmarks, frames[-1], atol=1e-3)


def test_rotation_goes_on_beyond_half_a_turn():
    centred = SHAPE - SHAPE.mean(axis=0)
    frames = [centred @ similarity(1, 12 * t, 0, 0)[0].T + 100 for t in range(45)]
    states = filtered(frames)
    assert states[-1].pose[3, 0] / states[-1].size == pytest.approx(np.radians(12 * 44), rel=1e-3)
    np.testing.assert_allclose(states[-1].landmarks, frames[-1], atol=0.1)


def test_noise_of_a_still_face_is_averaged_out():
    rng = np.random.default_rng(3)
    scale = np.sqrt(motion.NOISE_SHARE)
    frames = [SHAPE + scale * rng.multivariate_normal((0, 0), NOISE[0], 20) for _ in range(100)]
    found = np.array([state.landmarks for state in filtered(frames)[50:]])
    assert np.std(found - SHAPE) < 0.4 * np.std(np.array(frames[50:]) - SHAPE)


def test_an_opening_mouth_is_followed_at_once():
    frames = [SHAPE.copy() for _ in range(40)]
    for landmarks in frames[30:]:
        landmarks[:4, 1] += 20
    found = filtered(frames)[30].landmarks
    assert np.abs(found[:4] - frames[30][:4]).max() < 4, 'four fifths of the way in its first frame'
    assert np.abs(found[4:] - frames[30][4:]).max() < 2


def test_the_smoother_is_the_joint_gaussian_of_all_frames():
    """One parameter of the pose, whose filter is linear: x and v of T frames given noisy x, by dense regression."""
    rng = np.random.default_rng(4)
    count = 12
    places = np.cumsum(rng.normal(0, 2, count))
    frames = [SHAPE + [place, 0.0] for place in places]
    states = filtered(frames)
    found = np.array([state.pose[0, 0] for state in motion.smooth(states)])

    unit, variance = states[0].size ** 2, states[0].pose_covariance[0, 0, 0]
    step = np.array([[1, 1], [0, 1]])
    covariance = np.zeros((2 * count, 2 * count))  # of (x, v) of all frames before any but the first is seen
    covariance[:2, :2] = states[0].pose_covariance[0]
    for t in range(1, count):
        now, before = slice(2 * t, 2 * t + 2), slice(2 * t - 2, 2 * t)
        covariance[now, : 2 * t] = step @ covariance[before, : 2 * t]
        covariance[: 2 * t, now] = covariance[now, : 2 * t].T
        change = motion.POSE_NOISE * unit * np.array([[0.25, 0.5], [0.5, 1]])
        covariance[now, now] = step @ covariance[before, before] @ step.T + change
    x = np.arange(0, 2 * count, 2)
    prior = SHAPE.mean(axis=0)[0] + places[0]
    seen = x[1:]
    values = SHAPE.mean(axis=0)[0] + places[1:] - prior
    gain = covariance[np.ix_(x, seen)] @ np.linalg.inv(covariance[np.ix_(seen, seen)] + variance * np.eye(count - 1))
    np.testing.assert_allclose(found, prior + gain @ values, atol=1e-4)


def test_smoothing_changes_nothing_at_the_last_frame():
    states = filtered([SHAPE + t for t in range(5)])
    assert motion.smooth(states)[-1] is states[-1]


@pytest.mark.parametrize('move', [(1.0, 0, 30, 20), (2.5, 0, 0, 0), (1.0, 70, 5, 5)])
def test_the_filter_moves_with_the_picture(move):
    rng = np.random.default_rng(5)
    frames = [SHAPE + t + rng.normal(0, 0.3, SHAPE.shape) for t in range(10)]
    linear, offset = similarity(*move)
    moved = filtered([frame @ linear.T + offset for frame in frames], linear @ NOISE @ linear.T)
    expected = filtered(frames)[-1].landmarks @ linear.T + offset
    np.testing.assert_allclose(moved[-1].landmarks, expected, atol=0.02 * move[0])


@pytest.mark.parametrize(
    'landmarks, covariances, words',
    [
        (np.zeros((5, 2)), None, 'one point'),
        (np.full((5, 2), np.nan), None, 'finite'),
        (np.zeros((5, 3)), None, 'shape'),
        (SHAPE, NOISE[:3], 'covariances'),
    ],
)
def test_rubbish_is_refused(landmarks, covariances, words):
    with pytest.raises(ValueError, match=words):
        motion.start(landmarks, covariances)

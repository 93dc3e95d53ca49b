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


def posterior(first, step, change, seen, noise, values):
    """Means (T, n), covariances (T, n, n) of states that begin at 0 with the covariance ``first`` and go on as ``step``
    with noise of the covariance ``change``; ``seen @ state`` is measured in later frames. By dense regression."""
    size, count = len(first), len(values) + 1
    joint = np.zeros((count, size, count, size))  # of all frames before any but the first is seen
    joint[0, :, 0] = first
    for t in range(1, count):
        for s in range(t):
            joint[t, :, s] = step @ joint[t - 1, :, s]
            joint[s, :, t] = joint[t, :, s].T
        joint[t, :, t] = step @ joint[t - 1, :, t - 1] @ step.T + change
    joint = joint.reshape(count * size, -1)
    rows = np.kron(np.eye(count)[1:], seen)
    cross = joint @ rows.T
    gain = cross @ np.linalg.inv(rows @ cross + np.kron(np.eye(count - 1), noise))
    left = (joint - gain @ cross.T).reshape(count, size, count, size)
    return (gain @ np.ravel(values)).reshape(count, size), left[np.arange(count), :, np.arange(count)]


def test_the_pose_is_the_joint_gaussian_of_all_frames():
    """One parameter of the pose, whose filter is linear: place and velocity given noisy places."""
    places = np.cumsum(np.random.default_rng(4).normal(0, 2, 12))
    states = filtered([SHAPE + [place, 0.0] for place in places])
    first = states[0].pose_covariance[0]
    change = motion.POSE_NOISE * states[0].size ** 2 * np.array([[0.25, 0.5], [0.5, 1]])
    step, seen = np.array([[1, 1], [0, 1]]), np.array([[1, 0]])
    means, covariances = posterior(first, step, change, seen, first[:1, :1], places[1:] - places[0])
    smoothed = motion.smooth(states)
    found = np.array([state.pose[0] for state in smoothed]) - [SHAPE.mean(axis=0)[0] + places[0], 0]
    np.testing.assert_allclose(found, means, atol=1e-4)
    np.testing.assert_allclose([state.pose_covariance[0] for state in smoothed], covariances, rtol=1e-3)
    np.testing.assert_allclose(states[-1].pose_covariance[0], covariances[-1], rtol=1e-3)


def test_the_shape_is_the_joint_gaussian_of_all_frames():
    """A square that is sheared, which no pose explains (almost: it is not found sheared as much along x as along y)."""
    square, noise = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]]) * 50.0, np.tile(NOISE[0], (4, 1, 1))
    shears = 1e-6 * np.random.default_rng(6).normal(size=12)
    states = filtered([square + shear * square[:, ::-1] for shear in shears], noise)
    first = states[0].shape_covariance[0]
    change = motion.SHAPE_NOISE * states[0].size ** 2 * np.eye(2)
    values = np.outer(shears[1:] - shears[0], square[0])
    means, covariances = posterior(first, np.eye(2), change, np.eye(2), first, values)
    smoothed = motion.smooth(states)
    found = np.array([state.shape[0] for state in smoothed]) - states[0].shape[0]
    np.testing.assert_allclose(found, means, rtol=0.01, atol=1e-8)
    np.testing.assert_allclose([state.shape_covariance[0] for state in smoothed], covariances, rtol=1e-4)
    np.testing.assert_allclose(states[-1].shape_covariance[0], covariances[-1], rtol=1e-4)


def test_a_face_is_where_its_sure_landmarks_are():
    """Ten landmarks go one way, ten others, of a hundred times their variance, the other way."""
    noise, shift = np.concatenate([NOISE[:10], 100 * NOISE[10:]]), np.repeat([1.0, -1.0], 10)[:, None]
    state = motion.update(motion.predict(motion.start(SHAPE, noise)), SHAPE + shift, noise)
    assert (state.pose[:2, 0] - SHAPE.mean(axis=0) > 0.8).all()


def test_a_pose_is_as_uncertain_as_a_weighted_mean():
    """Drawn: the mean of landmarks weighed by their own variances."""
    rng = np.random.default_rng(7)
    noise = motion.NOISE_SHARE * np.linspace(1, 9, 20)[:, None, None] * np.eye(2)
    drawn = rng.normal(size=(20_000, 20)) * np.sqrt(noise[:, 0, 0])
    weights = 1 / noise[:, 0, 0]
    state = motion.start(SHAPE, noise / motion.NOISE_SHARE)
    np.testing.assert_allclose(state.pose_covariance[:, 0, 0], (drawn @ weights / weights.sum()).var(), rtol=0.03)


def test_smoothing_changes_nothing_at_the_last_frame():
    states = filtered([SHAPE + t for t in range(5)])
    assert motion.smooth(states)[-1] is states[-1]


@pytest.mark.parametrize('covariances', [NOISE, None])
@pytest.mark.parametrize('move', [(1.0, 0, 30, 20), (2.5, 0, 0, 0), (1.0, 70, 5, 5)])
def test_the_filter_moves_with_the_picture(move, covariances):
    rng = np.random.default_rng(5)
    frames = [SHAPE + t + rng.normal(0, 0.3, SHAPE.shape) for t in range(10)]
    linear, offset = similarity(*move)
    turned = None if covariances is None else linear @ covariances @ linear.T
    moved = filtered([frame @ linear.T + offset for frame in frames], turned)
    expected = filtered(frames, covariances)[-1].landmarks @ linear.T + offset
    np.testing.assert_allclose(moved[-1].landmarks, expected, atol=1e-9)


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

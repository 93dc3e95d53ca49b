"""Correcting by hand: against dense Gaussian conditioning, and on corrections that cannot be."""

import numpy as np
import pytest

from mmpose_sp.apis import FaceResult
from mmpose_sp.apis.conditioning import BELIEVED, condition

COUNT = 7


@pytest.fixture
def face():
    """Seven landmarks around (100, 100), with a dense covariance of a few px^2."""
    rng = np.random.default_rng(0)
    root = rng.normal(size=(2 * COUNT, 3 * COUNT))
    covariance = (root @ root.T / 5 + 0.1 * np.eye(2 * COUNT)).astype(np.float32)
    return FaceResult(
        landmarks=rng.uniform(80, 120, (COUNT, 2)).astype(np.float32),
        confidence=np.full(COUNT, 0.7, dtype=np.float32),
        covariance=covariance.reshape(COUNT, 2, COUNT, 2)[range(COUNT), :, range(COUNT)],
        box=np.array([80, 80, 120, 120], dtype=np.float32),
        box_score=1.0,
        heatmap_to_image=np.eye(2, 3),
        joint_covariance=covariance,
    )


def dense(face, known, places):
    """Mean and covariance of the others by the textbook."""
    x, v = face.landmarks.ravel().astype(float), face.joint_covariance.astype(float)
    s = np.ravel([(2 * i, 2 * i + 1) for i in known])
    rest = [i for i in range(2 * COUNT) if i not in s]
    gain = v[np.ix_(rest, s)] @ np.linalg.inv(v[np.ix_(s, s)])
    return rest, x[rest] + gain @ (np.ravel(places) - x[s]), v[np.ix_(rest, rest)] - gain @ v[np.ix_(s, rest)]


def test_the_others_follow_as_the_gaussian_says(face):
    places = face.landmarks[[2, 5]] + [[1.0, -2.0], [0.5, 1.5]]
    moved = face.condition({2: places[0], 5: places[1]})
    rest, mean, covariance = dense(face, [2, 5], places)
    np.testing.assert_allclose(moved.landmarks.ravel()[rest], mean, atol=1e-4)
    np.testing.assert_allclose(moved.joint_covariance[np.ix_(rest, rest)], covariance, atol=1e-4)
    np.testing.assert_array_equal(moved.landmarks[[2, 5]], places.astype(np.float32))
    assert not moved.covariance[[2, 5]].any() and (moved.confidence[[2, 5]] == 1).all()
    assert moved.landmarks.dtype == np.float32 and moved.box is face.box


def test_one_after_the_other_is_both_at_once(face):
    places = face.landmarks[[2, 5]] + [[1.0, -2.0], [0.5, 1.5]]
    steps = face.condition({2: places[0]}).condition({5: places[1]})
    once = face.condition({2: places[0], 5: places[1]})
    np.testing.assert_allclose(steps.landmarks, once.landmarks, atol=1e-3)
    np.testing.assert_allclose(steps.joint_covariance, once.joint_covariance, atol=1e-3)


def test_no_correction_changes_nothing(face):
    np.testing.assert_array_equal(face.condition({}).landmarks, face.landmarks)


def test_what_cannot_be_moves_the_others_a_plausible_way_and_widens_them(face):
    wild = {0: (9000.0, -4000.0), 1: (-9000.0, 4000.0)}  # contradictory, and far outside of the picture
    moved = face.condition(wild)
    rest, _, covariance = dense(face, [0, 1], list(wild.values()))
    deviation = np.sqrt(face.joint_covariance.diagonal().max() * 2 * COUNT)
    assert np.isfinite(moved.landmarks).all()
    assert np.abs(moved.landmarks[2:] - face.landmarks[2:]).max() < 2 * BELIEVED * deviation
    np.testing.assert_array_equal(moved.landmarks[:2], np.array(list(wild.values()), dtype=np.float32))
    assert (moved.joint_covariance.diagonal()[rest] > 100 * covariance.diagonal()).all()
    assert np.linalg.eigvalsh(moved.joint_covariance.astype(float)).min() > -1e-2


def test_a_landmark_corrected_twice_is_where_it_was_put_last(face):
    again = face.condition({3: (90.0, 95.0)}).condition({3: (92.0, 96.0)})
    np.testing.assert_array_equal(again.landmarks[3], [92, 96])
    assert np.isfinite(again.landmarks).all() and np.isfinite(again.joint_covariance).all()


@pytest.mark.parametrize(
    'corrections, message',
    [({7: (1, 2)}, 'landmark 7'), ({1.5: (1, 2)}, '1.5'), ({0: (1, np.nan)}, 'finite'), ({0: (1, 2, 3)}, 'finite')],
)
def test_a_correction_that_is_none_is_refused(face, corrections, message):
    with pytest.raises(ValueError, match=message):
        face.condition(corrections)


def test_landmarks_that_were_not_joined_say_so(face):
    face.joint_covariance = None
    with pytest.raises(ValueError, match="joint='off'"):
        face.condition({0: (1, 2)})


def test_all_landmarks_may_be_corrected(face):
    mean, covariance = condition(face.landmarks, face.joint_covariance, np.arange(COUNT), np.zeros((COUNT, 2)))
    assert not mean.any() and not covariance.any()

"""The scores against hand values, naive loops and the evaluation grid of earlier code."""

import numpy as np
import pytest
import scipy.integrate

from mmpose_sp.evaluation import (
    ced_auc,
    failure_rate,
    landmark_box_diagonal,
    landmark_distance,
    per_face_nme,
)


@pytest.fixture
def faces():
    rng = np.random.default_rng(0)
    gt = rng.uniform(0, 100, (7, 5, 2))
    return gt + rng.normal(0, 3, gt.shape), gt, rng.uniform(20, 60, 7)


def test_nme_is_the_naive_loop(faces):
    pred, gt, norm = faces
    expected = []
    for p, g, d in zip(pred, gt, norm):
        errors = [((a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2) ** 0.5 / d for a, b in zip(p, g)]
        expected.append(100 * sum(errors) / len(errors))
    np.testing.assert_allclose(per_face_nme(pred, gt, norm), expected, rtol=1e-12)


def test_hidden_landmarks_do_not_count_even_if_they_are_nan(faces):
    pred, gt, norm = faces
    visible = np.ones(gt.shape[:2], dtype=bool)
    visible[2, 1:3] = False
    hidden = gt.copy()
    hidden[2, 1:3] = np.nan
    kept = [0, 3, 4]
    nme = per_face_nme(pred, hidden, norm, visible)
    assert nme[2] == pytest.approx(per_face_nme(pred[2:3, kept], gt[2:3, kept], norm[2:3])[0])
    np.testing.assert_array_equal(np.delete(nme, 2), np.delete(per_face_nme(pred, gt, norm), 2))


def test_float32_input_is_scored_in_float64(faces):
    pred, gt, norm = (x.astype(np.float32) for x in faces)
    nme = per_face_nme(pred, gt, norm)
    assert nme.dtype == np.float64
    np.testing.assert_array_equal(nme, per_face_nme(*(x.astype(np.float64) for x in (pred, gt, norm))))


@pytest.mark.parametrize('value', [0.0, -1.0, np.nan, np.inf])
def test_bad_normaliser_names_the_face(faces, value):
    pred, gt, norm = faces
    norm[4] = value
    with pytest.raises(ValueError, match=r'normaliser.*face 4 \(of 7\)'):
        per_face_nme(pred, gt, norm)


@pytest.mark.parametrize('which, name', [(0, 'predicted'), (1, 'annotated')])
def test_nan_landmark_names_the_face(faces, which, name):
    faces[which][3, 1, 0] = np.nan
    with pytest.raises(ValueError, match=f'{name} landmark is NaN.*face 3'):
        per_face_nme(*faces)


def test_face_without_landmarks_is_an_error(faces):
    visible = np.ones((7, 5), dtype=bool)
    visible[6] = False
    with pytest.raises(ValueError, match='no landmark is annotated: face 6'):
        per_face_nme(*faces, visible)


@pytest.mark.parametrize(
    'pred, gt, norm, message',
    [
        ((2, 5, 2), (2, 4, 2), (2,), r'\(2, 5, 2\), gt has shape \(2, 4, 2\)'),
        ((2, 5, 2), (2, 5, 2), (2, 2), r'norm has shape \(2, 2\)'),
        ((2, 5, 3), (2, 5, 3), (2,), r'pred has shape \(2, 5, 3\), expected \(N, K, 2\)'),
        ((5, 2), (5, 2), (1,), 'pred has shape'),
    ],
)
def test_wrong_shapes(pred, gt, norm, message):
    with pytest.raises(ValueError, match=message):
        per_face_nme(np.ones(pred), np.ones(gt), np.ones(norm))


def test_auc_agrees_with_the_integral_on_a_grid():
    nme = np.random.default_rng(1).gamma(4.0, 1.5, 500)
    x = np.arange(0, 10 + 1e-9, 1e-3)
    ced = np.array([(nme <= value).mean() for value in x])
    assert ced_auc(nme, 10.0) == pytest.approx(scipy.integrate.trapezoid(ced, x) / 10.0, abs=1e-4)
    assert failure_rate(nme, 10.0) == pytest.approx(100 * (1 - ced[-1]))


@pytest.mark.parametrize('score', [failure_rate, ced_auc])
@pytest.mark.parametrize(
    'nme, threshold, message',
    [
        ([], 10.0, 'at least one face'),
        ([[1.0]], 10.0, r'expected \(N,\)'),
        ([1.0, np.nan], 10.0, 'NaN or negative: face 1'),
        ([1.0, -1.0], 10.0, 'NaN or negative: face 1'),
        ([1.0], 0.0, 'threshold must be'),
        ([1.0], np.nan, 'threshold must be'),
    ],
)
def test_bad_errors_cannot_be_scored(score, nme, threshold, message):
    with pytest.raises(ValueError, match=message):
        score(np.array(nme), threshold)


def test_groups_are_averaged_before_the_distance_is_taken():
    # eyes as squares of side 2 around (10, 10) and (40, 50): centres 50 px apart
    square = np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
    gt = np.concatenate([square + [10.0, 10.0], square + [40.0, 50.0]])[None]
    assert landmark_distance(gt, [0, 1, 2, 3], [4, 5, 6, 7]) == pytest.approx([50.0])
    assert landmark_distance(gt, [0], [5]) == pytest.approx([np.hypot(32, 40)])


def test_groups_must_exist(faces):
    with pytest.raises(ValueError, match=r'right landmark indices \[5\] do not exist: there are 5'):
        landmark_distance(faces[1], [0], [5])
    with pytest.raises(ValueError, match='left group .* is empty'):
        landmark_distance(faces[1], [], [1])


def test_box_diagonal_of_the_landmarks_that_count():
    gt = np.array([[[0.0, 0.0], [3.0, 4.0], [100.0, 100.0]]])
    assert landmark_box_diagonal(gt) == pytest.approx([np.hypot(100, 100)])
    assert landmark_box_diagonal(gt, np.array([[1, 1, 0]])) == pytest.approx([5.0])
    assert landmark_box_diagonal(gt, np.zeros((1, 3))) == pytest.approx([0.0])

"""The figure of the joint covariance: what its arrows and its correlations are."""

import numpy as np
import pytest
from tools_by_path import load_tool

from mmpose_sp.apis import FaceResult

tool = load_tool('analysis_tools/joint_covariance')


@pytest.fixture
def face():
    """Three landmarks: the second moves half as far as the first, across; the third does not care."""
    latent = np.zeros((6, 5))
    latent[0, 0], latent[1, 1] = 3.0, 1.0
    latent[2, 1], latent[3, 0] = 0.5, 1.5
    latent[2:4, 2:4] = 0.1 * np.eye(2)
    latent[4, 4] = latent[5, 4] = 1.0
    covariance = latent @ latent.T + 1e-6 * np.eye(6)
    blocks = covariance.reshape(3, 2, 3, 2)[range(3), :, range(3)]
    landmarks = np.array([[20.0, 20], [60, 30], [40, 70]])
    box = np.array([20.0, 20, 60, 70])
    return FaceResult(landmarks, np.ones(3), blocks, box, 1.0, np.eye(2, 3), joint_covariance=covariance)


def test_a_landmark_moves_by_its_deviation_and_the_others_by_what_they_share(face):
    moves = tool.spread_of(face, 0)
    moves *= np.sign(moves[0, 0])
    assert moves == pytest.approx(np.array([[3, 0], [0, 1.5], [0, 0]]), abs=1e-3)


def test_correlation_is_one_for_landmarks_that_share_everything_whatever_the_axes(face):
    found = tool.correlations(face.joint_covariance)
    assert found.diagonal() == pytest.approx(1)
    assert found[0, 1] > 0.95 and found[2, :2] == pytest.approx(0, abs=1e-6)
    turn = np.kron(np.eye(3), [[0.6, -0.8], [0.8, 0.6]])
    assert tool.correlations(turn @ face.joint_covariance @ turn.T) == pytest.approx(found)


def test_it_draws(face, tmp_path):
    tool.draw(np.zeros((90, 90, 3), np.uint8), face, [0], str(tmp_path / 'out.png'))
    assert (tmp_path / 'out.png').stat().st_size > 1000


def test_a_picture_without_a_face_is_named(tmp_path, capsys):
    import cv2

    cv2.imwrite(str(tmp_path / 'grey.png'), np.full((80, 80, 3), 128, np.uint8))
    with pytest.raises(SystemExit):
        tool.main([str(tmp_path / 'grey.png'), '--out', str(tmp_path / 'out.png')])
    assert 'no face found' in capsys.readouterr().err

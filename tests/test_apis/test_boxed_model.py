"""The models that come with the package."""

import json
import re
import subprocess
import sys

import cv2
import numpy as np
import pytest
import torch
from api_helpers import noise
from tools_by_path import load_tool

from mmpose_sp.apis import Calibration, FaceLandmarker
from mmpose_sp.apis.packaged import DEFAULT, PACKAGED, packaged_model, packaged_onnx, usual_min_confidence
from mmpose_sp.faces import ellipse_radius
from mmpose_sp.runtime import Landmarker

MEGABYTES = {'fast': 3, 'accurate': 16}  # what each may weigh
SURE = {'fast': 0.9, 'accurate': 0.8}  # mean confidence; 3 x 3 px of a finer map are a smaller window


@pytest.fixture(scope='module', params=PACKAGED)
def name(request):
    return request.param


@pytest.fixture(scope='module')
def boxed(name):
    return FaceLandmarker.from_packaged(name, device='cpu')


@pytest.mark.slow
def test_the_file_is_small_and_plain(name):
    weights = packaged_model(name)[1]
    assert weights.stat().st_size < MEGABYTES[name] * 1e6
    # a new process, so that nothing that mmpose_sp allows is allowed
    code = f'import torch; print(sorted(torch.load({str(weights)!r}, weights_only=True)))'
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert done.stdout.strip() == "['meta', 'state_dict']", done.stderr


def test_it_finds_the_face_of_a_photograph(name, boxed, astronaut):
    (face,) = boxed(astronaut)[0].faces
    # marked by hand, to 3 px of a face of 90 px
    marked = {36: (196, 104), 45: (257, 106), 48: (203, 138), 54: (243, 141), 30: (225, 127), 8: (223, 176)}
    np.testing.assert_allclose(face.landmarks[list(marked)], list(marked.values()), atol=6)
    assert face.confidence.mean() > SURE[name]


def test_the_mirrored_face_has_mirrored_landmarks(boxed, astronaut, monkeypatch):
    monkeypatch.setitem(boxed.model.test_cfg, 'joint', 'prior')  # annotations lean to one side, mirrored or not
    box = np.array([[180, 88, 272, 176]])
    mirrored_box = np.array([[astronaut.shape[1] - 1 - 272, 88, astronaut.shape[1] - 1 - 180, 176]])
    face = boxed(astronaut, bboxes=box)[0].faces[0]
    mirrored = boxed(astronaut[:, ::-1].copy(), bboxes=mirrored_box)[0].faces[0]
    swapped = mirrored.landmarks[boxed.model.dataset_meta['flip_indices']]
    swapped[:, 0] = astronaut.shape[1] - 1 - swapped[:, 0]
    # a heatmap px is 3.6 px here, and OpenCV's warp is not symmetric in the last bits
    np.testing.assert_allclose(swapped, face.landmarks, atol=0.8)


def test_onnxruntime_finds_the_same_landmarks(name, boxed, astronaut):
    pytest.importorskip('onnxruntime')
    box = np.array([[180, 88, 272, 176]])
    face = boxed(astronaut, bboxes=box)[0].faces[0]
    found = Landmarker.from_packaged(name)(astronaut, bboxes=box)[0].faces[0]
    np.testing.assert_allclose(found.landmarks, face.landmarks, atol=0.02)
    np.testing.assert_allclose(found.covariance, face.covariance, rtol=0.02, atol=1e-3)
    scale = np.abs(face.joint_covariance).max()
    np.testing.assert_allclose(found.joint_covariance, face.joint_covariance, atol=0.01 * scale)
    assert found.quality == pytest.approx(face.quality, abs=5e-3) and 0.5 < face.quality <= 1
    alone = Landmarker.from_packaged(name, joint='off')(astronaut, bboxes=box)[0].faces[0]
    boxed_alone = FaceLandmarker.from_packaged(name, device='cpu', joint='off')(astronaut, bboxes=box)[0].faces[0]
    np.testing.assert_allclose(alone.landmarks, boxed_alone.landmarks, atol=0.02)
    np.testing.assert_allclose(alone.covariance, boxed_alone.covariance, rtol=0.02, atol=1e-3)
    assert alone.joint_covariance is boxed_alone.joint_covariance is alone.quality is None
    with pytest.raises(ValueError, match='--joint prior'):
        Landmarker.from_packaged(name, joint='prior')


def test_corrected_by_hand_the_others_come_along(boxed, astronaut):
    face = boxed(astronaut, bboxes=np.array([[180, 88, 272, 176]]))[0].faces[0]
    corrected = face.condition({8: face.landmarks[8] + [0, 2]})
    chin = corrected.landmarks - face.landmarks
    np.testing.assert_allclose(chin[8], [0, 2], atol=1e-3)
    assert 0.5 < chin[7, 1] < 2 and 0.5 < chin[9, 1] < 2 and np.abs(chin[36:48]).max() < 0.3  # jaw, not eyes


def test_a_black_picture_gets_the_mean_face_and_no_trust(boxed):
    face = boxed(np.zeros((200, 200, 3), np.uint8), bboxes=[(40, 40, 160, 160)])[0].faces[0]
    assert np.isfinite(face.landmarks).all() and np.isfinite(face.joint_covariance).all()
    assert face.quality < 0.7 and (face.landmarks > 20).all() and (face.landmarks < 180).all()


def test_the_calibration_of_the_file_is_applied(name, boxed):
    stored = torch.load(packaged_model(name)[1], weights_only=True)['state_dict']['head.posterior.calibration_values']
    assert boxed.calibration == Calibration(*stored.tolist()) != Calibration()
    assert boxed.calibration.tail_weight > 0
    picture, box = noise(160, 160), [(20, 20, 140, 140)]
    plain = FaceLandmarker.from_packaged(name, device='cpu', calibration=Calibration(), joint='off')
    face = FaceLandmarker.from_packaged(name, device='cpu', joint='off')(picture, bboxes=box)[0].faces[0]
    raw = plain(picture, bboxes=box)[0].faces[0]
    np.testing.assert_array_equal(face.landmarks, raw.landmarks)
    assert not np.allclose(face.covariance, raw.covariance) and not np.allclose(face.confidence, raw.confidence)


@pytest.mark.parametrize('joint', ['off', 'offset'])
def test_the_tails_of_the_ellipses_come_with_the_file(name, joint):
    stored = torch.load(packaged_model(name)[1], weights_only=True)['state_dict']
    tails = stored[{'off': 'head.posterior.calibration_values', 'offset': 'head.posterior.spread'}[joint]][-1].item()
    picture, boxes = noise(160, 160), [(20, 20, 140, 140)]
    for landmarker in (
        FaceLandmarker.from_packaged(name, device='cpu', joint=joint),
        Landmarker.from_packaged(name, joint=joint),
    ):
        face = landmarker(picture, bboxes=boxes)[0].faces[0]
        assert face.ellipse_radius(0.5) == pytest.approx(float(ellipse_radius(0.5, tails)))
        assert face.ellipse_radius(0.5) < ellipse_radius(0.5)


def test_the_card_states_the_calibration_and_the_size(name):
    card = PACKAGED[name].with_suffix('.md').read_text()
    assert 'research use only' in card.lower() and 'not** the numbers of the 300-W benchmark' in card
    megabytes = float(re.search(r'in (\d\.\d) MB', card)[1])
    assert megabytes == pytest.approx(packaged_model(name)[1].stat().st_size / 1e6, abs=0.05)


def test_one_command_with_a_picture_alone(name, boxed, astronaut, tmp_path):
    cv2.imwrite(str(tmp_path / 'photo.png'), astronaut)
    options = [*(['--model', name] if name != DEFAULT else []), '--device', 'cpu', '--json', str(tmp_path / 'a.json')]
    assert load_tool('infer').main([str(tmp_path / 'photo.png'), *options]) == 0
    (written,) = json.loads((tmp_path / 'a.json').read_text())
    np.testing.assert_allclose(written['keypoints'], boxed(astronaut)[0].faces[0].landmarks, atol=1e-2)


def test_a_name_that_does_not_exist_lists_those_that_do(tmp_path, capsys):
    for find in (packaged_model, packaged_onnx, FaceLandmarker.from_packaged):
        with pytest.raises(ValueError, match="'best'.*fast, accurate"):
            find('best')
    with pytest.raises(SystemExit):
        load_tool('infer').main([str(tmp_path), '--model', 'best'])
    assert re.search('best.*fast.*accurate', capsys.readouterr().err)


def test_a_config_and_a_packaged_model_exclude_each_other(tmp_path, capsys):
    with pytest.raises(SystemExit):
        load_tool('infer').main([str(tmp_path), 'config.py', 'checkpoint.pth', '--model', 'fast'])
    assert 'config.py: either a config or --model fast' in capsys.readouterr().err


def test_packaged_models_know_which_faces_to_drop(name):
    least = {'fast': 0.65, 'accurate': 0.5}[name]
    assert Landmarker.from_packaged(name).min_confidence == least
    assert Landmarker.from_packaged(name, min_confidence=0).min_confidence == 0
    assert usual_min_confidence(f'mmpose_sp://{packaged_model(name)[1].name}') == least
    assert usual_min_confidence('epoch_100.pth') == usual_min_confidence(None) == 0


def test_an_upside_down_photograph_has_no_face_unless_it_is_turned(astronaut):
    upside_down = astronaut[::-1, ::-1].copy()
    assert Landmarker.from_packaged()(upside_down)[0].faces == []
    (face,) = Landmarker.from_packaged(rotations=(0, 90, 180, 270))(upside_down)[0].faces
    (expected,) = Landmarker.from_packaged()(astronaut)[0].faces
    np.testing.assert_allclose(face.landmarks, np.array(astronaut.shape[1::-1]) - 1 - expected.landmarks, atol=0.05)


def test_faces_at_the_border_and_several_faces(astronaut):
    landmarker = Landmarker.from_packaged()
    pair = np.hstack([astronaut, astronaut[:, ::-1]])
    first, second = sorted(landmarker(pair)[0].faces, key=lambda face: face.box[0])
    assert first.box[2] < astronaut.shape[1] < second.box[0]
    half = astronaut[:, 205:]  # through the face, which reaches from 180 to 265
    for face in landmarker(half)[0].faces:
        assert face.is_finite and face.landmarks.shape == (68, 2)

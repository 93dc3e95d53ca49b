"""Exported models, run by onnxruntime, against PyTorch."""

import hashlib
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmengine.structures import InstanceData
from mmpose.structures import PoseDataSample

from mmpose_sp.apis.model_loading import load_config, load_model
from mmpose_sp.apis.packaged import PACKAGED, packaged_model, packaged_onnx
from mmpose_sp.runtime import open_session

pytest.importorskip('onnxscript')
pytest.importorskip('onnxruntime')
onnx_export = pytest.importorskip('mmpose_sp.apis.onnx_export')
TOLERANCE = 1e-3  # crop px


@pytest.fixture(scope='module')
def model():
    config, weights = packaged_model()
    return load_model(load_config(config), weights, 'cpu')


@pytest.fixture(
    scope='module',
    params=[
        pytest.param(flip, marks=pytest.mark.slow, id=name) for flip, name in ((False, 'plain'), (True, 'flip test'))
    ],
)
def exported(request, model, tmp_path_factory):
    """The file and whether it flips."""
    path = tmp_path_factory.mktemp('onnx') / 'model.onnx'
    config, weights = packaged_model()
    landmarker = onnx_export.CropLandmarker(model, request.param)
    onnx_export.export(landmarker, str(path), onnx_export.metadata(load_config(config), model, landmarker, weights))
    return path, request.param


@pytest.fixture(scope='module')
def session(exported):
    return open_session(exported[0])


def predict_with_mmpose(model, crops, flip_test):
    """(B, K, 2) crop px by the model's own test_step, data preprocessor and flip test included."""
    samples = []
    for crop in crops:
        size = np.array(crop.shape[1::-1], dtype=np.float32)
        meta = dict(input_center=size / 2, input_scale=size, input_size=tuple(crop.shape[1::-1]))
        sample = PoseDataSample(metainfo=dict(meta, flip_indices=model.dataset_meta['flip_indices']))
        sample.gt_instances = InstanceData(bboxes=np.zeros((1, 4)), bbox_scores=np.ones(1))
        image = torch.from_numpy(crop).permute(2, 0, 1).contiguous()
        samples.append(dict(inputs=image, data_samples=sample))
    model.test_cfg['flip_test'] = flip_test
    return np.stack([sample.pred_instances.keypoints[0] for sample in model.test_step(pseudo_collate(samples))])


def test_landmarks_are_those_of_mmpose(model, exported, session, crops, astronaut):
    # a face too: on noise alone many maps are flat
    crops = np.concatenate([crops, cv2.resize(astronaut[60:200, 150:290], (128, 128))[None]])
    landmarks, confidence, covariance, scores, joint_covariance, quality, sites, _ = session.run(None, {'crops': crops})
    np.testing.assert_allclose(landmarks, predict_with_mmpose(model, crops, exported[1]), atol=TOLERANCE)
    assert confidence.shape == (4, 68) and covariance.shape == (4, 68, 2, 2) and scores.shape == (4, 68, 32, 32)
    assert joint_covariance.shape == (4, 136, 136) and quality.shape == (4,)
    model.test_cfg['joint'] = 'off'
    np.testing.assert_allclose(sites, predict_with_mmpose(model, crops, exported[1]), atol=TOLERANCE)
    del model.test_cfg['joint']


def test_confidence_and_covariance_are_those_of_pytorch(model, exported, session, crops):
    with torch.no_grad():
        expected = onnx_export.CropLandmarker(model, exported[1])(torch.from_numpy(crops))
    for value, reference in zip(session.run(None, {'crops': crops}), expected):
        np.testing.assert_allclose(value, reference, atol=TOLERANCE, rtol=1e-3)


@pytest.mark.parametrize('count', [1, 5])
def test_a_batch_is_its_faces(session, crops, count):
    crops = np.concatenate([crops, crops[::-1]])[:count]
    whole = session.run(['landmarks'], {'crops': crops})[0]
    single = [session.run(['landmarks'], {'crops': crop[None]})[0][0] for crop in crops]
    np.testing.assert_allclose(whole, single, atol=TOLERANCE)


def test_the_packaged_file_is_what_the_command_gives(exported, session, crops, astronaut):
    path, flip_test = exported
    if not flip_test:
        pytest.skip('the packaged file flips')
    crops = np.concatenate([crops, cv2.resize(astronaut[60:200, 150:290], (128, 128))[None]])
    packaged = open_session(packaged_onnx())
    notes = packaged.get_modelmeta().custom_metadata_map
    assert notes == session.get_modelmeta().custom_metadata_map
    assert notes['checkpoint_sha256'] == json.dumps(hashlib.sha256(packaged_model()[1].read_bytes()).hexdigest())
    for value, reference in zip(packaged.run(None, {'crops': crops}), session.run(None, {'crops': crops})):
        np.testing.assert_allclose(value, reference, atol=TOLERANCE, rtol=1e-3)
    assert packaged_onnx().stat().st_size == pytest.approx(path.stat().st_size, rel=0.05)


@pytest.mark.parametrize('name', PACKAGED)
def test_a_packaged_file_is_of_its_checkpoint_and_tells_nothing_of_the_machine_that_made_it(name):
    session = open_session(packaged_onnx(name))
    made_of = session.get_modelmeta().custom_metadata_map['checkpoint_sha256']
    assert made_of == json.dumps(hashlib.sha256(packaged_model(name)[1].read_bytes()).hexdigest())
    assert str(Path.home()).encode() not in packaged_onnx(name).read_bytes()
    assert b'site-packages' not in packaged_onnx(name).read_bytes()


def test_the_command_names_what_is_wrong(export_onnx, capsys):
    with pytest.raises(SystemExit):
        export_onnx.main(['missing.py', 'missing.pth', 'out.onnx'])
    assert 'missing.py' in capsys.readouterr().err


def test_packaged_files_are_not_replaced_by_others(export_onnx, capsys):
    with pytest.raises(SystemExit):
        export_onnx.parse_args(['--model', 'fast', '--joint', 'off'])
    assert 'name another, OUT.onnx' in capsys.readouterr().err
    args = export_onnx.parse_args(['--model', 'accurate', '--joint', 'off', 'mine.onnx'])
    assert [Path(name).name for name in (args.config, args.checkpoint, args.out)] == [
        'effnet-lite0_sp_300w-part.py', 'effnet-lite0_sp_300w-part.pth', 'mine.onnx'
    ]  # fmt: skip


def test_a_crop_that_the_metadata_cannot_state_is_refused(export_onnx, tmp_path, capsys):
    config, weights = packaged_model()
    changed = load_config(config)
    changed.test_dataloader.dataset.pipeline[1] = dict(type='GetSquareCenterScale', input_size=(128, 128))
    changed.dump(tmp_path / 'square_crop.py')
    with pytest.raises(SystemExit):
        export_onnx.main([str(tmp_path / 'square_crop.py'), str(weights), str(tmp_path / 'out.onnx')])
    assert 'no GetBBoxCenterScale' in capsys.readouterr().err
    assert not (tmp_path / 'out.onnx').exists()


def test_8_bit_convolutions_move_landmarks_little(exported, crops, astronaut, tmp_path):
    path, flip_test = exported
    if flip_test:
        pytest.skip('one file is enough')
    copy = tmp_path / 'int8.onnx'
    copy.write_bytes(path.read_bytes())
    face = cv2.resize(astronaut[60:200, 150:290], (128, 128))[None]
    onnx_export.quantise(str(copy), np.concatenate([face, face[:, :, ::-1], face // 2]))
    sessions = [open_session(p) for p in (path, copy)]
    notes = [session.get_modelmeta().custom_metadata_map for session in sessions]
    assert notes[0] == notes[1]
    found, small = (session.run(['landmarks'], {'crops': face})[0] for session in sessions)
    assert 0 < np.linalg.norm(small - found, axis=-1).mean() < 0.5  # crop px
    assert copy.stat().st_size < path.stat().st_size


def test_the_packaged_8_bit_file_is_of_the_checkpoint_of_the_other():
    sessions = [open_session(packaged_onnx(int8=int8)) for int8 in (False, True)]
    notes = [session.get_modelmeta().custom_metadata_map for session in sessions]
    assert notes[0]['checkpoint_sha256'] == notes[1]['checkpoint_sha256']
    assert json.loads(notes[1]['flip_test']) is False


class Inverse(torch.nn.Module):
    def forward(self, matrices):
        return torch.linalg.inv(matrices)


@pytest.mark.parametrize('size', [2, 7, 58, 63, 136])
def test_inverses_of_positive_definite_matrices(size, tmp_path):
    roots = np.random.default_rng(0).normal(size=(3, size, 2 * size))
    matrices = roots @ roots.transpose(0, 2, 1) / size
    program = torch.onnx.export(
        Inverse(), (torch.from_numpy(matrices),), dynamo=True, opset_version=onnx_export.OPSET,
        custom_translation_table=onnx_export.TRANSLATIONS, verbose=False,
    )  # fmt: skip
    (tmp_path / 'inverse.onnx').write_bytes(program.model_proto.SerializeToString())
    run = open_session(tmp_path / 'inverse.onnx')
    (found,) = run.run(None, {run.get_inputs()[0].name: matrices})
    np.testing.assert_allclose(found, np.linalg.inv(matrices), rtol=1e-9, atol=1e-9)

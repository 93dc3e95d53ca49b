"""tools/posterior.py on a tiny model with random weights."""

import json
import shutil

import numpy as np
import pytest
import torch
from mmengine.registry import init_default_scope
from tiny_run import write_config
from tools_by_path import ROOT, load_tool

from mmpose_sp.apis.collected_faces import collect
from mmpose_sp.apis.model_loading import load_config, load_model
from mmpose_sp.apis.predicted_samples import loader_of, predicted_samples
from mmpose_sp.evaluation import face_normaliser, per_face_nme
from mmpose_sp.faces import find_scheme
from mmpose_sp.posterior import Calibration, JointPosterior

tool = load_tool('posterior')


@pytest.fixture(scope='module')
def config_file(tmp_path_factory):
    return write_config(tmp_path_factory.mktemp('faces'))


@pytest.fixture(scope='module')
def model(config_file):
    torch.manual_seed(0)
    config = load_config(config_file)
    config.model.test_cfg = dict(config.model.test_cfg, output_heatmaps=True)
    made = load_model(config, None, 'cpu')
    torch.nn.init.normal_(made.head.final_layer.weight, std=0.3)
    init_default_scope('mmpose')
    return made


def test_annotations_come_in_heatmap_px(config_file, model):
    collected = collect(model, loader_of(load_config(config_file), 'val'), 'val')
    faces = json.loads((config_file.parent / 'faces.json').read_text())['annotations']
    assert collected.scores.shape == (len(faces), 98, 16, 16) and collected.counted.all()
    for face, labels in zip(faces, collected.labels):
        points = np.array(face['keypoints']).reshape(-1, 3)[:, :2]
        low, high = points.min(axis=0), points.max(axis=0)
        side = 1.25 * (high - low).max()
        # the crop covers `side` px around the middle of the tight box with 16 pixels
        expected = (points - (low + high) / 2 + side / 2) * 16 / side
        expected = (expected * 4 + 0.5) / 4 - 0.5  # mmpose's crops begin at a pixel's centre, maps at its edge
        np.testing.assert_allclose(labels, expected, atol=1e-3)


def test_the_command_writes_what_the_weights_load(config_file, model, tmp_path, capsys):
    torch.save({'state_dict': model.state_dict(), 'meta': {}}, tmp_path / 'tiny.pth')
    copied = shutil.copy(config_file.parent / 'faces.json', tmp_path / 'val.json')
    tool.main(
        f'{config_file} {tmp_path}/tiny.pth --out-dir {tmp_path}/out --package {tmp_path}/packaged --device cpu'.split()
        + ['--cfg-options', f'val_dataloader.dataset.ann_file={copied}']
    )
    report = json.loads((tmp_path / 'out' / 'posterior.json').read_text())
    Calibration(**report['calibration']).checked()
    rows = {(row['noise'], row['offset']): row['test'] for row in report['joining']}
    assert len(rows) == 28
    samples = list(predicted_samples(model, loader_of(load_config(config_file), 'test'), 'test'))
    found, truth = (
        np.stack([getattr(sample, which).keypoints[0] for sample in samples])
        for which in ('pred_instances', 'gt_instances')
    )
    nme = per_face_nme(found, truth, face_normaliser(truth, find_scheme('wflw')))  # image px, as test.py has it
    assert rows['sites alone', 'none']['NME'] == pytest.approx(nme.mean(), abs=2e-3)
    packaged = load_model(load_config(tmp_path / 'packaged.py'), tmp_path / 'packaged.pth', 'cpu').head
    assert packaged.joint_of() == 'offset' and packaged.decoder.calibration == Calibration(
        *torch.tensor(list(report['calibration'].values())).tolist()
    )
    stored = JointPosterior(98)
    stored.load_state_dict(torch.load(tmp_path / 'out' / 'posterior.pth', weights_only=True))
    assert all(torch.equal(value, packaged.posterior.state_dict()[key]) for key, value in stored.state_dict().items())
    covered = list(report['after']['coverage'].values())
    assert report['after']['landmarks'] == 5 * 98 and covered == sorted(covered)
    assert report['after']['log_loss'] <= report['before']['log_loss']  # fitted and measured on the same faces
    assert (tmp_path / 'out' / 'calibration.png').stat().st_size > 10_000
    assert 'temperature' in capsys.readouterr().out


def test_what_belongs_to_the_annotations_is_taken_from_another_model(config_file, model, tmp_path):
    torch.manual_seed(0)
    other = JointPosterior(98)
    other.load_state_dict({key: torch.rand_like(value) + 1 for key, value in other.state_dict().items()})
    other.noise_precision = 1.5 * torch.eye(196) + 0.001
    torch.save(other.state_dict(), tmp_path / 'other.pth')
    torch.save({'state_dict': model.state_dict(), 'meta': {}}, tmp_path / 'tiny.pth')
    command = f'{config_file} {tmp_path}/tiny.pth --fit test --device cpu --out-dir {tmp_path}'.split()
    tool.main([*command, '--like', str(tmp_path / 'other.pth')])
    posterior = tool.other_posterior(str(tmp_path / 'posterior.pth'))
    assert torch.equal(posterior.noise_precision, other.noise_precision) and torch.equal(posterior.slope, other.slope)
    ratio = posterior.offset / other.offset
    torch.testing.assert_close(ratio, ratio[:1].expand_as(ratio))
    faces = collect(model, loader_of(load_config(config_file), 'test'), 'test').faces(model, None)
    crops = tool.annotated(loader_of(load_config(config_file), 'test'), model.head.decoder)
    torch.testing.assert_close(crops.labels, faces.labels, atol=1e-2, rtol=0)  # without running any network
    with pytest.raises(SystemExit):
        tool.main([*command, '--like', str(tmp_path / 'tiny.pth')])


@pytest.mark.parametrize('name', ['faces.json', './faces.json', '{folder}/faces.json'])
def test_a_fit_on_the_test_faces_is_not_called_validation(config_file, tmp_path, capsys, name):
    option = f'val_dataloader.dataset.ann_file={name.format(folder=config_file.parent)}'
    with pytest.raises(SystemExit):
        tool.main([str(config_file), 'no.pth', '--out-dir', str(tmp_path), '--device', 'cpu', '--cfg-options', option])
    message = capsys.readouterr().err
    assert '--val-fraction' in message and 'val_dataloader.dataset.ann_file=' in message
    with pytest.raises(SystemExit):
        tool.main([str(config_file), 'no.pth', '--fit', 'test', '--out-dir', str(tmp_path), '--device', 'cpu'])
    assert 'no.pth' in capsys.readouterr().err  # said openly, it may be


def test_the_command_names_a_missing_checkpoint(capsys):
    msra = ROOT / 'configs/face_2d_keypoint/topdown_heatmap/wflw/td-hm_hrnetv2-w18_msra-8xb64-60e_wflw-256x256.py'
    with pytest.raises(SystemExit):
        tool.main([str(msra), 'missing.pth', '--fit', 'test', '--device', 'cpu'])
    assert 'missing.pth' in capsys.readouterr().err

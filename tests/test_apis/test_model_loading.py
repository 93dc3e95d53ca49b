"""Checkpoints and configs: the right ones load, wrong and dangerous ones are refused with a reason."""

import re
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from api_helpers import CONFIGS, LITE, noise
from mmengine.config import Config
from mmpose.apis import inference_topdown
from tools_by_path import load_tool

from mmpose_sp.apis import FaceLandmarker, draw_result
from mmpose_sp.apis.model_loading import load_checkpoint_safely, load_config, load_model, quickened
from mmpose_sp.apis.packaged import packaged_model

WFLW = CONFIGS / 'wflw' / 'td-hm_lite-unet_sp-1xb16-100e_wflw-128x128.py'


def test_a_checkpoint_brings_all_weights(model, checkpoint):
    loaded = FaceLandmarker(str(LITE), str(checkpoint), 'cpu')
    image, boxes = noise(120, 120), [(10, 10, 100, 100)]
    expected = inference_topdown(model, image, boxes)[0].pred_instances.keypoints[0]
    np.testing.assert_allclose(loaded(image, bboxes=boxes)[0].faces[0].landmarks, expected, atol=1e-3)
    assert (loaded.dataset_name, loaded.num_landmarks, len(loaded.boundaries)) == ('300w', 68, 9)


def test_weights_alone_and_of_distributed_training_load(model, tmp_path):
    state = {f'module.{key}': value for key, value in model.state_dict().items()}
    torch.save(state, tmp_path / 'bare.pth')
    loaded = load_model(load_config(LITE), tmp_path / 'bare.pth', 'cpu').state_dict()
    for key, value in model.state_dict().items():
        assert torch.equal(loaded[key], value)


def test_a_config_object_is_not_changed(checkpoint):
    config = Config.fromfile(LITE)
    before = config.pretty_text
    FaceLandmarker(config, checkpoint, 'cpu', cfg_options={'model.test_cfg.flip_test': False})
    assert config.pretty_text == before


def test_a_checkpoint_of_other_landmarks_is_refused(model, tmp_path):
    path = tmp_path / 'of_300w.pth'
    meta = {'dataset_meta': {'dataset_name': '300w', 'num_keypoints': 68}}
    torch.save({'state_dict': model.state_dict(), 'meta': meta}, path)
    with pytest.raises(ValueError, match=r'of_300w\.pth does not fit(.|\n)*68(.|\n)*98(.|\n)*300w \(68 landmarks\)'):
        FaceLandmarker(WFLW, path, 'cpu')


class Bomb:
    """Unpickling it would write a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), 'w')


def test_a_checkpoint_cannot_run_code(model, tmp_path):
    trace = tmp_path / 'ran'
    torch.save({'state_dict': model.state_dict(), 'meta': {'bomb': Bomb(trace)}}, tmp_path / 'bomb.pth')
    with pytest.raises(ValueError, match='safely'):
        FaceLandmarker(LITE, tmp_path / 'bomb.pth', 'cpu')
    assert not trace.exists()


def test_torch_before_2_6_is_told_what_it_can_read(tmp_path, monkeypatch):
    torch.save({'meta': {'object': Path('x')}}, tmp_path / 'objects.pth')
    monkeypatch.setattr(torch, '__version__', '2.5.1')
    with pytest.raises(ValueError, match=r'torch 2\.5\.1.* Fix: torch >= 2\.6, or .*package_model\.py'):
        load_checkpoint_safely(tmp_path / 'objects.pth')


@pytest.mark.parametrize('content', [b'', b'not a checkpoint at all', b'PK\x03\x04 half a zip file'])
def test_damaged_checkpoints(tmp_path, content):
    (tmp_path / 'bad.pth').write_bytes(content)
    with pytest.raises(ValueError, match=r'bad\.pth'):
        FaceLandmarker(LITE, tmp_path / 'bad.pth', 'cpu')


def test_weights_that_are_no_numbers_are_refused_wherever_they_are_used(model, tmp_path, capsys):
    state = {key: value.clone() for key, value in model.state_dict().items()}
    state['head.final_layer.bias'][5] = float('nan')
    path = str(tmp_path / 'diverged.pth')
    torch.save({'state_dict': state, 'meta': {}}, path)
    cv2.imwrite(str(tmp_path / 'a.png'), noise(100, 90))
    message = r'diverged\.pth: 1 of its tensors are NaN or infinite, the first is head\.final_layer\.bias'
    with pytest.raises(ValueError, match=message):
        FaceLandmarker(LITE, path, 'cpu')
    for tool, argv in {
        'infer': [str(tmp_path / 'a.png'), str(LITE), path, '--device', 'cpu', '--bboxes', '9,9,80,80'],
        'deployment/export_onnx': [str(LITE), path, str(tmp_path / 'a.onnx')],
    }.items():
        try:
            status = load_tool(tool).main(argv)
        except SystemExit as end:
            status = end.code
        assert status == 2 and re.search(message, capsys.readouterr().err)
    assert not (tmp_path / 'a.onnx').exists()


def test_missing_files_are_named(checkpoint):
    with pytest.raises(FileNotFoundError, match=r'nowhere\.pth'):
        FaceLandmarker(LITE, 'nowhere.pth', 'cpu')
    with pytest.raises(FileNotFoundError, match=r'nowhere\.py'):
        FaceLandmarker('nowhere.py', checkpoint, 'cpu')


@pytest.mark.parametrize(('device', 'message'), [('gpu', "'gpu'"), ('cuda:77', 'GPUs')])
def test_devices_that_are_not_there(checkpoint, device, message):
    with pytest.raises(ValueError, match=message):
        FaceLandmarker(LITE, checkpoint, device)


def test_gaussian_heatmaps_have_no_covariance(tmp_path):
    config = Config.fromfile(LITE)
    config.model.head.decoder = {'type': 'MSRAHeatmap', 'input_size': (128, 128), 'heatmap_size': (32, 32), 'sigma': 2}
    made = FaceLandmarker(config, None, 'cpu')
    (result,) = made(noise(120, 120), bboxes=[(10, 10, 100, 100)])
    (face,) = result.faces
    assert face.covariance is None and 'keypoint_covariances' not in result.to_instances()[0]
    assert face.confidence.min() >= 0 and face.confidence.max() <= 1
    assert len(made.boundaries) == 9
    with pytest.raises(ValueError, match='no covariances'):
        draw_result(noise(120, 120), result, ['ellipses'])


def test_other_decoders_are_refused():
    config = Config.fromfile(LITE)
    config.model.head.decoder = {'type': 'RegressionLabel', 'input_size': (128, 128)}
    with pytest.raises(TypeError, match='RegressionLabel'):
        FaceLandmarker(config, None, 'cpu')


@pytest.mark.skipif(bool(find_spec('mmpretrain')), reason='mmpretrain is installed')
def test_a_backbone_of_mmpretrain_names_the_extra():
    config = load_config(WFLW)
    config.model.backbone = dict(type='mmpretrain.VisionTransformer', arch='small')
    with pytest.raises(ModuleNotFoundError, match="pip install mmpretrain, the extra 'vit' of mmpose_sp"):
        load_model(config, None, 'cpu')


@pytest.mark.parametrize('name', ['fast', 'accurate', None])
def test_normalisations_are_folded_into_convolutions(name, model):
    if name:
        config, weights = packaged_model(name)
        model = load_model(load_config(config), weights, 'cpu')
    size = model.head.decoder.input_size
    images = torch.randn(2, 3, *size[::-1], generator=torch.Generator().manual_seed(1))
    expected = model.head(model.extract_feat(images)).detach()
    quick = quickened(model, size, 'cpu')
    found = quick.head(quick.extract_feat(images))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4 * float(expected.abs().max()))
    assert not any(isinstance(part, torch.nn.BatchNorm2d) for part in quick.modules())


class Network(torch.nn.Module):
    """A convolution and a normalisation that is named after it; what it gives is the last of a list."""

    def __init__(self, norm, norm_first=False, channels=3):
        super().__init__()
        self.conv, self.norm, self.norm_first = torch.nn.Conv2d(channels, 5, 1), norm, norm_first
        if norm.running_mean is not None:
            torch.nn.init.normal_(norm.running_mean)

    def extract_feat(self, images):
        return self.conv(self.norm(images)) if self.norm_first else self.norm(self.conv(images))

    def head(self, feats):
        return [feats.sum(), [feats]]


@pytest.mark.parametrize('channels', [1, 3])
def test_networks_of_any_input_and_head_are_folded(channels):
    network = Network(torch.nn.BatchNorm2d(5), channels=channels).eval()
    assert isinstance(quickened(network, (8, 8), 'cpu').norm, torch.nn.Identity)


@pytest.mark.parametrize(
    'network',
    [
        pytest.param(Network(torch.nn.BatchNorm2d(3), norm_first=True), id='other channels'),
        pytest.param(Network(torch.nn.BatchNorm2d(5), norm_first=True, channels=5), id='another order'),
        pytest.param(Network(torch.nn.BatchNorm2d(5, affine=False)), id='no factors'),
        pytest.param(Network(torch.nn.BatchNorm2d(5, track_running_stats=False)), id='no averages'),
    ],
)
def test_what_cannot_be_folded_stays_as_it_is(network):
    state = {key: value.clone() for key, value in network.eval().state_dict().items()}
    assert quickened(network, (8, 8), 'cpu') is network
    assert all(torch.equal(state[key], value) for key, value in network.state_dict().items())

"""The converter against landmarks that the original network gave.

``data/star_landmarks.json`` holds them in px of a 64 x 64 input: ZhenglinZhou/STAR in float64, with
the parameters and the image that this file makes by formula.
"""

import json
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmpose.registry import MODELS
from tools_by_path import load_tool

from mmpose_sp.faces import boundary_sets

ROOT = Path(__file__).parents[2]
EXPECTED = json.loads((Path(__file__).parent / 'data' / 'star_landmarks.json').read_text())
SETS = {98: 'wflw', 68: '300w', 29: 'cofw_star'}
SIZE = 64


@pytest.fixture(scope='module')
def tool():
    return load_tool('model_converters/star2mmpose')


def reference_shapes(num_landmarks, num_edges, stacks=4, depth=4, width=256):
    """Names and shapes in a checkpoint of the reference, its unused skip layers included."""
    shapes = {}

    def conv(name, i, o, k=1):
        shapes[f'{name}.weight'], shapes[f'{name}.bias'] = (o, i, k, k), (o,)

    def norm(name, c):
        for part in ('weight', 'bias', 'running_mean', 'running_var'):
            shapes[f'{name}.{part}'] = (c,)
        shapes[f'{name}.num_batches_tracked'] = ()

    def block(name, i, o):
        norm(f'{name}.bn1', i)
        conv(f'{name}.conv1.conv', i, o // 2)
        norm(f'{name}.bn2', o // 2)
        conv(f'{name}.conv2.conv', o // 2, o // 2, 3)
        norm(f'{name}.bn3', o // 2)
        conv(f'{name}.conv3.conv', o // 2, o)
        conv(f'{name}.skip_layer.conv', i, o)

    conv('pre.0.conv', 3 + 3, 64, 7)
    norm('pre.0.bn', 64)
    block('pre.1', 64, 128)
    block('pre.3', 128, 128)
    block('pre.4', 128, width)
    for s in range(stacks):
        conv(f'hgs.{s}.coordconv.conv', width + (5 if s else 3), width)
        level = f'hgs.{s}'
        for _ in range(depth):
            for part in ('up1', 'low1', 'low3'):
                block(f'{level}.{part}', width, width)
            level += '.low2'
        block(level, width, width)
        block(f'features.{s}.0', width, width)
        conv(f'features.{s}.1.conv', width, width)
        norm(f'features.{s}.1.bn', width)
        widths = dict(heatmaps=num_landmarks, pointmaps=num_landmarks, edgemaps=num_edges, features=width)
        for maps, channels in widths.items():
            if maps != 'features':
                conv(f'out_{maps}.{s}.conv', width, channels)
            if s + 1 < stacks:
                conv(f'merge_{maps}.{s}.conv', channels, width)
    return shapes


def value_of(name, shape):
    """A parameter by formula: NumPy's frozen Mersenne Twister, seeded by the name."""
    if name.endswith('num_batches_tracked'):
        return torch.tensor(0)
    normal = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(shape)  # noqa: NPY002
    if name.endswith('running_var'):
        value = 1 + 0.2 * np.abs(normal)
    elif len(shape) == 1:
        value = name.endswith('weight') + 0.1 * normal
    else:
        scale = 0.05 if name.startswith(('out_pointmaps', 'out_edgemaps')) else 1
        value = scale * normal / np.sqrt(np.prod(shape[1:]))
    return torch.from_numpy(value).float()


def reference_state(num_landmarks, **kwargs):
    boundaries = boundary_sets()[SETS[num_landmarks]][1]
    shapes = reference_shapes(num_landmarks, len(boundaries), **kwargs)
    state = {name: value_of(name, shape) for name, shape in shapes.items()}
    membership = torch.zeros(num_landmarks, len(boundaries), 1, 1)
    for e, boundary in enumerate(boundaries):
        membership[list(boundary.indices), e] = 1
    state['e2h_transform.weight'] = membership
    state['e2h_transform.bias'] = (membership.sum(1).flatten() == 0).float()
    return state


@pytest.fixture(scope='module')
def small_state():
    """One stack of the real width, to try the ways a file may come."""
    return reference_state(29, stacks=1, depth=1)


def build(model_cfg):
    with DefaultScope.overwrite_default_scope('mmpose'):
        return MODELS.build(model_cfg).eval()


@pytest.mark.parametrize('num_landmarks', [98, 68, 29])
def test_landmarks_are_those_of_the_reference(tool, num_landmarks):
    converted, cfg = tool.convert({'net': reference_state(num_landmarks)}, landmarks=num_landmarks, size=SIZE)
    model = build(cfg)
    model.load_state_dict(converted['state_dict'], strict=True)
    image = np.random.RandomState(0).uniform(-1, 1, (1, 3, SIZE, SIZE))  # noqa: NPY002
    with torch.no_grad():
        scores = model.double()(torch.from_numpy(image), None)
    landmarks = model.head.decode(scores)[0].keypoints[0]
    expected = np.array(EXPECTED[str(num_landmarks)])
    assert np.ptp(expected, axis=0).min() > 20  # all over the image, or this would show little
    np.testing.assert_allclose(landmarks, expected, atol=1e-4)


def test_every_parameter_of_the_reference_that_it_uses_is_taken(tool):
    state = reference_state(98)
    converted, _ = tool.convert(state)
    taken = sum(v.numel() for k, v in converted['state_dict'].items() if 'running' not in k and 'tracked' not in k)
    assert taken / 1e6 == pytest.approx(13.48, abs=0.01)


@pytest.mark.parametrize(
    'wrap',
    [
        lambda s: s,
        lambda s: {'net': s, 'epoch': 3},
        lambda s: {'net': {'n_averaged': torch.tensor(5), **{f'module.{k}': v for k, v in s.items()}}},
        lambda s: {'net_ema': s},
    ],
)
def test_wrappers_are_unpacked(tool, small_state, wrap):
    converted, _ = tool.convert(wrap(small_state))
    weight = converted['state_dict']['backbone.to_scores.0.weight']
    torch.testing.assert_close(weight, small_state['out_heatmaps.0.conv.weight'])


def test_the_given_key_is_taken(tool, small_state):
    other = {k: v + 1 for k, v in small_state.items()}
    state = tool.network_state({'net': small_state, 'net_ema': other}, 'net_ema')
    torch.testing.assert_close(state['pre.0.conv.bias'], small_state['pre.0.conv.bias'] + 1)
    with pytest.raises(tool.ConversionError, match=r"choose --key from \['net'\]"):
        tool.network_state({'net': small_state}, 'ema')


def test_edges_are_read_from_the_checkpoint(tool, small_state):
    cfg = tool.backbone_config(tool.network_state(small_state))
    assert [sorted(b.indices) for b in boundary_sets()['cofw'][1]] == cfg['edges']


def test_plain_scores_are_decoded_at_their_peak(tool, small_state):
    _, cfg = tool.convert(small_state, score_norm='none', grid='centers')
    assert cfg['backbone']['score_norm'] == 'none'
    assert not cfg['head']['log_heatmaps']
    assert cfg['head']['decoder']['subpixel'] == 'quadratic'
    assert cfg['head']['decoder']['grid'] == 'centers'


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda s: s.pop('features.0.0.bn2.bias'), 'no parameter for features.0.0.layers.3.bias'),
        (lambda s: s.update({'out_points.0.weight': torch.zeros(1)}), 'unknown.*out_points.0.weight'),
        (lambda s: s.update({'pre.4.conv2.conv.weight': torch.zeros(9, 9, 3, 3)}), r'\(9, 9, 3, 3\)'),
        (lambda s: s.pop('pre.0.conv.weight'), 'no stacked hourglass'),
    ],
)
def test_another_network_is_refused(tool, small_state, change, message):
    state = dict(small_state)
    change(state)
    with pytest.raises(tool.ConversionError, match=message):
        tool.convert(state)


def test_another_dataset_is_refused(tool, small_state):
    with pytest.raises(tool.ConversionError, match='for 29 landmarks, not 98'):
        tool.convert(small_state, landmarks=98)


def test_command_writes_checkpoint_and_config(tool, small_state, tmp_path, capsys):
    torch.save({'net': small_state, 'epoch': 1}, tmp_path / 'star.pkl')
    dst, config = tmp_path / 'out' / 'star.pth', tmp_path / 'star.py'
    assert tool.main([str(tmp_path / 'star.pkl'), str(dst), '--config', str(config)]) == 0
    model = build(Config.fromfile(config).model)
    model.load_state_dict(torch.load(dst, weights_only=True)['state_dict'], strict=True)
    assert 'AttentiveHourglass' in capsys.readouterr().out


@pytest.mark.parametrize('content', [b'', b'not a checkpoint'])
def test_command_names_the_unreadable_file(tool, tmp_path, capsys, content):
    source = tmp_path / 'broken.pkl'
    source.write_bytes(content)
    assert tool.main([str(source), str(tmp_path / 'out.pth')]) == 1
    assert str(source) in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [source]

import itertools

import pytest
import torch
from mmengine.config import Config
from mmpose.registry import MODELS
from tools_by_path import CONFIGS
from torch import nn

from mmpose_sp.models.backbones.attentive_hourglass import (
    AttentiveHourglass,
    CoordConv,
    EdgeToLandmark,
    coordinate_channels,
)

LITE = CONFIGS / '300w_part/td-hm_aam-hg1-lite_sp-1xb16-100e_300w-part-128x128.py'
WFLW_EDGES = [range(*pair) for pair in itertools.pairwise([0, 33, 42, 51, 55, 60, 68, 76, 88, 96])]


def tiny(**kwargs):
    torch.manual_seed(0)
    args = {'num_landmarks': 5, 'edges': [[0, 1], [2, 3]], 'num_stacks': 2, 'channels': 16, 'depth': 2, **kwargs}
    return AttentiveHourglass(**args)


def count_macs(model, size):
    """Multiply-adds of the convolutions: outputs times the weights that each output uses."""
    macs = []
    hooks = [
        m.register_forward_hook(lambda conv, _, out: macs.append(out[0].numel() * conv.weight[0].numel()))
        for m in model.modules()
        if isinstance(m, nn.Conv2d)
    ]
    with torch.no_grad():
        model.eval()(torch.zeros(1, 3, size, size))
    for hook in hooks:
        hook.remove()
    return sum(macs)


def count_params(model):
    return sum(p.numel() for p in model.parameters())


def test_size_of_the_papers_network():
    model = MODELS.build({'type': 'AttentiveHourglass', 'edges': WFLW_EDGES})
    assert count_params(model) / 1e6 == pytest.approx(13.48, abs=0.01)
    assert count_macs(model, 256) / 1e9 == pytest.approx(17.4, abs=0.1)


def test_size_of_the_lite_network():
    model = MODELS.build(Config.fromfile(LITE).model.backbone)
    assert count_params(model) / 1e6 == pytest.approx(0.24, abs=0.005)  # as the tables of the documentation say


@pytest.mark.parametrize('num_stacks', [1, 2, 4])
def test_each_stack_predicts_maps_at_a_quarter(num_stacks):
    outputs = tiny(num_stacks=num_stacks)(torch.randn(2, 3, 32, 48))
    assert len(outputs) == num_stacks
    for scores, points, edges in outputs:
        assert scores.shape == points.shape == (2, 5, 8, 12)
        assert edges.shape == (2, 2, 8, 12)
        for maps in (points, edges):
            assert maps.min() > 0 and maps.max() < 1


def test_without_attention_there_are_scores_only():
    model = tiny(with_aam=False, edges=None)
    assert [len(stack) for stack in model(torch.randn(1, 3, 32, 32))] == [1, 1]
    assert not any('points' in n or 'edges' in n for n, _ in model.named_parameters())


@pytest.mark.parametrize(
    'options',
    [
        {},
        {'with_aam': False},
        {'add_coord': False},
        {'boundary_coords': 'none'},
        {'boundary_coords': 'last_landmark', 'score_norm': 'instance_relu'},
        {'num_stacks': 1},
    ],
)
def test_gradient_reaches_every_parameter(options):
    # DistributedDataParallel without find_unused_parameters needs this.
    model = tiny(**options)
    torch.nn.init.normal_(model.to_scores[-1].weight)
    outputs = model(torch.randn(2, 3, 32, 32))
    sum((t * torch.randn_like(t)).sum() for stack in outputs for t in stack).backward()
    without = [n for n, p in model.named_parameters() if p.grad is None]
    assert without == []


@pytest.mark.parametrize('fed_back', ['features', 'scores', 'points', 'edges'])
def test_next_stack_sees_what_the_last_one_predicted(fed_back):
    model = tiny().eval()
    x = torch.randn(1, 3, 32, 32)
    first, second = (stack[1] for stack in model(x))
    nn.init.normal_(getattr(model, f'merge_{fed_back}')[0].bias)
    changed_first, changed_second = (stack[1] for stack in model(x))
    torch.testing.assert_close(changed_first, first)
    assert (changed_second - second).abs().max() > 1e-4


def test_scores_are_attended_by_point_and_edges():
    # attention = sigmoid(point) * sum of sigmoid(edges of the landmark), 1 for one on no edge
    model = tiny(num_stacks=1).eval()
    for name in ('to_scores', 'to_points', 'to_edges'):
        conv = getattr(model, name)[0]
        nn.init.zeros_(conv.weight)
        nn.init.zeros_(conv.bias)
    model.to_scores[0].bias.data = torch.tensor([1.0, -2.0, 3.0, -4.0, 5.0])
    model.to_points[0].bias.data = torch.tensor([0.0, 0.0, 0.0, 0.0, 2.0])
    model.to_edges[0].bias.data = torch.tensor([1.0, -1.0])
    scores = model(torch.randn(1, 3, 32, 32))[0][0][0, :, 0, 0]
    on, off, point = 0.7310586, 0.2689414, 0.8807971
    expected = [0.5 * on, -2 * 0.5 * on, 3 * 0.5 * off, -4 * 0.5 * off, 5 * point]
    torch.testing.assert_close(scores, torch.tensor(expected))


def test_scores_start_near_zero_with_any_sign():
    scores = tiny().eval()(torch.randn(2, 3, 32, 32))[-1][0]
    assert scores.abs().max() < 0.05
    assert (scores < 0).any() and (scores > 0).any()


@pytest.mark.parametrize(('norm', 'least'), [('instance', -float('inf')), ('instance_relu', 0)])
def test_scores_are_normalised(norm, least):
    raw, normalised = (tiny(num_stacks=1, score_norm=name, with_aam=False).eval() for name in ('none', norm))
    x = torch.randn(2, 3, 64, 64)
    scores = raw(x)[0][0]
    mean, variance = scores.mean((2, 3), True), scores.var((2, 3), unbiased=False, keepdim=True)
    expected = ((scores - mean) / (variance + 1e-5).sqrt()).clamp(min=least)
    torch.testing.assert_close(normalised(x)[0][0], expected, rtol=1e-4, atol=1e-5)


def test_edge_to_landmark_sums_the_edges_of_a_landmark():
    transform = EdgeToLandmark([[0, 2], [2, 3]], 4)
    a, b = torch.rand(2, 3, 3)
    maps = transform(torch.stack([a, b])[None])[0]
    torch.testing.assert_close(maps, torch.stack([a, torch.ones(3, 3), a + b, b]))
    assert not transform.state_dict()


def test_coordinates():
    coords = coordinate_channels(3, 5, torch.zeros(1))
    rows, cols, radius = coords[0]
    torch.testing.assert_close(rows[:, 2], torch.tensor([-1.0, 0.0, 1.0]))
    torch.testing.assert_close(cols[1], torch.tensor([-1.0, -0.5, 0.0, 0.5, 1.0]))
    assert radius[1, 2] == 0
    torch.testing.assert_close(radius[0, 0], torch.tensor(1.0))


def test_coordinates_have_the_dtype_of_the_features(monkeypatch):
    monkeypatch.setattr(torch.Tensor, 'square', lambda x: x.float() * x.float())  # as under CUDA's autocast
    assert coordinate_channels(3, 5, torch.zeros(1, dtype=torch.float16)).dtype == torch.float16


def test_boundary_coordinates_are_masked():
    conv = CoordConv(1, 2, with_boundary=True, kernel_size=1, bias=False)
    nn.init.zeros_(conv.conv.weight)
    conv.conv.weight.data[0, 4] = conv.conv.weight.data[1, 5] = 1
    boundary = torch.zeros(1, 1, 3, 3)
    boundary[..., 0, 2] = 0.06
    boundary[..., 2, 2] = 0.04
    rows, cols = conv(torch.randn(1, 1, 3, 3), boundary)[0]
    assert rows[0, 2] == -1 and cols[0, 2] == 1
    assert rows.abs().sum() == 1 and cols.abs().sum() == 1


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'edges': None}, 'with_aam=False'),
        ({'edges': [[0, 5]]}, r'edges\[0\]'),
        ({'channels': 12}, 'multiple of 8'),
        ({'boundary_coords': 'all'}, 'boundary_coords'),
        ({'score_norm': 'batch'}, 'score_norm'),
    ],
)
def test_unfit_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        tiny(**options)


def test_unfit_input_size_is_refused():
    with pytest.raises(ValueError, match='multiples of 16'):
        tiny()(torch.zeros(1, 3, 40, 32))


def test_traces():
    model = tiny().eval()
    x = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        traced = torch.jit.trace(model, x)
    other = torch.randn(2, 3, 32, 32)
    for ours, got in zip(model(other), traced(other)):
        torch.testing.assert_close(list(ours), list(got))

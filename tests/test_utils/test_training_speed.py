"""What makes a training on a CPU faster: layout and mixed precision, neither of which may change what is trained."""

import copy
from types import SimpleNamespace

import torch
from mmengine.registry import DefaultScope
from mmpose.registry import HOOKS, OPTIM_WRAPPERS
from torch import nn

import mmpose_sp  # noqa: F401  registers everything


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 4, 3, padding=1))


def test_channels_last_changes_the_layout_alone():
    plain = network()
    model = copy.deepcopy(plain)
    HOOKS.build(dict(type='ChannelsLastHook')).before_run(SimpleNamespace(model=model))
    x = torch.randn(2, 3, 8, 8)
    y = model(x)
    assert y.is_contiguous(memory_format=torch.channels_last) and not y.is_contiguous()
    torch.testing.assert_close(y, plain(x), rtol=1e-5, atol=1e-6)
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, plain.state_dict()[name])


def test_autocast_trains_almost_as_float32_does():
    torch.manual_seed(1)
    x, target = torch.randn(4, 3, 16, 16), torch.randn(4, 4, 16, 16)
    weights, dtypes = [], []
    for wrapper_type in ('OptimWrapper', 'CPUAutocastOptimWrapper'):
        model = network()
        with DefaultScope.overwrite_default_scope('mmpose'):
            wrapper = OPTIM_WRAPPERS.build(
                dict(type=wrapper_type, optimizer=torch.optim.SGD(model.parameters(), lr=0.05))
            )
        for _ in range(5):
            with wrapper.optim_context(model):
                y = model(x)
                loss = (y.float() - target).square().mean()
            wrapper.update_params(loss)
        dtypes.append(y.dtype)
        assert all(p.dtype == torch.float32 for p in model.parameters())
        weights.append(torch.cat([p.detach().flatten() for p in model.parameters()]))
    assert dtypes == [torch.float32, torch.bfloat16]
    start = torch.cat([p.detach().flatten() for p in network().parameters()])
    moved, moved_autocast = (w - start for w in weights)
    assert torch.cosine_similarity(moved, moved_autocast, dim=0) > 0.99
    with torch.no_grad():
        assert model(x).dtype == torch.float32  # outside of the wrapper's context

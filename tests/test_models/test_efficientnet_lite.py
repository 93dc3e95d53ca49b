"""EfficientNet-lite0, its ImageNet weights, and the neck above it."""

import numpy as np
import pytest
import torch
from mmengine.registry import DefaultScope
from mmpose.registry import MODELS
from tools_by_path import load_tool
from torch import nn

from mmpose_sp.models.backbones import EfficientNetLite
from mmpose_sp.models.float32_conv import Float32Conv2d, Float32DepthwiseConv2d
from mmpose_sp.models.necks import UNetNeck

tool = load_tool('model_converters/efficientnet2mmpose')
CATS = {281, 282, 283, 284, 285}  # the five classes of domestic cats


@pytest.fixture
def published():
    """The state dict of the package with the ImageNet weights, if it is installed."""
    pytest.importorskip(tool.PACKAGE)
    return torch.load(str(tool.installed_weights()), map_location='cpu', weights_only=True)


def test_size_of_the_published_network():
    # 4,652,008 parameters (Google), less the classifier: 320 -> 1280 with normalisation, 1280 -> 1000
    classifier = 320 * 1280 + 2 * 1280 + 1280 * 1000 + 1000
    assert sum(p.numel() for p in EfficientNetLite().parameters()) == 4_652_008 - classifier


def test_strides_and_channels():
    with torch.no_grad():
        maps = EfficientNetLite()(torch.zeros(2, 3, 64, 96))
    assert [tuple(m.shape) for m in maps] == [(2, 24, 16, 24), (2, 40, 8, 12), (2, 112, 4, 6), (2, 320, 2, 3)]


def test_imagenet_weights_recognise_a_cat(published):
    """Through the converter, with the classifier put on top again."""
    data = pytest.importorskip('skimage.data')
    model = EfficientNetLite(out_indices=(6,))
    model.load_state_dict(tool.convert(published), strict=True)
    head = nn.Sequential(
        nn.Conv2d(320, 1280, 1, bias=False), nn.BatchNorm2d(1280, eps=1e-3), nn.ReLU6(), nn.AdaptiveAvgPool2d(1)
    )
    fc = nn.Linear(1280, 1000)
    for target, name in ((head[0], '_conv_head'), (head[1], '_bn1'), (fc, '_fc')):
        target.load_state_dict({key.split('.')[1]: v for key, v in published.items() if key.startswith(f'{name}.')})
    cat = torch.tensor(data.chelsea()[:, 75:375].copy()).permute(2, 0, 1)[None].float()
    pixels = nn.functional.interpolate(cat, size=(224, 224), mode='bilinear', antialias=True)
    model.eval()  # mmpose's backbones do not return themselves
    with torch.no_grad():
        features = model((pixels - 127.5) / 127.5)[0]
        probabilities = fc(head.eval()(features).flatten(1)).softmax(-1)[0]
    assert int(probabilities.argmax()) in CATS
    assert probabilities[sorted(CATS)].sum() > 0.5


def test_converter_refuses_other_weights(published, tmp_path, capsys):
    torch.save({key: value for key, value in published.items() if 'stem' not in key}, tmp_path / 'cut.pth')
    with pytest.raises(SystemExit):
        tool.main([str(tmp_path / 'out.pth'), '--weights', str(tmp_path / 'cut.pth')])
    assert 'stem.conv.weight' in capsys.readouterr().err
    assert not (tmp_path / 'out.pth').exists()


def test_training_starts_from_the_converted_file(published, tmp_path):
    tool.main([str(tmp_path / 'out.pth')])
    model = EfficientNetLite(init_cfg=dict(type='Pretrained', checkpoint=str(tmp_path / 'out.pth')))
    model.init_weights()
    torch.testing.assert_close(model.stem.conv.weight.data, published['_conv_stem.weight'])
    torch.testing.assert_close(model.stages[6][0].linear_conv.bn.running_var, published['_blocks.15._bn2.running_var'])


def test_missing_weights_say_how_to_get_them(tmp_path):
    model = EfficientNetLite(init_cfg=dict(type='Pretrained', checkpoint=str(tmp_path / 'none.pth')))
    with pytest.raises(FileNotFoundError, match=r'none\.pth.*efficientnet2mmpose\.py.*init_cfg=None'):
        model.init_weights()


def plain_neck(channels, width):
    """A neck whose laterals copy and whose refinements do nothing."""
    neck = UNetNeck(channels, width).eval()
    for lateral, refine in zip(neck.lateral, neck.refine):
        nn.init.dirac_(lateral.conv.weight)
        nn.init.zeros_(refine.linear_conv.bn.weight)
        for norm in (lateral.bn, refine.linear_conv.bn):
            norm.eps = 0
    return neck


def test_neck_adds_the_coarser_maps_to_the_finer():
    maps = [torch.randn(2, 4, 8 // 2**i, 12 // 2**i) for i in range(3)]
    (got,) = plain_neck([4, 4, 4], 4)(maps)
    expected = sum(np.kron(m.numpy(), np.ones((2**i, 2**i))) for i, m in enumerate(maps))
    np.testing.assert_allclose(got.detach().numpy(), expected, atol=1e-5)


def test_gradient_reaches_every_parameter_of_the_neck():
    neck = UNetNeck([3, 5], 8)
    neck([torch.randn(2, 3, 8, 8), torch.randn(2, 5, 4, 4)])[0].square().sum().backward()
    assert [name for name, p in neck.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_neck_refuses_another_number_of_maps():
    with pytest.raises(ValueError, match='2 feature maps and got 1'):
        UNetNeck([3, 5], 8)([torch.zeros(1, 3, 8, 8)])


@pytest.mark.parametrize(
    ('convolution', 'expected'),
    [
        (Float32Conv2d(4, 4, 1), torch.float32),
        (Float32DepthwiseConv2d(4, 4, 1), torch.bfloat16),
        (Float32DepthwiseConv2d(4, 4, 1, groups=4), torch.float32),
    ],
)
def test_float32_convolutions_under_autocast(convolution, expected):
    x = torch.randn(2, 4, 5, 5).bfloat16()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        got = convolution(x)
    assert got.dtype == expected
    exact = nn.functional.conv2d(
        x.double(), convolution.weight.double(), convolution.bias.double(), groups=convolution.groups
    )
    tolerance = 1e-6 if expected == torch.float32 else 0.05
    torch.testing.assert_close(got.double(), exact, rtol=tolerance, atol=tolerance)
    assert convolution(x.float()).dtype == torch.float32


def test_convolutions_of_a_config_keep_the_names_of_the_weights():
    depthwise = dict(type='Float32DepthwiseConv2d')
    with DefaultScope.overwrite_default_scope('mmpose'):
        plain, mixed = (MODELS.build(dict(type='EfficientNetLite', conv_cfg=cfg)) for cfg in (None, depthwise))
    assert list(plain.state_dict()) == list(mixed.state_dict())
    assert sum(isinstance(m, Float32DepthwiseConv2d) and m.groups > 1 for m in mixed.modules()) == 16

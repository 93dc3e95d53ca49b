"""The stand-in for mmcv's compiled operators, through mmcv's own functions, against loops and closed forms."""

import mmcv._ext
import pytest
import torch
from mmcv.ops import (
    DeformConv2d,
    ModulatedDeformConv2d,
    batched_nms,
    deform_conv2d,
    modulated_deform_conv2d,
    nms,
    roi_align,
    sigmoid_focal_loss,
)
from torch.nn.functional import conv2d

pytestmark = pytest.mark.skipif(not hasattr(mmcv._ext, 'IS_STAND_IN'), reason='this mmcv has compiled operators')


def greedy_nms(boxes, scores, threshold, offset):
    """Keep the best box, drop what overlaps it by more than the threshold, and so on: in words of Python."""

    def area(box):
        return max(box[2] - box[0] + offset, 0) * max(box[3] - box[1] + offset, 0)

    left, kept = sorted(range(len(scores)), key=lambda index: -scores[index]), []
    while left:
        best = left.pop(0)
        kept.append(best)

        def iou(other, a=boxes[best]):
            b = boxes[other]
            shared = area([max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])])
            return shared / (area(a) + area(b) - shared)

        left = [index for index in left if iou(index) <= threshold]
    return kept


@pytest.mark.parametrize('offset', [0, 1])
@pytest.mark.parametrize('threshold', [0.1, 0.5])
def test_nms_is_the_greedy_algorithm(threshold, offset):
    generator = torch.Generator().manual_seed(0)
    corners = torch.rand(40, 2, generator=generator) * 30
    boxes = torch.cat([corners, corners + 1 + 10 * torch.rand(40, 2, generator=generator)], dim=1)
    scores = torch.rand(40, generator=generator)

    detections, kept = nms(boxes, scores, threshold, offset=offset)

    assert kept.tolist() == greedy_nms(boxes.tolist(), scores.tolist(), threshold, offset)
    assert torch.equal(detections, torch.cat([boxes, scores[:, None]], dim=1)[kept])


def test_nms_keeps_boxes_of_other_classes():
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 9], [0, 0, 10, 8]])
    kept = batched_nms(
        boxes, torch.tensor([0.9, 0.8, 0.7]), torch.tensor([0, 0, 1]), dict(type='nms', iou_threshold=0.5)
    )[1]
    assert kept.tolist() == [0, 2]


def test_roi_align_of_a_linear_image_is_the_value_at_the_centres_of_the_bins():
    y, x = torch.meshgrid(torch.arange(20.0), torch.arange(24.0), indexing='ij')
    image = (2 * x + 3 * y)[None, None]
    rois = torch.tensor([[0, 4.0, 6.0, 12.0, 10.0]])

    pooled = roi_align(image, rois, (2, 4), 1.0, 2, 'avg', True)

    centres_x, centres_y = torch.tensor([5.0, 7, 9, 11]) - 0.5, torch.tensor([7.0, 9]) - 0.5
    assert torch.allclose(pooled[0, 0], 2 * centres_x + 3 * centres_y[:, None])


def test_gradient_of_roi_align():
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(2, 2, 7, 8, dtype=torch.float64, generator=generator, requires_grad=True)
    rois = torch.tensor([[0, 0.7, 1.1, 6.2, 5.3], [1, 2.0, 0.4, 4.9, 6.0]], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda image: roi_align(image, rois, (2, 3), 0.9, 2, 'avg', True), [image])


def shifted_convolution(image, weight, shift):
    """A 3 x 3 convolution whose nine samples are all taken ``shift`` (dy, dx) whole pixels away."""
    moved = torch.zeros_like(image)
    dy, dx = shift
    height, width = image.shape[-2:]
    moved[..., max(-dy, 0) : height - max(dy, 0), max(-dx, 0) : width - max(dx, 0)] = image[
        ..., max(dy, 0) : height + min(dy, 0), max(dx, 0) : width + min(dx, 0)
    ]
    return conv2d(moved, weight)  # without padding: no sample falls off the moved image alone


def test_deformable_convolution_with_one_offset_is_a_convolution_of_the_moved_image():
    generator = torch.Generator().manual_seed(0)
    image, weight = torch.rand(2, 3, 9, 10, generator=generator), torch.rand(4, 3, 3, 3, generator=generator)
    offset = torch.tensor([1.0, -2.0]).repeat(9)[None, :, None, None].expand(2, 18, 7, 8).contiguous()

    deformed = deform_conv2d(image, offset, weight, 1, 0, 1, 1, 1)

    assert torch.allclose(deformed, shifted_convolution(image, weight, (1, -2)), atol=1e-5)


@pytest.mark.parametrize('bias', [True, False])
def test_mask_and_bias_of_deformable_convolution(bias):
    generator = torch.Generator().manual_seed(0)
    layer = ModulatedDeformConv2d(2, 3, 3, stride=2, padding=1, bias=bias)
    image = torch.rand(1, 2, 8, 8, generator=generator)
    offset, mask = torch.zeros(1, 18, 4, 4), torch.full((1, 9, 4, 4), 0.25)
    expected = conv2d(0.25 * image, layer.weight, layer.bias, stride=2, padding=1)
    assert torch.allclose(layer(image, offset, mask), expected, atol=1e-6)


def test_gradients_of_deformable_convolution():
    generator = torch.Generator().manual_seed(0)
    tensors = [(2, 4, 5, 5), (2, 36, 5, 5), (4, 2, 3, 3)]  # two groups, two deformable groups
    tensors = [torch.rand(shape, dtype=torch.float64, generator=generator, requires_grad=True) for shape in tensors]
    assert torch.autograd.gradcheck(lambda *tensors: deform_conv2d(*tensors, 1, 1, 1, 2, 2), tensors)


@pytest.mark.parametrize('bias', [True, False])
def test_gradients_of_modulated_deformable_convolution(bias):
    generator = torch.Generator().manual_seed(0)
    shapes = [(1, 2, 5, 5), (1, 18, 3, 3), (1, 9, 3, 3), (3, 2, 3, 3), (3,)][: 5 if bias else 4]
    tensors = [torch.rand(shape, dtype=torch.float64, generator=generator, requires_grad=True) for shape in shapes]

    def convolve(image, offset, mask, weight, bias=None):
        return modulated_deform_conv2d(image, offset, mask, weight, bias, (2, 2), (1, 1), (1, 1), 1, 1)

    assert torch.autograd.gradcheck(convolve, tensors)


def test_batches_that_are_no_multiple_of_the_step_are_computed():
    layer = DeformConv2d(2, 2, 3, padding=1, im2col_step=4)
    assert layer(torch.rand(4, 2, 6, 6), torch.zeros(4, 18, 6, 6)).shape == (4, 2, 6, 6)


def test_another_operator_says_its_name_and_how_to_get_it():
    with pytest.raises(NotImplementedError, match='"sigmoid_focal_loss_forward".*make setup MMCV=compiled'):
        sigmoid_focal_loss(torch.zeros(2, 3), torch.zeros(2, dtype=torch.long), 2.0, 0.25, None, 'mean')


def test_max_roi_align_says_that_it_is_missing():
    with pytest.raises(NotImplementedError, match='pool_mode max'):
        roi_align(torch.zeros(1, 1, 4, 4), torch.zeros(1, 5), 2, 1.0, 0, 'max', True)


def test_a_detector_of_mmdet_runs_end_to_end():
    """RTMDet, untrained: backbone, neck, head, and nms of what it finds."""
    from mmdet.registry import MODELS
    from mmdet.utils import register_all_modules
    from mmengine.config import Config
    from mmengine.hub import get_config  # noqa: F401 (checks that mmdet's configs are installed)
    from mmengine.utils import get_installed_path

    register_all_modules(init_default_scope=False)
    config = Config.fromfile(f'{get_installed_path("mmdet")}/.mim/configs/rtmdet/rtmdet_tiny_8xb32-300e_coco.py')
    config.model.backbone.init_cfg = None
    config.model.test_cfg.update(score_thr=0.0)
    torch.manual_seed(0)
    model = MODELS.build(dict(config.model, _scope_='mmdet')).eval()
    from mmdet.structures import DetDataSample

    sample = DetDataSample(metainfo=dict(img_shape=(64, 64), scale_factor=(1.0, 1.0), ori_shape=(64, 64)))
    with torch.no_grad():
        (result,) = model.predict(torch.rand(1, 3, 64, 64), [sample])
    found = result.pred_instances
    assert 0 < len(found.bboxes) <= config.model.test_cfg.max_per_img
    assert torch.isfinite(found.bboxes).all()

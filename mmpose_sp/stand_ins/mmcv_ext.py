"""A stand-in for ``mmcv._ext``, mmcv's compiled operators, by torchvision's.

mmcv-lite is all of mmcv but this one module, and mmpose and mmdet import ``mmcv.ops``, which imports it, whether or not
an operator is ever called. No face alignment model calls one. mmdet's detectors do: what they need is here, by the
operators of the same mathematics in torchvision (non-maximum suppression, RoIAlign, deformable convolution v1 and
v2), on any device and differentiable as in mmcv. Every other operator is a function that raises, when it is
called, a ``NotImplementedError`` with its name and the way to compiled mmcv.

Functions here have the names, arguments and conventions of ``mmcv/ops/csrc/pytorch/pybind.cpp`` (mmcv 2.1.0): results
are written into tensors that the caller has allocated (gradients are added), scalars come by keyword. This file imports
torch alone until an operator is called, and nothing of mmpose_sp, since it may be copied to ``mmcv/_ext.py`` (see
``mmpose_sp.stand_ins``).
"""

from typing import Callable, Sequence

import torch
from torch import Tensor

IS_STAND_IN = True  # compiled mmcv has no such name
HOW_TO_COMPILE = (
    'compile mmcv: `make setup MMCV=compiled` in a clone of mmpose_sp, or, in an environment of your own, '
    '`pip uninstall mmcv-lite`, then `MMCV_WITH_OPS=1 pip install --no-build-isolation --no-binary mmcv mmcv==2.1.0` '
    '(a C++ compiler and the headers of Python; FORCE_CUDA=1 and nvcc for operators on a GPU)'
)


def __getattr__(name: str) -> Callable:
    """Any operator that is not defined below: mmcv asks for all of them at import, and gets one that raises."""
    if name.startswith('__'):
        raise AttributeError(name)

    def missing(*args, **kwargs):
        raise NotImplementedError(
            f'mmcv\'s operator "{name}" is a compiled one and this is mmcv without compiled operators. To get it, '
            + HOW_TO_COMPILE
        )

    missing.__name__ = missing.__qualname__ = name
    return missing


def get_compiler_version() -> str:
    return 'no compiler: operators of torchvision'


def get_compiling_cuda_version() -> str:
    return 'not available'


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int) -> Tensor:
    """Indices (int64) of the boxes (N, 4) that survive, by falling score; widths are x2 - x1 + offset."""
    from torchvision.ops import nms as torchvision_nms

    if offset:  # The same intersections over unions result from boxes that are larger by the offset.
        boxes = boxes + boxes.new_tensor([0, 0, offset, offset])
    return torchvision_nms(boxes, scores, iou_threshold)


# What stands before the keywords is tensors in all of the following.


def roi_align_forward(input, rois, output, argmax_y, argmax_x, **options) -> None:
    """RoIAlign by averages of (N, C, H, W) in regions (R, 5: index, x1, y1, x2, y2), into ``output`` (R, C, h, w)."""
    output.copy_(_roi_align(input, rois, **options))


def roi_align_backward(grad_output, rois, argmax_y, argmax_x, grad_input, **options) -> None:
    """The gradient of :func:`roi_align_forward`, which is linear: it needs no input, only its shape."""
    _pull_back(lambda features: _roi_align(features, rois, **options), [grad_input], grad_output, [grad_input])


def _roi_align(
    input: Tensor,
    rois: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> Tensor:
    from torchvision.ops import roi_align

    if pool_mode != 1:
        __getattr__('roi_align with pool_mode max')()
    return roi_align(input, rois, (aligned_height, aligned_width), spatial_scale, sampling_ratio, aligned)


def deform_conv_forward(input, weight, offset, output, columns, ones, **geometry) -> None:
    """Deformable convolution (v1) of (N, C, H, W) with offsets (N, 2 G kH kW, h, w), into ``output`` (N, O, h, w)."""
    output.copy_(_deform_conv(input, offset, weight, **geometry))


def deform_conv_backward_input(
    input, offset, grad_output, grad_input, grad_offset, weight, columns, **geometry
) -> None:
    convolve = lambda input, offset: _deform_conv(input, offset, weight, **geometry)  # noqa: E731
    _pull_back(convolve, [input, offset], grad_output, [grad_input, grad_offset])


def deform_conv_backward_parameters(
    input, offset, grad_output, grad_weight, columns, ones, scale: float, **geometry
) -> None:
    convolve = lambda weight: _deform_conv(input, offset, weight, **geometry)  # noqa: E731
    _pull_back(convolve, [grad_weight], grad_output * scale, [grad_weight])


def _deform_conv(input, offset, weight, dW, dH, padW, padH, dilationW, dilationH, **implied) -> Tensor:
    """Implied by the shapes of the tensors are the kernel's size and both groups."""
    from torchvision.ops import deform_conv2d

    return deform_conv2d(input, offset, weight, None, (dH, dW), (padH, padW), (dilationH, dilationW))


def modulated_deform_conv_forward(input, weight, bias, ones, offset, mask, output, columns, **geometry) -> None:
    """Deformable convolution v2: v1 with a mask (N, G kH kW, h, w) and, with_bias, a bias (O,)."""
    output.copy_(_modulated_deform_conv(input, offset, mask, weight, bias, **geometry))


def modulated_deform_conv_backward(
    input, weight, bias, ones, offset, mask, columns,
    grad_input, grad_weight, grad_bias, grad_offset, grad_mask, grad_output, **geometry,
) -> None:  # fmt: skip
    convolve = lambda *tensors: _modulated_deform_conv(*tensors, **geometry)  # noqa: E731
    gradients = [grad_input, grad_offset, grad_mask, grad_weight, grad_bias]
    _pull_back(convolve, [input, offset, mask, weight, bias], grad_output, gradients)


def _modulated_deform_conv(
    input, offset, mask, weight, bias,
    stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w, with_bias: bool, **implied,
) -> Tensor:  # fmt: skip
    from torchvision.ops import deform_conv2d

    steps = (stride_h, stride_w), (pad_h, pad_w), (dilation_h, dilation_w)
    return deform_conv2d(input, offset, weight, bias if with_bias else None, *steps, mask)


def _pull_back(
    forward: Callable[..., Tensor], inputs: Sequence[Tensor], grad_output: Tensor, gradients: Sequence[Tensor]
) -> None:
    """Add to ``gradients`` what ``grad_output`` is worth at ``inputs``, by autograd through ``forward``."""
    with torch.enable_grad():
        leaves = [tensor.detach().requires_grad_() for tensor in inputs]
        results = torch.autograd.grad(forward(*leaves), leaves, grad_output, allow_unused=True)
    for gradient, result in zip(gradients, results):
        if result is not None:  # an empty tensor in place of no bias
            gradient.add_(result)

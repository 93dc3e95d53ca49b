"""Convolutions that stay in float32 where autocast would take half of it."""

import torch
from mmpose.registry import MODELS
from torch import Tensor, nn


@MODELS.register_module()
class Float32Conv2d(nn.Conv2d):
    """``nn.Conv2d`` in the precision of its weights, under autocast too; so is its output.

    For the scores: bfloat16 has 8 bits, a rounding of 0.06 at a score of 20, which is 6% of a probability.
    """

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            return super().forward(x.to(self.weight.dtype))


@MODELS.register_module()
class Float32DepthwiseConv2d(Float32Conv2d):
    """``Float32Conv2d`` where it has groups, else plain: a ``conv_cfg`` for inverted residuals that a CPU trains.

    The gradients of depthwise convolutions in bfloat16 are slow on CPUs, and they are a small part of the arithmetic.
    """

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) if self.groups > 1 else nn.Conv2d.forward(self, x)

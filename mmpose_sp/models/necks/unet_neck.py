"""From the feature pyramid of a classification network back up to one fine map."""

from typing import Any, Optional, Sequence, Tuple

import torch.nn.functional as F
from mmcv.cnn import ConvModule
from mmengine.model import BaseModule
from mmpose.models.backbones.utils import InvertedResidual
from mmpose.registry import MODELS
from torch import Tensor, nn


@MODELS.register_module()
class UNetNeck(BaseModule):
    """Every level is brought to one width, added to the upsampled coarser one and refined by an inverted residual.

    Args:
        in_channels: Channels of the backbone's maps, finest first, each half the size of the last.
        out_channels: The common width. Defaults to 64.
        kernel_size: Of the depthwise convolution of a refinement. Defaults to 5.
        expansion: Of a refinement. Defaults to 2.
        conv_cfg: Convolutions of the refinements. Defaults to ``nn.Conv2d``.
        norm_cfg: Normalisation. Defaults to BatchNorm.

    Citation: Ronneberger et al., "U-Net: Convolutional networks for biomedical image segmentation", MICCAI 2015.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        out_channels: int = 64,
        kernel_size: int = 5,
        expansion: int = 2,
        conv_cfg: Optional[dict] = None,
        norm_cfg: dict = dict(type='BN'),  # noqa: B006, C408
    ):
        super().__init__(init_cfg=dict(type='Kaiming', layer='Conv2d'))  # noqa: C408
        self.lateral = nn.ModuleList(
            ConvModule(channels, out_channels, 1, norm_cfg=norm_cfg, act_cfg=None) for channels in in_channels
        )
        self.refine = nn.ModuleList(
            InvertedResidual(
                out_channels,
                out_channels,
                expansion * out_channels,
                kernel_size=kernel_size,
                conv_cfg=conv_cfg,
                norm_cfg=norm_cfg,
            )
            for _ in in_channels
        )

    def forward(self, features: Sequence[Tensor]) -> Tuple[Tensor]:
        """Maps (B, in_channels[i], H / 2^i, W / 2^i) -> one map (B, out_channels, H, W)."""
        if len(features) != len(self.lateral):
            raise ValueError(f'UNetNeck was built for {len(self.lateral)} feature maps and got {len(features)}')
        x: Any = None  # nothing lies above the coarsest map
        for feature, lateral, refine in reversed(list(zip(features, self.lateral, self.refine))):
            fine = lateral(feature)
            if x is not None:
                fine = fine + F.interpolate(x, size=fine.shape[-2:], mode='nearest')
            x = refine(fine)
        return (x,)

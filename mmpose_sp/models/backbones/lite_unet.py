"""A small encoder-decoder for machines without a GPU."""

from typing import Optional, Sequence, Tuple

import torch.nn.functional as F
from mmcv.cnn import ConvModule
from mmpose.models.backbones.base_backbone import BaseBackbone
from mmpose.models.backbones.resnet import BasicBlock
from mmpose.registry import MODELS
from torch import Tensor, nn


def _block(in_channels: int, out_channels: int, stride: int, norm_cfg: dict) -> BasicBlock:
    """mmpose's residual block; the shortcut is a 1x1 convolution where the shape changes."""
    shortcut = None
    if stride != 1 or in_channels != out_channels:
        shortcut = ConvModule(in_channels, out_channels, 1, stride=stride, norm_cfg=norm_cfg, act_cfg=None)
    return BasicBlock(in_channels, out_channels, stride=stride, downsample=shortcut, norm_cfg=norm_cfg)


@MODELS.register_module()
class LiteUNet(BaseBackbone):
    """Residual blocks down to stride 4 * 2^L and back up to stride 4, with skip connections (U-Net).

    The widths grow as the resolution falls, which on a CPU gives more accuracy per millisecond than the constant
    width of an hourglass. With the default widths 0.7 M parameters.

    Args:
        channels: Widths at strides 4, 8, 16, ...; one block per stride on the way down, one on
            the skip connection and one on the way up. Defaults to (32, 48, 64, 96).
        in_channels: Channels of the image. Defaults to 3.
        norm_cfg: Normalisation. Defaults to BatchNorm.
        init_cfg: See :class:`mmengine.model.BaseModule`. Defaults to Kaiming.

    Citation: Ronneberger et al., "U-Net: Convolutional networks for biomedical image segmentation", MICCAI 2015.
    """

    def __init__(
        self,
        channels: Sequence[int] = (32, 48, 64, 96),
        in_channels: int = 3,
        norm_cfg: dict = dict(type='BN'),  # noqa: B006, C408
        init_cfg: Optional[dict] = None,
    ):
        super().__init__(
            init_cfg=init_cfg
            or [
                dict(type='Kaiming', layer='Conv2d'),  # noqa: C408
                dict(type='Constant', val=1, layer='_BatchNorm'),  # noqa: C408
            ]
        )
        if len(channels) < 2:
            raise ValueError(f'channels needs at least two widths, got {tuple(channels)}')
        first = channels[0]
        self.stem = nn.Sequential(
            ConvModule(in_channels, first // 2, 3, stride=2, padding=1, norm_cfg=norm_cfg),
            _block(first // 2, first, 2, norm_cfg),
        )
        pairs = list(zip(channels[:-1], channels[1:]))
        self.down = nn.ModuleList(_block(fine, coarse, 2, norm_cfg) for fine, coarse in pairs)
        self.bottom = _block(channels[-1], channels[-1], 1, norm_cfg)
        self.skip = nn.ModuleList(_block(fine, fine, 1, norm_cfg) for fine, _ in pairs)
        self.narrow = nn.ModuleList(nn.Conv2d(coarse, fine, 1) for fine, coarse in pairs)
        self.up = nn.ModuleList(_block(fine, fine, 1, norm_cfg) for fine, _ in pairs)

    def forward(self, x: Tensor) -> Tuple[Tensor]:
        """Images (B, C, H, W) -> one feature map (B, channels[0], H / 4, W / 4)."""
        x = self.stem(x)
        skips = []
        for down, skip in zip(self.down, self.skip):
            skips.append(skip(x))
            x = down(x)
        x = self.bottom(x)
        for narrow, up, fine in reversed(list(zip(self.narrow, self.up, skips))):
            x = up(fine + F.interpolate(narrow(x), size=fine.shape[-2:], mode='nearest'))
        return (x,)

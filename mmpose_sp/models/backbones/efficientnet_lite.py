"""EfficientNet-lite0: EfficientNet without what a CPU or a phone does slowly."""

from typing import Optional, Sequence, Tuple

from mmcv.cnn import ConvModule
from mmpose.models.backbones.base_backbone import BaseBackbone
from mmpose.models.backbones.utils import InvertedResidual
from mmpose.registry import MODELS
from torch import Tensor, nn

# (blocks, kernel, stride of the first, expansion, channels) of the seven stages.
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
STEM_CHANNELS = 32


@MODELS.register_module()
class EfficientNetLite(BaseBackbone):
    """EfficientNet-lite0 without its classifier, 3.0 M parameters: ReLU6 for swish and no squeeze-and-excitation.

    Args:
        out_indices: Stages whose outputs are returned. Defaults to (1, 2, 4, 6): strides 4, 8, 16, 32
            with 24, 40, 112, 320 channels.
        conv_cfg: Convolutions of the blocks. Defaults to ``nn.Conv2d``.
        norm_cfg: Normalisation. Defaults to BatchNorm with the epsilon that the published weights have.
        init_cfg: See :class:`mmengine.model.BaseModule`; ``dict(type='Pretrained',
            checkpoint=FILE)`` with a file of ``tools/model_converters/efficientnet2mmpose.py``. Defaults to Kaiming.

    Citation: Tan and Le, "EfficientNet: Rethinking model scaling for convolutional neural networks", ICML 2019; the
    lite variants are Google's, Apache-2.0.
    """

    def __init__(
        self,
        out_indices: Sequence[int] = (1, 2, 4, 6),
        conv_cfg: Optional[dict] = None,
        norm_cfg: dict = dict(type='BN', eps=1e-3, momentum=0.01),  # noqa: B006, C408
        init_cfg: Optional[dict] = None,
    ):
        super().__init__(
            init_cfg=init_cfg
            or [
                dict(type='Kaiming', layer='Conv2d'),  # noqa: C408
                dict(type='Constant', val=1, layer='_BatchNorm'),  # noqa: C408
            ]
        )
        act_cfg = dict(type='ReLU6')  # noqa: C408
        self.out_indices = tuple(out_indices)
        self.stem = ConvModule(3, STEM_CHANNELS, 3, stride=2, padding=1, norm_cfg=norm_cfg, act_cfg=act_cfg)
        self.stages = nn.ModuleList()
        width = STEM_CHANNELS
        for blocks, kernel, stride, expansion, channels in STAGES:
            stage = nn.Sequential()
            for index in range(blocks):
                stage.append(
                    InvertedResidual(
                        width,
                        channels,
                        width * expansion,
                        kernel_size=kernel,
                        stride=stride if index == 0 else 1,
                        with_expand_conv=expansion > 1,
                        conv_cfg=conv_cfg,
                        norm_cfg=norm_cfg,
                        act_cfg=act_cfg,
                    )
                )
                width = channels
            self.stages.append(stage)

    def init_weights(self) -> None:
        """As ``init_cfg`` says.

        Raises:
            FileNotFoundError: No such file of pretrained weights; the message says how to make it or do without.
        """
        try:
            super().init_weights()
        except FileNotFoundError as error:
            raise FileNotFoundError(
                f'{error}. Fix: python tools/model_converters/efficientnet2mmpose.py FILE makes it; '
                '--cfg-options model.backbone.init_cfg=None trains from scratch'
            ) from error

    def forward(self, x: Tensor) -> Tuple[Tensor, ...]:
        """Images (B, 3, H, W) -> feature maps of the stages ``out_indices``."""
        x = self.stem(x)
        features = []
        for index, stage in enumerate(self.stages):
            x = stage(x)
            if index in self.out_indices:
                features.append(x)
        return tuple(features)

"""Backbones that mmpose does not have."""

from .attentive_hourglass import AttentiveHourglass
from .efficientnet_lite import EfficientNetLite
from .lite_unet import LiteUNet

__all__ = ['AttentiveHourglass', 'EfficientNetLite', 'LiteUNet']

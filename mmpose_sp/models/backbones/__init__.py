"""Backbones that mmpose does not have."""

from .attentive_hourglass import AttentiveHourglass
from .lite_unet import LiteUNet

__all__ = ['AttentiveHourglass', 'LiteUNet']

"""Necks: from features of a backbone to the map that the head reads."""

from .unet_neck import UNetNeck

__all__ = ['UNetNeck']

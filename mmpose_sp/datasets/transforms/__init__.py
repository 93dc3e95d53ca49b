"""Pipeline transforms that mmpose and mmcv lack. For gray images use ``mmcv.RandomGrayscale(keep_channels=True)``."""

from .short_side_crop import GetShortSideCenterScale
from .texture import RandomBoxBlur, RandomGamma, RandomNoise, RandomOcclusion

__all__ = ['GetShortSideCenterScale', 'RandomBoxBlur', 'RandomGamma', 'RandomNoise', 'RandomOcclusion']

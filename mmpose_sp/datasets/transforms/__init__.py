"""Pipeline transforms that mmpose and mmcv lack. For gray images use ``mmcv.RandomGrayscale(keep_channels=True)``."""

from .square_crop import GetSquareCenterScale
from .texture import RandomBoxBlur, RandomGamma, RandomNoise, RandomOcclusion

__all__ = ['GetSquareCenterScale', 'RandomBoxBlur', 'RandomGamma', 'RandomNoise', 'RandomOcclusion']

"""Pipeline transforms that mmpose and mmcv lack. For gray images use ``mmcv.RandomGrayscale(keep_channels=True)``."""
from .texture import RandomBoxBlur, RandomGamma, RandomNoise, RandomOcclusion

__all__ = ['RandomBoxBlur', 'RandomGamma', 'RandomNoise', 'RandomOcclusion']

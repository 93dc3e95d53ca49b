"""Backbones that mmpose does not have."""
from .attentive_hourglass import AttentiveHourglass

__all__ = ['AttentiveHourglass']

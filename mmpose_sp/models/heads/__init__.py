"""Heads on score maps."""

from .attentive_hourglass_head import AttentiveHourglassHead
from .structured_prediction_head import StructuredPredictionHead

__all__ = ['AttentiveHourglassHead', 'StructuredPredictionHead']

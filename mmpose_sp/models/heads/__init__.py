"""Heads on score maps."""
from .structured_prediction_head import StructuredPredictionHead

__all__ = ['StructuredPredictionHead']

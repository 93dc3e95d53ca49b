"""Losses on score maps. All but AWingLoss share ``forward(scores, labels, weights=None, covariances=None)``."""

from .adaptive_wing_loss import AWingLoss
from .gaussian_mse_loss import KeypointGaussianMSELoss
from .landmark_loss import LandmarkLoss
from .soft_argmax_loss import SoftArgmaxLoss
from .star_loss import STARLoss
from .structured_prediction_loss import StructuredPredictionLoss

__all__ = [
    'AWingLoss',
    'KeypointGaussianMSELoss',
    'LandmarkLoss',
    'SoftArgmaxLoss',
    'STARLoss',
    'StructuredPredictionLoss',
]

"""Every loss on landmarks, once with each option that changes its arithmetic."""

import pytest

LANDMARK_LOSSES = [
    {'type': 'StructuredPredictionLoss'},
    {'type': 'StructuredPredictionLoss', 'norm': 'l2'},
    {'type': 'StructuredPredictionLoss', 'eps': 0.0},
    {'type': 'StructuredPredictionLoss', 'eps': 0.05, 'rounded_label': True},
    {'type': 'SoftArgmaxLoss'},
    {'type': 'SoftArgmaxLoss', 'kind': 'l1'},
    {'type': 'STARLoss'},
    {'type': 'STARLoss', 'normalization': 'instance_norm_relu'},
    {'type': 'KeypointGaussianMSELoss'},
]
every_loss = pytest.mark.parametrize('config', LANDMARK_LOSSES, ids=str)

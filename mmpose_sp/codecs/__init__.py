"""Keypoint codecs: labels to targets and score maps to landmarks."""

from mmpose_sp.posterior import decode_scores

from .boundary_maps import blur_and_sharpen, boundary_curves, edge_heatmaps
from .image_aware_label_smoothing import ImageAwareLabelSmoothing
from .label_covariance import SmoothingStages, smoothing_stages

__all__ = [
    'ImageAwareLabelSmoothing',
    'SmoothingStages',
    'blur_and_sharpen',
    'boundary_curves',
    'decode_scores',
    'edge_heatmaps',
    'smoothing_stages',
]

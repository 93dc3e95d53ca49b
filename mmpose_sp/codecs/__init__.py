"""Keypoint codecs: labels to targets and score maps to landmarks."""

from .boundary_maps import blur_and_sharpen, boundary_curves, edge_heatmaps
from .decoding import decode_scores, score_covariance
from .image_aware_label_smoothing import ImageAwareLabelSmoothing
from .label_covariance import SmoothingStages, smoothing_stages

__all__ = [
    'ImageAwareLabelSmoothing',
    'SmoothingStages',
    'blur_and_sharpen',
    'boundary_curves',
    'decode_scores',
    'edge_heatmaps',
    'score_covariance',
    'smoothing_stages',
]

"""Keypoint codecs: labels to targets and score maps to landmarks."""
from .decoding import decode_scores, score_covariance
from .image_aware_label_smoothing import ImageAwareLabelSmoothing

__all__ = ['ImageAwareLabelSmoothing', 'decode_scores', 'score_covariance']

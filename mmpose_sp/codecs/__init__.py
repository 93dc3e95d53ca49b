"""Keypoint codecs: labels to targets and score maps to landmarks."""

from mmpose_sp.utils.lazy import lazy_exports

__getattr__, __all__ = lazy_exports(
    __name__,
    boundary_maps='blur_and_sharpen boundary_curves edge_heatmaps',
    image_aware_label_smoothing='ImageAwareLabelSmoothing',
    label_covariance='Smoothing SmoothingStages edge_alignment smoothing_stages',
)

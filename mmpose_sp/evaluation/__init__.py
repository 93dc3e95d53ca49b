"""Scores of the face alignment benchmarks: pure functions and one metric over them."""

from mmpose_sp.utils.lazy import lazy_exports

__getattr__, __all__ = lazy_exports(
    __name__,
    metric='FaceAlignmentMetric',
    scores='ced_auc face_normaliser failure_rate landmark_box_diagonal landmark_distance per_face_nme',
)

"""Scores of the face alignment benchmarks: pure functions and one metric over them."""

from .metric import FaceAlignmentMetric
from .scores import (
    ced_auc,
    face_normaliser,
    failure_rate,
    landmark_box_diagonal,
    landmark_distance,
    per_face_nme,
)

__all__ = [
    'FaceAlignmentMetric',
    'ced_auc',
    'face_normaliser',
    'failure_rate',
    'landmark_box_diagonal',
    'landmark_distance',
    'per_face_nme',
]

"""Scores of the face alignment benchmarks: pure functions and one metric over them."""

from .functional import (
    ced_auc,
    failure_rate,
    landmark_box_diagonal,
    landmark_distance,
    per_face_nme,
)
from .metric import FaceAlignmentMetric
from .protocols import PROTOCOLS, Protocol

__all__ = [
    'PROTOCOLS',
    'FaceAlignmentMetric',
    'Protocol',
    'ced_auc',
    'failure_rate',
    'landmark_box_diagonal',
    'landmark_distance',
    'per_face_nme',
]

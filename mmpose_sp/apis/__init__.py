"""Inference on pictures, folders, videos and cameras."""

from mmpose_sp.codecs.calibration import Calibration
from mmpose_sp.faces import BoxMapping

from .detectors import HaarFaceDetector, MMDetFaceDetector
from .drawing import draw_result
from .landmarker import FaceLandmarker
from .results import FaceResult, ImageResult

__all__ = [
    'BoxMapping',
    'Calibration',
    'FaceLandmarker',
    'FaceResult',
    'HaarFaceDetector',
    'ImageResult',
    'MMDetFaceDetector',
    'draw_result',
]

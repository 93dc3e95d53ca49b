"""Inference on pictures, folders, videos and cameras."""

from mmpose_sp.utils.lazy import lazy_exports

__getattr__, __all__ = lazy_exports(
    __name__,
    detectors='HaarFaceDetector MMDetFaceDetector',
    drawing='draw_result',
    landmarker='FaceLandmarker',
    results='FaceResult ImageResult',
    tracker='FaceTracker',
    yunet='YuNetFaceDetector',
    **{'.posterior': 'Calibration', '.faces': 'BoxMapping'},
)

"""Face detectors: OpenCV's cascade and any detector of mmdet; the one that comes with mmpose_sp is in yunet.py.

A detector takes a uint8 BGR picture and returns ``(boxes, scores)``: (N, 4) float32 landmark boxes x1 y1 x2 y2 in
image px and (N,) scores in [0, 1], best first. Any function of that kind serves as well.
"""

from pathlib import Path
from typing import List, Optional, Sequence, Tuple, Union

import cv2
import cv2.data
import numpy as np

from mmpose_sp.faces import SCHEMES, BoxMapping, overlap

Detections = Tuple[np.ndarray, np.ndarray]

IOU = 0.3  # of two boxes that overlap more than this, the one with the better score stays


def haar_mapping(dataset_name: str) -> BoxMapping:
    """From the cascade's box to the box around the landmarks of a dataset; 300-W's if its scheme is not known."""
    return SCHEMES.get(dataset_name, SCHEMES['300w']).haar_box


class HaarFaceDetector:
    """Upright, frontal faces by OpenCV's packaged Haar cascade.

    Args:
        mapping: From the cascade's box to the landmark box, see :func:`haar_mapping`.
    """

    CASCADE = 'haarcascade_frontalface_default.xml'
    THRESHOLD = 0.5  # least score of a face, see __call__
    NEIGHBORS = 3  # overlapping hits that make a face; more of them find fewer faces and fewer false ones
    MIN_SIZE = 0.05  # side of the smallest face as a fraction of the picture's shorter side, but at least MIN_PIXELS
    MIN_PIXELS = 20  # the cascade is trained on 24 x 24 px
    MAX_SIDE = 1024  # px of the longer side: larger pictures are searched at this size

    def __init__(self, mapping: BoxMapping = BoxMapping()) -> None:  # noqa: B008
        self.mapping = mapping
        if not hasattr(cv2, 'CascadeClassifier'):
            raise ValueError(
                f'OpenCV {cv2.__version__} has no cascades any more. Fix: pip install "opencv-python-headless<5", or '
                'give boxes or another detector'
            )
        self._cascade = cv2.CascadeClassifier(str(Path(cv2.data.haarcascades) / self.CASCADE))
        if self._cascade.empty():
            raise FileNotFoundError(
                f'OpenCV at {cv2.__file__} comes without {self.CASCADE}; pip install opencv-python-headless has it'
            )

    def __call__(self, image: np.ndarray) -> Detections:
        """Find the faces; the score is 1 - exp(-w / 2) of the weight w that the last stage of the cascade gives."""
        scale = min(1.0, self.MAX_SIDE / max(image.shape[:2]))
        gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        if scale < 1:
            gray = cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        side = max(self.MIN_PIXELS, round(self.MIN_SIZE * min(gray.shape)))
        if min(gray.shape) < side:
            return np.zeros((0, 4), dtype=np.float32), np.zeros(0, dtype=np.float32)
        found, _, weights = self._cascade.detectMultiScale3(
            cv2.equalizeHist(gray), 1.1, self.NEIGHBORS, minSize=(side, side), outputRejectLevels=True
        )
        found = np.asarray(found, dtype=np.float32).reshape(-1, 4)
        # x y w h of whole pixels of the smaller picture -> their outline in the picture, pixel centres at the integers
        ratio = np.array([image.shape[1] / gray.shape[1], image.shape[0] / gray.shape[0]] * 2, dtype=np.float32)
        boxes = np.concatenate([found[:, :2], found[:, :2] + found[:, 2:]], axis=1) * ratio - 0.5
        scores = 1 - np.exp(-np.maximum(np.asarray(weights, dtype=np.float32).reshape(-1), 0) / 2)
        return _faces(boxes, scores, self.THRESHOLD, self.mapping)


class MMDetFaceDetector:
    """A detector of mmdet.

    Args:
        config: Config file, or a name that mmdet knows (whose weights it would download).
        weights: Checkpoint.
        device: 'cpu', 'cuda:0', ...
        categories: Labels that are faces.
        threshold: Least score of a face.
        mapping: From the detector's box to the landmark box; the identity suits detectors that are trained on boxes
            around the landmarks, such as mmpose's yolox-s_8xb8-300e_coco-face.
    """

    def __init__(
        self,
        config: Union[str, Path],
        weights: Optional[Union[str, Path]] = None,
        device: str = 'cpu',
        categories: Sequence[int] = (0,),
        threshold: float = 0.3,
        mapping: BoxMapping = BoxMapping(),  # noqa: B008
    ) -> None:
        try:
            from mmdet.apis import DetInferencer
        except ImportError as error:
            raise ImportError(
                f'{config}: a detector of mmdet needs it: {error}. Fix: install OpenMMLab (README), or take one of the '
                "detectors that come with mmpose_sp, 'yunet' or 'haar'"
            ) from error

        weights = None if weights is None else str(weights)
        try:
            self._detector = DetInferencer(
                model=str(config), weights=weights, device=device, scope='mmdet', show_progress=False
            )
        except ValueError as error:
            raise ValueError(
                f"detector {str(config)!r}: {error}. Fix: 'yunet', 'haar', a config of mmdet or a function"
            ) from error
        self.categories = tuple(categories)
        self.threshold = threshold
        self.mapping = mapping

    def __call__(self, image: np.ndarray) -> Detections:
        """Find the faces."""
        instances = self._detector(image, return_datasamples=True)['predictions'][0].pred_instances.cpu().numpy()
        boxes, scores = instances.bboxes, instances.scores
        wanted = np.isin(instances.labels, self.categories) & (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
        return _faces(boxes[wanted], scores[wanted], self.threshold, self.mapping)


def _faces(boxes: np.ndarray, scores: np.ndarray, threshold: float, mapping: BoxMapping) -> Detections:
    """Drop unsure and doubled boxes, map the rest to landmark boxes, best first."""
    sure = scores >= threshold
    kept = best_of_overlapping(boxes[sure], scores[sure])
    return mapping(boxes[sure][kept]), scores[sure][kept].astype(np.float32)


def best_of_overlapping(boxes: np.ndarray, scores: np.ndarray, iou: float = IOU) -> List[int]:
    """Indices of the boxes (N, 4) that overlap no better one by more than ``iou``, best first."""
    order = np.argsort(-scores, kind='stable')
    kept: List[int] = []
    while order.size:
        best, order = order[0], order[1:]
        kept.append(int(best))
        order = order[overlap(boxes[best], boxes[order]) <= iou]
    return kept

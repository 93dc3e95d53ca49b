"""The face detector that comes with mmpose_sp: YuNet, by onnxruntime where it is installed, or else by OpenCV."""

from pathlib import Path
from typing import Callable, Dict, List, Tuple

import cv2
import numpy as np

from mmpose_sp.faces import SCHEMES, BoxMapping

from .detectors import Detections, best_of_overlapping

FILE = Path(__file__).resolve().parents[1] / 'weights' / 'yunet.onnx'  # of tools/model_converters/yunet2onnx.py
STRIDES = (8, 16, 32)  # px of the picture per px of the network's maps
MAX_GAIN = 16
# px: pictures more than twice as large are searched at this size as well, for faces of more px than the network knows
COARSE_SIDE = 320
OUTPUTS = [f'{kind}_{stride}' for stride in STRIDES for kind in ('cls', 'obj', 'bbox')]

Network = Callable[[np.ndarray], Dict[str, np.ndarray]]


def yunet_mapping(dataset_name: str) -> BoxMapping:
    """From YuNet's box to the box around the landmarks of a dataset; 300-W's if its scheme is not known."""
    return SCHEMES.get(dataset_name, SCHEMES['300w']).yunet_box


class YuNetFaceDetector:
    """Faces from 20 px on, frontal or in profile, leaning or upside down: YuNet, as libfacedetection has trained it.

    W. Wu, H. Peng and S. Yu, "YuNet: A Tiny Millisecond-level Face Detector", Machine Intelligence Research 20, 2023.
    54 thousand weights, BSD 3-clause, see mmpose_sp/weights/yunet.md. What it finds is told by docs/detectors.md.

    Args:
        mapping: From its box to the landmark box, see :func:`yunet_mapping`.
        threshold: Least score of a face, the root of classification times objectness.
        max_side: Larger pictures are searched at this size (px of the longer side), smaller ones as they are.
        threads: That onnxruntime computes with, 0 for one a core: on so small a network more of them mostly wait.

    Raises:
        FileNotFoundError: The installation lacks the network.
    """

    def __init__(
        self,
        mapping: BoxMapping = BoxMapping(),  # noqa: B008
        threshold: float = 0.5,
        max_side: int = 1024,
        threads: int = 1,
    ) -> None:
        self.mapping = mapping
        self.threshold = threshold
        self.max_side = max_side
        self._network = _load(FILE, threads)

    def __call__(self, image: np.ndarray) -> Detections:
        """Find the faces; if there is none, look again for a small, dark or noisy one: larger, brighter, smaller."""
        side = max(image.shape[:2])
        sides = [min(side, self.max_side)]
        if side > 2 * COARSE_SIDE:
            sides.append(COARSE_SIDE)
        boxes, scores = self._search(image, sides)
        if not len(boxes):
            larger = [min(2 * side, self.max_side)] if side < self.max_side else []
            boxes, scores = self._search(_brightened(image), [*larger, max(1, sides[0] // 2)])
        kept = best_of_overlapping(boxes, scores)
        return self.mapping(boxes[kept]), scores[kept]

    def _search(self, image: np.ndarray, sides: List[int]) -> Detections:
        """The boxes of the picture at several sizes, many of each face."""
        found = [self._search_once(image, side) for side in sides]
        return np.concatenate([boxes for boxes, _ in found]), np.concatenate([scores for _, scores in found])

    def _search_once(self, image: np.ndarray, side: int) -> Detections:
        """The boxes (N, 4) of the picture when its longer side has ``side`` px, in px of the picture as it is."""
        height, width = image.shape[:2]
        factor = side / max(height, width)
        if factor != 1:
            size = max(1, round(width * factor)), max(1, round(height * factor))
            image = cv2.resize(image, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR)
        ratio = np.array([width / image.shape[1], height / image.shape[0]] * 2, dtype=np.float32)
        padded = np.zeros((1, 3, *(-(-n // STRIDES[-1]) * STRIDES[-1] for n in image.shape[:2])), dtype=np.float32)
        padded[0, :, : image.shape[0], : image.shape[1]] = image.transpose(2, 0, 1)
        boxes, scores = decode(self._network(padded), padded.shape[3], self.threshold)
        return (boxes + 0.5) * ratio - 0.5, scores


def _brightened(image: np.ndarray) -> np.ndarray:
    """With the brightest pixels at white, but by ``MAX_GAIN`` at most."""
    gain = 255 / max(float(np.percentile(image, 99.5)), 255 / MAX_GAIN)
    return cv2.convertScaleAbs(image, alpha=gain) if gain > 1 else image


def decode(maps: Dict[str, np.ndarray], width: int, threshold: float) -> Tuple[np.ndarray, np.ndarray]:
    """The boxes of YuNet's maps.

    Each pixel of a map, at (column, row), has a box: its centre is (column, row) + bbox[:2] and its size exp(bbox[2:]),
    in px of the map.

    Args:
        maps: ``cls_<stride>`` and ``obj_<stride>`` (1, P, 1) in [0, 1], ``bbox_<stride>`` (1, P, 4), over P px.
        width: Of the picture that the network saw, px.
        threshold: Least score, the root of cls times obj.

    Returns:
        Boxes x1 y1 x2 y2 (N, 4) in px of that picture and scores (N,), float32.
    """
    boxes, scores = [], []
    for stride in STRIDES:
        score = np.sqrt(maps[f'cls_{stride}'][0, :, 0] * maps[f'obj_{stride}'][0, :, 0])
        at = np.flatnonzero(score >= threshold)
        row, column = np.divmod(at, width // stride)
        shift, size = np.split(maps[f'bbox_{stride}'][0, at], 2, axis=1)
        centre, half = np.stack([column, row], axis=1) + shift, np.exp(size) / 2
        boxes.append(stride * np.concatenate([centre - half, centre + half], axis=1))
        scores.append(score[at])
    return np.concatenate(boxes).astype(np.float32), np.concatenate(scores).astype(np.float32)


def _load(file: Path, threads: int) -> Network:
    """The network as a function from a padded picture (1, 3, H, W), float32 BGR of 0 to 255, to its maps."""
    if not file.is_file():
        raise FileNotFoundError(f'{file}: this installation of mmpose_sp lacks its face detector; install it again')
    try:
        import onnxruntime  # twice as fast as OpenCV
    except ImportError:
        network = cv2.dnn.readNetFromONNX(np.fromfile(file, dtype=np.uint8))

        def by_opencv(blob: np.ndarray) -> Dict[str, np.ndarray]:
            network.setInput(blob)
            return dict(zip(OUTPUTS, network.forward(OUTPUTS)))

        return by_opencv
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(file), options, providers=['CPUExecutionProvider'])
    return lambda blob: dict(zip(OUTPUTS, session.run(OUTPUTS, {'input': blob})))

"""Folders of pictures, and a landmarker without a network whose faces are known."""

import cv2
import numpy as np
import pytest

from mmpose_sp.annotation.annotated_folder import AnnotatedFolder
from mmpose_sp.apis import FaceResult
from mmpose_sp.apis.base_landmarker import BaseLandmarker
from mmpose_sp.faces import SCHEMES

COUNT = 68
SIZE = 240, 200  # px of the pictures


class KnownFaces(BaseLandmarker):
    """Landmarks on an ellipse in each box, errors that spread along it. Its detector finds as many faces as the first
    pixel of a picture says."""

    dataset_name, num_landmarks, joint = '300w', COUNT, 'offset'

    def __init__(self):
        super().__init__(self._known_boxes, None, 8, 0.0, 0, (0,))
        self.pictures_seen = 0

    def _known_boxes(self, image):
        found = range(image[0, 0, 0])
        return np.array([[20.0 + 70 * i, 40, 80 + 70 * i, 120] for i in found]).reshape(-1, 4), np.ones(len(found))

    def _crop(self, image, box, name):
        self.pictures_seen += 1
        return box

    def _find(self, crops, score_maps):
        return [self.face(box) for box in crops]

    def face(self, box):
        """The face in a box."""
        box = np.asarray(box, dtype=np.float32)
        angle = np.linspace(0, 2 * np.pi, COUNT, endpoint=False)
        middle, half = (box[:2] + box[2:4]) / 2, (box[2:4] - box[:2]) / 2
        apart = np.abs(angle[:, None] - angle)
        along = 4 * np.exp(-np.minimum(apart, 2 * np.pi - apart)) + 0.2 * np.eye(COUNT)
        covariance = np.kron(along, np.array([[2.0, 0.5], [0.5, 1.0]])).astype(np.float32)
        return FaceResult(
            landmarks=(middle + half * np.column_stack([np.cos(angle), np.sin(angle)])).astype(np.float32),
            confidence=np.linspace(0.2, 1, COUNT, dtype=np.float32),
            covariance=covariance.reshape(COUNT, 2, COUNT, 2)[range(COUNT), :, range(COUNT)],
            box=box[:4],
            box_score=1.0,
            heatmap_to_image=np.eye(2, 3),
            joint_covariance=covariance,
            quality=0.9,
        )


@pytest.fixture
def landmarker():
    return KnownFaces()


@pytest.fixture
def pictures(tmp_path):
    """Four pictures: one face, two, none, and one that cannot be read."""
    folder = tmp_path / 'pictures'
    folder.mkdir()
    assert SCHEMES['300w'].num_landmarks == COUNT
    for index, (name, count) in enumerate((('a.png', 1), ('b.jpg', 2), ('c.png', 0))):
        image = np.random.default_rng(index).integers(60, 200, (*SIZE[::-1], 3), dtype=np.uint8)
        image[:8, :8] = count  # a block, so that JPEG keeps it
        cv2.imwrite(str(folder / name), image, [cv2.IMWRITE_JPEG_QUALITY, 100])
    (folder / 'd.jpg').write_bytes(b'no picture')
    return folder


@pytest.fixture
def opened(pictures, landmarker):
    """Open the folder; the one that was open before is left as a process that ends leaves it."""
    last = []

    def open_folder(form='coco', target=None, by=landmarker):
        while last:
            last.pop().journal.close()
        last.append(AnnotatedFolder(pictures, by, form, target))
        return last[0]

    return open_folder

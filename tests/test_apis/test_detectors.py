"""Face detectors: mmdet's output is filtered and mapped, the cascade finds faces where the models expect them."""

import os
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from api_helpers import noise
from mmengine.structures import InstanceData

from mmpose_sp.apis import BoxMapping, HaarFaceDetector, MMDetFaceDetector
from mmpose_sp.apis.detectors import haar_mapping


class FakeInferencer:
    """Stands for mmdet's DetInferencer."""

    made = None

    def __init__(self, **kwargs):
        FakeInferencer.made = kwargs

    def __call__(self, image, return_datasamples):
        assert return_datasamples
        import torch

        boxes = [(0, 0, 100, 100), (2, 2, 102, 98), (200, 0, 260, 50), (50, 200, 90, 260), (7, 7, 7, 9)]
        instances = InstanceData(
            bboxes=torch.tensor(boxes, dtype=torch.float32),
            scores=torch.tensor([0.8, 0.9, 0.2, 0.95, 0.99]),
            labels=torch.tensor([0, 0, 0, 3, 0]),
        )
        return {'predictions': [SimpleNamespace(pred_instances=instances)]}


@pytest.fixture
def fake_mmdet(monkeypatch):
    import mmdet.apis

    monkeypatch.setattr(mmdet.apis, 'DetInferencer', FakeInferencer)


def test_mmdet_boxes_are_filtered(fake_mmdet):
    boxes, scores = MMDetFaceDetector('face.py', 'face.pth', 'cpu')(noise(9, 9))
    # the better of two overlapping boxes; not the unsure one, not another category, not the empty one
    np.testing.assert_allclose(boxes, [(2, 2, 102, 98)])
    np.testing.assert_allclose(scores, [0.9])
    assert FakeInferencer.made['model'] == 'face.py' and FakeInferencer.made['weights'] == 'face.pth'


def test_mmdet_options(fake_mmdet):
    detector = MMDetFaceDetector('face.py', 'face.pth', categories=(0, 3), threshold=0.1, mapping=BoxMapping(0.5, 0))
    boxes, scores = detector(noise(9, 9))
    np.testing.assert_allclose(scores, [0.95, 0.9, 0.2])
    np.testing.assert_allclose(boxes[2], [215, 10, 245, 40])


def test_mmdet_without_a_face(fake_mmdet):
    boxes, scores = MMDetFaceDetector('face.py', 'face.pth', threshold=0.999)(noise(9, 9))
    assert boxes.shape == (0, 4) and scores.shape == (0,)


def test_the_command_line_detector_is_mmdets(fake_mmdet, landmarker, monkeypatch):
    monkeypatch.setattr(landmarker, '_detector', None)
    monkeypatch.setattr(landmarker, '_detector_spec', ('face.py', 'face.pth'))
    assert [face.box_score for face in landmarker(noise(150, 150))[0].faces] == [pytest.approx(0.9)]


@pytest.fixture
def photograph():
    """A public-domain photograph of one astronaut, 512 x 512."""
    data = pytest.importorskip('skimage.data')
    return data.astronaut()[..., ::-1].copy()


def test_cascade_finds_the_astronaut(photograph):
    boxes, scores = HaarFaceDetector(haar_mapping('300w'))(photograph)
    assert len(boxes) == 1 and 0.5 <= scores[0] <= 1
    x1, y1, x2, y2 = boxes[0]
    # read off the photograph: brows near y 92, chin near y 170, ears near x 185 and 265
    assert 160 < x1 < 200 and 250 < x2 < 290 and 70 < y1 < 105 and 155 < y2 < 185


@pytest.mark.parametrize('factor', [0.5, 3.0])
def test_cascade_boxes_scale_with_the_picture(photograph, factor):
    detector = HaarFaceDetector(haar_mapping('300w'))
    original = detector(photograph)[0][0]
    scaled = detector(cv2.resize(photograph, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA))[0][0]
    np.testing.assert_allclose(scaled / factor, original, atol=0.15 * (original[2] - original[0]))


def test_cascade_finds_nothing_in_nothing():
    for image in (np.zeros((200, 200, 3), np.uint8), np.zeros((3, 500, 3), np.uint8), noise(120, 120)):
        boxes, scores = HaarFaceDetector()(image)
        assert boxes.shape == (0, 4) and scores.shape == (0,)


def test_cascade_boxes_are_those_of_the_landmarks():
    """On real faces of the training part, against their annotated 68 landmarks."""
    root = os.environ.get('MMPOSE_SP_DATA')
    if not root:
        pytest.skip('needs real faces: set MMPOSE_SP_DATA')
    detector = HaarFaceDetector(haar_mapping('300w'))
    offsets = []
    for path in sorted(Path(root, '300w_real', 'helen', 'trainset').glob('*.pts'))[:60:2]:
        points = (
            np.array(
                [line.split() for line in path.read_text().split('{')[1].split('}')[0].strip().split('\n')], dtype=float
            )
            - 1
        )
        low, high = points.min(axis=0), points.max(axis=0)
        boxes, _ = detector(cv2.imread(str(path.with_suffix('.jpg'))))
        if len(boxes):
            side = (high - low).max()
            centre = (boxes[0, :2] + boxes[0, 2:]) / 2
            offsets.append([*(centre - (low + high) / 2) / side, (boxes[0, 2] - boxes[0, 0]) / side - 1])
    assert len(offsets) >= 20  # of 30 are found
    assert np.abs(np.median(offsets, axis=0)).max() < 0.05  # not biased
    assert np.median(np.abs(offsets), axis=0).max() < 0.12  # within what training shifts and scales

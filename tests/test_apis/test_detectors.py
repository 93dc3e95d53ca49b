"""Face detectors: mmdet's output is filtered and mapped, YuNet and the cascade find faces as landmark boxes."""

import sys
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from api_helpers import noise
from mmengine.structures import InstanceData
from tools_by_path import data_folder

from mmpose_sp.apis import BoxMapping, HaarFaceDetector, MMDetFaceDetector, YuNetFaceDetector, yunet
from mmpose_sp.apis.detectors import haar_mapping
from mmpose_sp.apis.yunet import yunet_mapping
from mmpose_sp.faces.annotation_files import read_pts, tight_box

DETECTORS = pytest.mark.parametrize(
    ('make', 'mapping'), [(YuNetFaceDetector, yunet_mapping), (HaarFaceDetector, haar_mapping)], ids=['yunet', 'haar']
)


class FakeInferencer:
    """Stands for mmdet's DetInferencer."""

    made = None

    def __init__(self, **kwargs):
        FakeInferencer.made = kwargs

    def __call__(self, image, return_datasamples):
        assert return_datasamples
        import torch

        boxes = [(0, 0, 100, 100), (2, 2, 102, 98), (200, 0, 280, 45), (50, 200, 90, 260), (7, 7, 7, 9)]
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
    np.testing.assert_allclose(boxes[2], [225, 7.5, 255, 37.5])  # the root of its area is 60


def test_mmdet_without_a_face(fake_mmdet):
    boxes, scores = MMDetFaceDetector('face.py', 'face.pth', threshold=0.999)(noise(9, 9))
    assert boxes.shape == (0, 4) and scores.shape == (0,)


def test_a_detector_that_does_not_exist_names_those_that_do(monkeypatch):
    import mmdet.apis

    def refuse(**kwargs):
        raise ValueError('Cannot find model: retina in mmdet')

    monkeypatch.setattr(mmdet.apis, 'DetInferencer', refuse)
    with pytest.raises(ValueError, match=r"'retina': Cannot find model.* 'yunet', 'haar'"):
        MMDetFaceDetector('retina')


def test_the_command_line_detector_is_mmdets(fake_mmdet, landmarker, monkeypatch):
    monkeypatch.setattr(landmarker, '_detector', None)
    monkeypatch.setattr(landmarker, '_detector_spec', ('face.py', 'face.pth'))
    assert [face.box_score for face in landmarker(noise(150, 150))[0].faces] == [pytest.approx(0.9)]


@DETECTORS
def test_the_astronaut_is_found(astronaut, make, mapping):
    boxes, scores = make(mapping('300w'))(astronaut)
    assert len(boxes) == 1 and 0.5 <= scores[0] <= 1
    x1, y1, x2, y2 = boxes[0]
    # read off the photograph: brows near y 92, chin near y 170, ears near x 185 and 265
    assert 160 < x1 < 200 and 250 < x2 < 290 and 70 < y1 < 105 and 155 < y2 < 185


@DETECTORS
@pytest.mark.parametrize('factor', [0.5, 3.0])
def test_boxes_scale_with_the_picture(astronaut, factor, make, mapping):
    detector = make(mapping('300w'))
    original = detector(astronaut)[0][0]
    scaled = detector(cv2.resize(astronaut, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA))[0][0]
    np.testing.assert_allclose(scaled / factor, original, atol=0.15 * (original[2] - original[0]))


@DETECTORS
def test_nothing_is_found_in_nothing(make, mapping):
    for image in (np.zeros((200, 200, 3), np.uint8), np.zeros((3, 500, 3), np.uint8), noise(120, 120)):
        boxes, scores = make()(image)
        assert boxes.shape == (0, 4) and scores.shape == (0,) and scores.dtype == np.float32


@DETECTORS
def test_boxes_are_those_of_the_landmarks(make, mapping):
    """On real faces of the training part, against their annotated 68 landmarks."""
    detector = make(mapping('300w'))
    offsets = []
    for path in sorted(data_folder('300w_real/helen/trainset').glob('*.pts'))[:60:2]:
        annotated = tight_box(read_pts(path))
        side = (annotated[2:] - annotated[:2]).max()
        boxes, _ = detector(cv2.imread(str(path.with_suffix('.jpg'))))
        if len(boxes):
            centre = (boxes[0, :2] + boxes[0, 2:] - annotated[:2] - annotated[2:]) / 2
            offsets.append([*centre / side, (boxes[0, 2] - boxes[0, 0]) / side - 1])
    assert len(offsets) == 30 if make is YuNetFaceDetector else len(offsets) >= 20
    assert np.abs(np.median(offsets, axis=0)).max() < 0.05  # not biased
    assert np.median(np.abs(offsets), axis=0).max() < 0.12  # within what training shifts and scales


def test_yunet_finds_what_libfacedetection_finds(astronaut):
    boxes, scores = YuNetFaceDetector()(astronaut)
    # yuface 2023.5.1, whose weights these are, says of it: x, y, width, height in whole px and percent, rounded down
    x1, y1, x2, y2 = boxes[0]
    np.testing.assert_array_equal(np.floor([x1, y1, x2 - x1, y2 - y1, 100 * scores[0]]), [178, 63, 89, 112, 93])


def test_yunet_is_read_as_opencv_reads_it(astronaut):
    """cv2.FaceDetectorYN decodes the same network in C++."""
    picture = astronaut[:, :500]  # not a multiple of the network's stride
    theirs = cv2.FaceDetectorYN.create(str(yunet.FILE), '', picture.shape[1::-1], 0.5, 0.3).detect(picture)[1]
    boxes, scores = YuNetFaceDetector(threshold=0.5)(picture)
    np.testing.assert_allclose(boxes, np.hstack([theirs[:, :2], theirs[:, :2] + theirs[:, 2:4]]), atol=1e-2)
    np.testing.assert_allclose(scores, theirs[:, -1], atol=1e-4)


def test_yunet_needs_no_onnxruntime(astronaut, monkeypatch):
    expected = YuNetFaceDetector()(astronaut)
    monkeypatch.setitem(sys.modules, 'onnxruntime', None)  # import raises
    for values, others in zip(YuNetFaceDetector()(astronaut), expected):
        np.testing.assert_allclose(values, others, atol=1e-2)


@pytest.mark.parametrize('side', [22, 700])
def test_yunet_finds_small_and_large_faces(astronaut, side):
    factor = side / 85  # the landmarks of the photograph span 85 px
    picture = cv2.resize(astronaut[:256, 90:346], None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    canvas = np.full((max(480, len(picture)), max(640, len(picture)), 3), 127, np.uint8)
    canvas[: len(picture), : len(picture)] = picture
    ((x1, y1, x2, y2),), _ = YuNetFaceDetector(yunet_mapping('300w'))(canvas)
    np.testing.assert_allclose(x2 - x1, side, rtol=0.2)
    np.testing.assert_allclose([x1 + x2, y1 + y2], [270 * factor, 265 * factor], atol=0.2 * side)


def test_yunet_missing_from_the_installation(monkeypatch, tmp_path):
    monkeypatch.setattr(yunet, 'FILE', tmp_path / 'yunet.onnx')
    with pytest.raises(FileNotFoundError, match=r'yunet.onnx.*install it again'):
        YuNetFaceDetector()


def test_without_mmdet_its_detectors_name_the_fix(monkeypatch):
    monkeypatch.setitem(sys.modules, 'mmdet.apis', None)
    with pytest.raises(ImportError, match="face.py: a detector of mmdet needs it.*'yunet' or 'haar'"):
        MMDetFaceDetector('face.py')

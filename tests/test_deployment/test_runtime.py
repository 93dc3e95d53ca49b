"""The packaged model by onnxruntime alone against FaceLandmarker with the same weights."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mmpose_sp.apis import FaceLandmarker, YuNetFaceDetector
from mmpose_sp.apis.packaged import packaged_onnx
from mmpose_sp.datasets.synthetic import render_face
from mmpose_sp.runtime import Landmarker, open_session
from mmpose_sp.utils.images import read_image

onnxruntime = pytest.importorskip('onnxruntime')
ROOT = Path(__file__).resolve().parents[2]
ASTRONAUT = ROOT / 'docs' / 'images' / 'astronaut.jpg'
TOLERANCE = 0.01  # px of the 128 px crop: crops may differ in the last bit of a pixel


SURE = 0.8  # a false face has maps of many peaks of one height, among which the last bit decides


@pytest.fixture(scope='module')
def landmarker():
    return FaceLandmarker.from_packaged(device='cpu', min_confidence=SURE)


@pytest.fixture(scope='module')
def runtime():
    return Landmarker.from_packaged(min_confidence=SURE)


def compare(result, expected):
    """All that both say of a picture; returns the largest distance of a landmark in crop px."""
    assert (result.name, result.size, len(result.faces)) == (expected.name, expected.size, len(expected.faces))
    distances = [0.0]
    for face, other in zip(result.faces, expected.faces):
        scale = other.heatmap_to_image[0, 0] / 4  # image px per crop px: 4 crop px per heatmap px
        distances.append(np.linalg.norm(face.landmarks - other.landmarks, axis=1).max() / scale)
        np.testing.assert_allclose(face.confidence, other.confidence, atol=5e-3)
        np.testing.assert_allclose(face.covariance / scale**2, other.covariance / scale**2, atol=0.05, rtol=0.02)
        np.testing.assert_allclose(face.joint_covariance / scale**2, other.joint_covariance / scale**2, atol=0.05)
        assert face.quality == pytest.approx(other.quality, abs=5e-3)
        np.testing.assert_allclose(face.box, other.box, atol=0.02 * scale)
        np.testing.assert_allclose(face.heatmap_to_image, other.heatmap_to_image, atol=0.02 * scale)
        assert face.box_score == pytest.approx(other.box_score)
        ours, theirs = ({name: getattr(value, 'dtype', None) for name, value in vars(f).items()} for f in (face, other))
        assert ours == theirs
    return max(distances)


def test_a_photograph_without_boxes(runtime, landmarker):
    (result,), (expected,) = runtime(ASTRONAUT), landmarker(ASTRONAUT)
    assert result.faces
    assert compare(result, expected) < TOLERANCE


def test_rendered_faces_as_whole_images(runtime, landmarker):
    pictures = [render_face(np.random.default_rng(seed), 192).image for seed in range(4)]
    results, expected = (model(pictures, whole_image=True) for model in (runtime, landmarker))
    assert max(compare(*pair) for pair in zip(results, expected)) < TOLERANCE


def test_given_boxes_and_score_maps(runtime, landmarker):
    boxes = [[30.0, 20.0, 160.0, 170.0], [36.0, 30.0, 164.0, 176.0]]
    picture = render_face(np.random.default_rng(7), 192).image
    (result,), (expected,) = (model(picture, bboxes=boxes, score_maps=True) for model in (runtime, landmarker))
    assert compare(result, expected) < TOLERANCE
    for face, other in zip(result.faces, expected.faces):
        np.testing.assert_allclose(face.score_maps, other.score_maps, atol=0.2, rtol=0.02)


def test_what_it_says_of_itself(runtime, landmarker):
    assert (runtime.dataset_name, runtime.num_landmarks) == (landmarker.dataset_name, landmarker.num_landmarks)
    assert runtime.boundaries == landmarker.boundaries
    assert isinstance(runtime.detector, YuNetFaceDetector)
    assert runtime.detector.mapping == landmarker.detector.mapping


def test_a_file_of_another_program_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match='missing.onnx'):
        Landmarker(tmp_path / 'missing.onnx')
    (tmp_path / 'text.onnx').write_text('not a model')
    with pytest.raises(ValueError, match='text.onnx: onnxruntime cannot read it'):
        Landmarker(tmp_path / 'text.onnx')


def test_where_a_file_cannot_be_read_an_onnxruntime_too_old_is_named(tmp_path, monkeypatch):
    (tmp_path / 'text.onnx').write_text('not a model')
    with pytest.raises(ValueError) as error:
        open_session(tmp_path / 'text.onnx')
    assert 'onnxruntime>=' not in str(error.value), 'this one is new enough'
    monkeypatch.setattr('importlib.metadata.version', lambda name: '1.18.1')
    with pytest.raises(ValueError, match=r'onnxruntime 1\.18\.1 is installed, .* pip install "onnxruntime>=1\.19"'):
        open_session(tmp_path / 'text.onnx')


def test_no_product_is_fused_for_which_older_releases_have_no_kernel(tmp_path, monkeypatch):
    onnx = pytest.importorskip('onnx')
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / 'optimised.onnx')
    monkeypatch.setattr(onnxruntime, 'SessionOptions', lambda: options)
    open_session(packaged_onnx())
    operators = {node.op_type for node in onnx.load(tmp_path / 'optimised.onnx').graph.node}
    assert 'MatMul' in operators and 'FusedMatMul' not in operators


def test_weights_that_are_no_numbers_are_refused(tmp_path):
    onnx = pytest.importorskip('onnx')
    model = onnx.load(packaged_onnx())
    largest = max(model.graph.initializer, key=lambda tensor: len(tensor.raw_data))
    values = onnx.numpy_helper.to_array(largest).copy()
    values.flat[0] = np.nan
    largest.CopyFrom(onnx.numpy_helper.from_array(values, largest.name))
    onnx.save(model, tmp_path / 'diverged.onnx')
    with pytest.raises(ValueError, match=r'diverged\.onnx: gives NaN'):
        Landmarker(tmp_path / 'diverged.onnx')


def test_no_crop_is_no_face(runtime):
    assert runtime._find([], False) == []
    width, height = runtime.input_size
    if tuple(map(int, onnxruntime.__version__.split('.')[:2])) < (1, 24):
        pytest.skip('this onnxruntime refuses empty batches')
    points, *_ = runtime._session.run(None, {'crops': np.zeros((0, height, width, 3), np.uint8)})
    assert points.shape == (0, runtime.num_landmarks, 2)


@pytest.fixture
def without_torch(tmp_path):
    """Environment variables of an interpreter in which no foundation, SciPy or matplotlib can be found."""
    (tmp_path / 'sitecustomize.py').write_text(
        'import importlib.machinery, sys\n'
        'class Absent(importlib.machinery.PathFinder):\n'
        '    @classmethod\n'
        '    def find_spec(cls, name, path=None, target=None):\n'
        '        hidden = {"torch", "mmengine", "mmcv", "mmdet", "mmpose", "scipy", "matplotlib"}\n'
        '        return None if name in hidden else super().find_spec(name, path, target)\n'
        'sys.meta_path = [Absent if f is importlib.machinery.PathFinder else f for f in sys.meta_path]\n'
    )
    return dict(os.environ, PYTHONPATH=f'{tmp_path}{os.pathsep}{ROOT}')


def run(environment, *arguments):
    command = [sys.executable, '-m', 'mmpose_sp.cli', *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


@pytest.mark.slow
def test_infer_without_torch(without_torch, runtime, tmp_path):
    done = run(without_torch, 'infer', ASTRONAUT, '--json', tmp_path / 'faces.json', '--out-dir', tmp_path / 'out')
    assert done.returncode == 0 and not done.stderr, done.stderr
    written = json.loads((tmp_path / 'faces.json').read_text())
    sure = [face for face in written if np.mean(face['keypoint_scores']) >= SURE]
    assert sure == runtime(ASTRONAUT)[0].to_instances()
    drawn = read_image(tmp_path / 'out' / 'visualizations' / 'astronaut.jpg')
    assert drawn.shape == read_image(ASTRONAUT).shape


@pytest.mark.slow
def test_a_missing_extra_is_named(without_torch, tmp_path):
    done = run(without_torch, 'convert', 'synthetic', tmp_path / 'faces', '--num-train', 1, '--num-test', 1)
    assert done.returncode == 2
    assert "scipy is not installed. Fix: pip install 'mmpose_sp[train]'" in done.stderr


@pytest.mark.slow
def test_the_missing_extra_of_the_runtime_is_named():
    code = 'import sys; sys.modules["cv2"] = None; from mmpose_sp.runtime import Landmarker'
    done = subprocess.run([sys.executable, '-c', code], cwd=str(ROOT), capture_output=True, text=True)
    assert done.stderr.strip().endswith("Fix: pip install 'mmpose_sp[runtime]'")


@pytest.mark.slow
def test_train_without_torch_says_what_is_missing(without_torch):
    done = run(without_torch, 'train', 'config.py')
    assert done.returncode == 2
    assert 'mmpose-sp train: error: it needs torch, mmengine, mmcv, mmdet, mmpose' in done.stderr
    assert 'Traceback' not in done.stderr


def test_the_8_bit_file_finds_the_landmarks_too(landmarker):
    finders = Landmarker.from_packaged(int8=True, min_confidence=SURE), landmarker
    face, expected = (max(finder(ASTRONAUT)[0].faces, key=lambda face: face.box_score) for finder in finders)
    scale = expected.heatmap_to_image[0, 0] / 4
    assert np.linalg.norm(face.landmarks - expected.landmarks, axis=1).mean() / scale < 1.0  # crop px


def test_other_models_are_not_there_with_8_bits():
    with pytest.raises(ValueError, match="'fast' alone"):
        Landmarker.from_packaged('accurate', int8=True)


def test_only_what_is_joined_is_asked_for_as_a_whole(runtime):
    alone = Landmarker(packaged_onnx(), joint='off')
    assert set(alone.answers(np.zeros((1, 128, 128, 3), np.uint8))) == {'points', 'confidence', 'covariance'}
    assert 'whole' in runtime.answers(np.zeros((1, 128, 128, 3), np.uint8))

"""mmpose's own inferencer takes our configs and looks for faces."""

import numpy as np
import pytest
from api_helpers import CONFIGS, LITE, noise
from mmengine.config import Config
from mmpose.apis import MMPoseInferencer
from mmpose.apis.inferencers import base_mmpose_inferencer
from mmpose.registry import DATASETS

from mmpose_sp.apis import FaceLandmarker
from mmpose_sp.apis.packaged import PACKAGED, packaged_model


@pytest.fixture
def inferencer(checkpoint):
    return MMPoseInferencer(pose2d=str(LITE), pose2d_weights=str(checkpoint), device='cpu', det_model='whole_image')


def test_the_face_detector_is_its_default(checkpoint, monkeypatch):
    asked = []

    class Detector:
        def __init__(self, **kwargs):
            asked.append(kwargs)

    monkeypatch.setattr(base_mmpose_inferencer, 'DetInferencer', Detector)
    MMPoseInferencer(pose2d=str(LITE), pose2d_weights=str(checkpoint), device='cpu')
    assert 'face' in asked[0]['model'] and 'face' in asked[0]['weights']
    assert Config.fromfile(asked[0]['model']).model.type  # mmpose ships the detector's config


@pytest.mark.parametrize('path', sorted(CONFIGS.rglob('*.py')), ids=lambda path: path.stem)
def test_every_config_is_one_of_faces(path):
    """The inferencer reads the kind of object from the module of ``dataset_type``, which the pipeline base may lack."""
    config = Config.fromfile(path)
    dataset = DATASETS.get(config.train_dataloader.dataset.type)
    assert dataset.__module__.split('datasets.')[-1].split('.')[0] == 'face'
    assert config.get('dataset_type') == config.train_dataloader.dataset.type and config.get('data_mode') == 'topdown'


def test_the_whole_image_gives_our_landmarks(inferencer, landmarker):
    image = noise(120, 110)
    (instance,) = next(inferencer(image))['predictions'][0]
    (face,) = landmarker(image, whole_image=True)[0].faces
    np.testing.assert_allclose(instance['keypoints'], face.landmarks, atol=1e-2)
    np.testing.assert_allclose(instance['keypoint_scores'], face.confidence, atol=1e-4)


@pytest.mark.parametrize('name', list(PACKAGED))
def test_packaged_models_give_it_joined_landmarks(name):
    config, weights = map(str, packaged_model(name))
    image = noise(120, 110)
    inferencer = MMPoseInferencer(pose2d=config, pose2d_weights=weights, device='cpu', det_model='whole_image')
    (instance,) = next(inferencer(image))['predictions'][0]
    joined, alone = (
        FaceLandmarker.from_packaged(name, device='cpu', joint=joint)(image, whole_image=True)[0].faces[0].landmarks
        for joint in ('offset', 'off')
    )
    np.testing.assert_allclose(instance['keypoints'], joined, atol=1e-2)
    assert np.abs(joined - alone).max() > 1


def test_its_visualizer_draws_landmarks_and_score_maps(inferencer, tmp_path):
    image = noise(120, 110)
    result = next(inferencer(image, return_vis=True, draw_heatmap=True, kpt_thr=0.0, vis_out_dir=str(tmp_path)))
    drawn = result['visualization'][0]
    assert drawn.shape[1] == 120 and drawn.shape[0] >= 110
    assert (drawn[:110] != image[..., ::-1]).any()
    assert list(tmp_path.iterdir())

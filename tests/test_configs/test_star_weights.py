"""The configs that run the converted weights of STAR: their crop, and the model that the converter describes."""

import copy

import cv2
import numpy as np
import pytest
import torch
from config_helpers import FOLDER, LANDMARKS, face_sample, load
from mmengine.dataset import Compose
from mmpose.registry import KEYPOINT_CODECS, MODELS
from tools_by_path import load_tool

from mmpose_sp.datasets.transforms import GetSquareCenterScale
from mmpose_sp.faces import boundary_sets

BOX = np.array([[31.5, 40.0, 171.5, 152.0]], dtype=np.float32)  # 140 x 112 px


def config(data):
    return load(FOLDER / data / f'td-hm_aam-hg4_star-weights_{data}-256x256.py')


def reference_matrix(box, size=256):
    """Image px to input px by STAR's lib/dataset/augmentation.py, where the scale is that of the box's longer side."""
    x1, y1, x2, y2 = box
    scale = max(x2 - x1, y2 - y1) / 200
    zoom = size / (scale * 200)
    middle = (size - 1) / 2
    return np.array([[zoom, 0, middle - zoom * (x1 + x2) / 2], [0, zoom, middle - zoom * (y1 + y2) / 2]])


def test_crop_is_that_of_the_reference(tmp_path):
    cfg = config('wflw')
    sample = face_sample(tmp_path, cfg)
    image = cv2.GaussianBlur(cv2.imread(sample['img_path']), (0, 0), 3)
    cv2.imwrite(sample['img_path'], image)
    # the dataset brings a centre and a scale of its own, which are not to be used
    sample.update(bbox=BOX.copy(), bbox_center=np.zeros((1, 2), np.float32), bbox_scale=np.ones((1, 2), np.float32))
    inputs = Compose(cfg.test_dataloader.dataset.pipeline)(sample)['inputs']
    expected = cv2.warpAffine(image, reference_matrix(BOX[0]), (256, 256), flags=cv2.INTER_LINEAR)
    difference = np.abs(inputs.numpy().transpose(1, 2, 0).astype(int) - expected)
    assert difference.max() <= 1  # rounding of OpenCV's fixed-point coordinates


def test_landmarks_return_to_the_image_as_in_the_reference(tmp_path):
    """Position p of a 64 px map is input px p * 256 / 63 - 0.5 there, then the inverse of the crop's matrix."""
    cfg = config('wflw')
    decoder_cfg, point = cfg.model.head.decoder, (11, 47)
    scores = np.full((98, 64, 64), -1e4, dtype=np.float32)
    scores[:, point[1], point[0]] = 0
    keypoints, _ = KEYPOINT_CODECS.build(decoder_cfg).decode(scores)
    sample = dict(bbox=BOX.copy())
    GetSquareCenterScale(input_size=(256, 256)).transform(sample)
    # mmpose's estimator: input px / size * scale + centre - scale / 2
    found = keypoints[0, 0] / 256 * sample['bbox_scale'][0] + sample['bbox_center'][0] - sample['bbox_scale'][0] / 2
    full = np.vstack([reference_matrix(BOX[0]), [0, 0, 1]])
    expected = np.linalg.inv(full) @ [*(np.array(point) * 256 / 63 - 0.5), 1]
    np.testing.assert_allclose(found, expected[:2], atol=1e-3)


def test_padding_must_be_positive():
    with pytest.raises(ValueError, match='padding must be positive'):
        GetSquareCenterScale(input_size=(256, 256), padding=0)


@pytest.mark.parametrize('data', LANDMARKS)
def test_model_is_the_one_that_the_converter_describes(data):
    converter = load_tool('model_converters/star2mmpose')
    boundaries = boundary_sets()['cofw_star' if data == 'cofw' else data][1]
    membership = torch.zeros(LANDMARKS[data], len(boundaries), 1, 1)
    for edge, boundary in enumerate(boundaries):
        membership[list(boundary.indices), edge] = 1
    state = {f'out_heatmaps.{i}.conv.weight': torch.empty(LANDMARKS[data], 256, 1, 1) for i in range(4)}
    state['hgs.0.low2.low2.low2.low2.bn1.weight'] = torch.empty(256)
    for stack, width in enumerate((259, 261)):
        state[f'hgs.{stack}.coordconv.conv.weight'] = torch.empty(256, width, 1, 1)
    described = converter.model_config(converter.backbone_config({**state, 'e2h_transform.weight': membership}))
    ours = copy.deepcopy(config(data).model.to_dict())
    for part in ('data_preprocessor', 'test_cfg'):
        assert ours[part] == described[part]
    for key, value in described['head']['decoder'].items():
        assert ours['head']['decoder'][key] == value
    assert ours['head']['log_heatmaps'] == described['head']['log_heatmaps']

    nets = []
    for backbone in (ours['backbone'], described['backbone']):
        backbone.update(num_stacks=2, channels=16)
        nets.append(MODELS.build(backbone))
    shapes = [{key: tuple(value.shape) for key, value in net.state_dict().items()} for net in nets]
    assert shapes[0] == shapes[1]
    for key in ('depth', 'boundary_coords', 'score_norm'):
        assert getattr(nets[0], key) == getattr(nets[1], key)
    buffers = [dict(net.edge_to_landmark.named_buffers()) for net in nets]
    assert buffers[0].keys() == buffers[1].keys() and buffers[0]
    for key, value in buffers[0].items():
        torch.testing.assert_close(value, buffers[1][key])

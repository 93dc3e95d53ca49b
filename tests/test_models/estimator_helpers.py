"""A pose estimator on tiny inputs, and data samples as the pipeline packs them."""

import numpy as np
import torch
from mmengine.structures import InstanceData, PixelData
from mmpose.registry import MODELS
from mmpose.structures import PoseDataSample

import mmpose_sp  # noqa: F401  registers everything

#: Five landmarks: two pairs and one on the axis of symmetry.
FLIP_INDICES = [1, 0, 3, 2, 4]
NUM_LANDMARKS = len(FLIP_INDICES)
EDGES = [[0, 1], [2, 3]]
BASELINES = ['SoftArgmaxLoss', 'STARLoss', 'KeypointGaussianMSELoss']


def codec(size=64, stride=4):
    sizes = dict(input_size=(size, size), heatmap_size=(size // stride, size // stride))
    return dict(type='ImageAwareLabelSmoothing', smoothing='none', boundaries='wflw', **sizes)


def build_estimator(backbone, head, neck=None, **test_cfg):
    """A seeded TopdownPoseEstimator; heads whose scores are all 0 would leave nothing to test."""
    torch.manual_seed(0)
    parts = dict(backbone=backbone, neck=neck, head=head)
    model = MODELS.build(dict(type='TopdownPoseEstimator', test_cfg=test_cfg, **parts))
    model.init_weights()
    return model


def data_samples(num, size=64, stride=4, seed=0, **fields):
    """Labels in the middle of the map, every landmark weighted; the crop is the whole image."""
    rng = np.random.default_rng(seed)
    samples = []
    for _ in range(num):
        crop = dict(input_size=(size, size), input_center=np.full(2, size / 2), input_scale=np.full(2, float(size)))
        sample = PoseDataSample(metainfo=dict(crop, flip_indices=FLIP_INDICES))
        labels = rng.uniform(0.2, 0.8, (1, NUM_LANDMARKS, 2)) * size / stride
        sample.gt_instances = InstanceData(bboxes=np.array([[0.0, 0.0, size, size]]), bbox_scores=np.ones(1))
        sample.gt_instance_labels = InstanceData(
            keypoint_labels=torch.tensor(labels, dtype=torch.float32),
            keypoint_weights=torch.ones(1, NUM_LANDMARKS),
            label_covariances=0.01 * torch.eye(2).repeat(1, NUM_LANDMARKS, 1, 1),
        )
        sample.gt_fields = PixelData(**{k: v.clone() for k, v in fields.items()})
        samples.append(sample)
    return samples


def images(num, size=64, seed=0):
    return torch.randn(num, 3, size, size, generator=torch.Generator().manual_seed(seed))


def keypoints_of(samples):
    return np.concatenate([sample.pred_instances.keypoints for sample in samples])


def flip_test_error(model, samples):
    """With the flip test, the mirrored image must give the mirrored landmarks: the largest difference, input px."""
    x = images(len(samples))
    there, back = (keypoints_of(model.predict(pictures, samples)) for pictures in (x, x.flip(-1)))
    back = back[:, FLIP_INDICES]
    back[..., 0] = 63 - back[..., 0]
    return np.abs(there - back).max()

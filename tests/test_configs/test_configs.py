"""Every config is built and run once: pipelines on a drawn face, model forward and backward, metric."""
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import init_default_scope
from mmpose.registry import HOOKS, METRICS, MODELS

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = sorted((ROOT / 'configs' / 'face_2d_keypoint').rglob('*.py'))
LANDMARKS = {'wflw': 98, 'cofw': 29, '300w': 68}


def load(path):
    init_default_scope('mmpose')
    return Config.fromfile(path)


def dataset_class(cfg):
    from mmpose.registry import DATASETS
    return DATASETS.get(cfg.train_dataloader.dataset.type)


def face_sample(tmp_path, cfg, num_keypoints):
    """One face of random landmarks with the fields that the dataset would give."""
    rng = np.random.default_rng(0)
    path = tmp_path / 'face.jpg'
    cv2.imwrite(str(path), rng.integers(0, 255, (200, 220, 3), dtype=np.uint8))
    metainfo = dataset_class(cfg)._load_metainfo()
    return dict(
        img_path=str(path),
        img_id=0,
        id=0,
        bbox=np.array([[50., 40., 170., 160.]], dtype=np.float32),
        bbox_score=np.ones(1, dtype=np.float32),
        keypoints=rng.uniform(60, 150, (1, num_keypoints, 2)).astype(np.float32),
        keypoints_visible=np.ones((1, num_keypoints), dtype=np.float32),
        category_id=1,
        raw_ann_info=dict(attributes=dict(blur=1)),
        **{
            key: metainfo[key]
            for key in ('dataset_name', 'upper_body_ids', 'lower_body_ids', 'flip_pairs',
                        'dataset_keypoint_weights', 'flip_indices', 'skeleton_links')
        })


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_config_runs(path, tmp_path):
    cfg = load(path)
    num_keypoints = next(num for name, num in LANDMARKS.items() if path.stem.split('_')[3].startswith(
        name) or f'-{name}' in path.stem.split('_')[3])
    # the decoder and the encoder have to be one and the same codec
    encoder, = [step.encoder for step in cfg.train_dataloader.dataset.pipeline if step.type == 'GenerateTarget']
    assert encoder == cfg.model.head.decoder == cfg.codec

    torch.manual_seed(0)
    cfg.model.backbone.pop('init_cfg', None)  # no download
    model = MODELS.build(cfg.model)
    train = Compose(cfg.train_dataloader.dataset.pipeline)
    batch = pseudo_collate([train(face_sample(tmp_path, cfg, num_keypoints)) for _ in range(2)])
    assert tuple(batch['inputs'][0].shape[-2:]) == tuple(cfg.codec.input_size[::-1])
    losses = model.train()(**model.data_preprocessor(batch, True), mode='loss')
    total = sum(value for key, value in losses.items() if 'loss' in key)
    total.backward()
    assert torch.isfinite(total)
    without = [name for name, p in model.named_parameters() if p.grad is None]
    assert not without, 'parameters without gradient stop distributed training'

    test = Compose(cfg.test_dataloader.dataset.pipeline)
    batch = pseudo_collate([test(face_sample(tmp_path, cfg, num_keypoints))])
    with torch.no_grad():
        samples = model.eval()(**model.data_preprocessor(batch, False), mode='predict')
    assert samples[0].pred_instances.keypoints.shape == (1, num_keypoints, 2)

    metric = METRICS.build(cfg.test_evaluator)
    metric.dataset_meta = dataset_class(cfg)._load_metainfo()
    metric.process(None, [sample.to_dict() for sample in samples])
    scores = metric.evaluate(1)
    assert scores['NME'] > 0
    for hook in cfg.custom_hooks:
        HOOKS.build(hook)


def test_benchmark_configs_differ_in_data_and_landmarks_alone():
    """The three HRNet recipes are one recipe: same network, schedule and augmentation."""
    cfgs = [
        load(next(path for path in CONFIGS if path.stem.startswith('td-hm_hrnetv2-w18_sp') and f'_{name}-' in path.stem))
        for name in LANDMARKS
    ]
    for cfg in cfgs[1:]:
        assert cfg.model.backbone == cfgs[0].model.backbone
        assert cfg.param_scheduler == cfgs[0].param_scheduler
        assert cfg.texture == cfgs[0].texture

"""The 98- and 29-point paths on real faces: a few faces are learnt by heart, through Runner and metric."""

import os
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.runner import Runner

CONFIGS = Path(__file__).resolve().parents[2] / 'configs' / 'face_2d_keypoint' / 'topdown_heatmap'
DATA = os.environ.get('MMPOSE_SP_DATA')


@pytest.mark.slow
@pytest.mark.skipif(not DATA, reason='MMPOSE_SP_DATA (a folder with mmpose_samples) is not set')
@pytest.mark.parametrize('name', ['wflw', 'cofw'])
def test_learns_real_faces_by_heart(name, tmp_path):
    folder = Path(DATA) / 'mmpose_samples' / name
    (annotations,) = folder.rglob('*.json')
    images = next(folder.rglob('*.jpg')).parent
    cfg = Config.fromfile(CONFIGS / name / f'td-hm_lite-unet_sp-1xb16-100e_{name}-128x128.py')
    still = ('RandomFlip', 'RandomBBoxTransform', *(step.type for step in cfg.texture))
    cfg.train_dataloader.dataset.pipeline = [
        step for step in cfg.train_dataloader.dataset.pipeline if step.type not in still
    ]
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        loader.update(num_workers=0, persistent_workers=False, batch_size=4)
        loader.dataset.update(data_root='', ann_file=str(annotations), data_prefix=dict(img=str(images)))
    cfg.merge_from_dict(
        {
            'work_dir': str(tmp_path),
            'train_dataloader.sampler.type': 'InfiniteSampler',
            'model.test_cfg.flip_test': False,
            'default_hooks.checkpoint.interval': -1,
            'randomness': dict(seed=0),
            'log_level': 'ERROR',
            'test_dataloader': None,
            'test_evaluator': None,
            'test_cfg': None,
        }
    )
    cfg.train_cfg = dict(type='IterBasedTrainLoop', max_iters=250, val_interval=250)
    cfg.param_scheduler = [dict(type='CosineAnnealingLR', T_max=250, eta_min=2e-5, by_epoch=False)]
    cfg.custom_hooks = []
    cfg.default_hooks.pop('ema', None)
    cfg.log_processor.by_epoch = False
    runner = Runner.from_cfg(cfg)
    runner.train()
    assert runner.message_hub.get_scalar('val/NME').current() < 1.0

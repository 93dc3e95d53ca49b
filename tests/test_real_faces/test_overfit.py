"""The 98- and 29-point paths on real faces: a few faces are learnt by heart, through Runner and metric."""

import pytest
from mmengine.config import Config
from mmengine.runner import Runner
from tools_by_path import CONFIGS, data_folder

STEPS = 250


@pytest.mark.slow
@pytest.mark.parametrize('name', ['wflw', 'cofw'])
def test_learns_real_faces_by_heart(name, tmp_path):
    folder = data_folder('mmpose_samples', name)
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
            **dict.fromkeys(['test_dataloader', 'test_evaluator', 'test_cfg']),
        }
    )
    cfg.train_cfg = dict(type='IterBasedTrainLoop', max_iters=STEPS, val_interval=STEPS)
    cfg.param_scheduler = [dict(type='CosineAnnealingLR', T_max=STEPS, eta_min=2e-5, by_epoch=False)]
    cfg.custom_hooks = []
    cfg.default_hooks.pop('ema', None)
    cfg.log_processor.by_epoch = False
    runner = Runner.from_cfg(cfg)
    runner.train()
    assert runner.message_hub.get_scalar('val/NME').current() < 1.0

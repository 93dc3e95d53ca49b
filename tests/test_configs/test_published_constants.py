"""Every number that a published recipe fixes, beside its source, in the built configs.

Sources: the paper by section, STAR's code (github.com/ZhenglinZhou/STAR) by file, and docs/choices.md where the paper
is silent and the number is ours. A changed number fails here, whatever else still works.
"""

from functools import lru_cache

import numpy as np
import pytest
import torch
from config_helpers import FOLDER, encoder_of, load, training_pipeline
from mmengine.model import convert_sync_batchnorm
from mmpose.registry import KEYPOINT_CODECS, MODELS, TRANSFORMS

from mmpose_sp.faces import SCHEMES
from mmpose_sp.posterior import sites

RECIPES = {
    f'{objective} {data}': FOLDER / data / f'td-hm_aam-hg4_{objective}-4xb32-200e_{data}-256x256.py'
    for objective in ('sp', 'star')
    for data in ('wflw', 'cofw', '300w')
}


class Built:
    """A config and what it builds, by short names."""

    def __init__(self, path):
        self.cfg = load(path)
        self.codec = KEYPOINT_CODECS.build(encoder_of(self.cfg))
        self.head = MODELS.build(self.cfg.model.head)
        self.loss = self.head.loss_module
        self.steps = {step['type']: step for step in training_pipeline(self.cfg)}
        self.smoothing = self.codec.smoothing_cfg
        self.optimizer = self.cfg.optim_wrapper.optimizer
        (self.schedule,) = self.cfg.param_scheduler

    def transform(self, name):
        step = {key: value for key, value in self.steps[name].items() if key != 'encoder'}
        return TRANSFORMS.build(step)

    def deviations(self):
        """Shift (of the box), scale and rotation (degrees): standard deviations of mmpose's truncated normal."""
        step, cut = self.steps['RandomBBoxTransform'], 0.5395600  # of a normal distribution cut at one sigma
        low, high = step['scale_factor']
        return tuple(round(cut * size, 2) for size in (step['shift_factor'], (high - low) / 2, step['rotate_factor']))


@lru_cache(maxsize=None)
def built(recipe):
    return Built(RECIPES[recipe])


#: What -> (how to read it, the published value, its source). Of every recipe.
COMMON = {
    'batch of 4 processes': (lambda b: 4 * b.cfg.train_dataloader.batch_size, 128, 'A1.3'),
    'batch of the learning rate': (lambda b: b.cfg.auto_scale_lr.base_batch_size, 128, 'A1.3'),
    'optimiser': (lambda b: b.optimizer.type, 'Adam', 'A1.3'),
    'learning rate': (lambda b: b.optimizer.lr, 1e-3, 'A1.3'),
    'epochs': (lambda b: b.cfg.train_cfg.max_epochs, 200, 'A1.3'),
    'milestones': (lambda b: b.schedule.milestones, [80, 140, 180], "choices.md, STAR's shares of the schedule"),
    'fall': (lambda b: b.schedule.gamma, 0.1, 'STAR conf/alignment.py'),
    'batch statistics': (lambda b: b.cfg.sync_bn, 'torch', 'STAR trainer.py'),
    'averaging': (
        lambda b: (b.cfg.default_hooks.ema.momentum, b.cfg.default_hooks.ema.gamma),
        (0.001, 500),
        'choices.md',
    ),
    'input': (lambda b: b.codec.input_size, (256, 256), '5, A1.3'),
    'maps': (lambda b: b.codec.heatmap_size, (64, 64), 'A1.3'),
    'stacks': (lambda b: b.cfg.model.backbone.num_stacks, 4, '5'),
    'width': (lambda b: b.cfg.model.backbone.channels, 256, 'STAR lib/backbone/stackedHGNetV1.py'),
    'weights of the stacks': (lambda b: b.head._stack_weights(4), [1 / 8, 1 / 4, 1 / 2, 1], 'STAR conf/alignment.py'),
    'point target': (lambda b: b.head.point_sigma, 0.4, 'choices.md; STAR lib/dataset/encoder/encoder_default.py'),
    'AWing': (
        lambda b: [(x.alpha, x.omega, x.epsilon, x.theta) for x in (b.head.point_loss, b.head.edge_loss)],
        [(2.1, 14, 1, 0.5)] * 2,
        'Wang et al., ICCV 2019, 4.2',
    ),
    'AWing, weighted map': (
        lambda b: (b.head.edge_loss.foreground_weight, b.head.edge_loss.foreground_threshold),
        (10, 0.2),
        'Wang et al., ICCV 2019, 4.3',
    ),
    'crop': (
        lambda b: [
            (loader.dataset.box, loader.dataset.pipeline[1]['padding'])
            for loader in (b.cfg.train_dataloader, b.cfg.val_dataloader, b.cfg.test_dataloader)
        ],
        [('center_scale', 1)] * 3,
        'ADNet lib/dataset/augmentation.py; docs/choices.md',
    ),
    'landmarks outside the crop': (lambda b: b.codec.outside, 'clamp', 'STAR lib/dataset/alignmentDataset.py'),
    'shift, scale, rotation': (
        lambda b: b.deviations(),
        (0.05, 0.1, 17.81),
        'STAR lib/dataset/augmentation.py: 0.05, 0.1, 18',
    ),
    'mirroring': (lambda b: b.steps['RandomFlip']['prob'], 0.5, 'STAR lib/dataset/augmentation.py'),
    'texture': (
        lambda b: (
            [b.steps[f'Random{name}']['prob'] for name in ('Occlusion', 'BoxBlur', 'Gamma', 'Noise')]
            + [b.steps['mmcv.RandomGrayscale']['prob']]
        ),
        [0.4, 0.3, 0.2, 0.2, 0.2],
        'STAR lib/dataset/augmentation.py',
    ),
    'occlusion': (
        lambda b: (tuple(b.transform('RandomOcclusion').size), b.transform('RandomOcclusion').aspect_jitter),
        ((0.1, 0.4), 0.1),
        'STAR lib/dataset/augmentation.py',
    ),
    'gamma of the picture': (
        lambda b: (tuple(b.transform('RandomGamma').brighten), tuple(b.transform('RandomGamma').darken)),
        ((0.25, 1), (1, 4)),
        'STAR lib/dataset/augmentation.py',
    ),
    'blur': (lambda b: b.transform('RandomBoxBlur').max_kernel, 0.05, 'STAR lib/dataset/augmentation.py'),
    'noise': (lambda b: b.transform('RandomNoise').max_alpha, 0.5, 'STAR lib/dataset/augmentation.py'),
    'mirrored second pass': (lambda b: b.cfg.model.test_cfg.flip_test, True, "choices.md, mmpose's habit"),
    'values': (
        lambda b: [b.cfg.model.data_preprocessor[name] for name in ('mean', 'std', 'bgr_to_rgb')],
        [[127.5] * 3, [127.5] * 3, False],
        'STAR lib/dataset/alignmentDataset.py',
    ),
}

#: Of the paper's objective.
OURS = {
    'weight decay': (lambda b: b.optimizer.weight_decay, 1e-5, 'choices.md'),
    'alpha': (lambda b: b.loss.objective.alpha, 1, 'A1.3'),
    'eps': (lambda b: b.loss.objective.eps, 1, 'A1.3'),
    's': (lambda b: b.loss.objective.s, 0.01, '4.1, Eq. 12'),
    'margin': (lambda b: (b.loss.objective.margin, b.loss.objective.norm), ('smooth_l1', 'l1'), '4.1, Eq. 12'),
    'samples': (lambda b: b.loss.num_samples, 10, 'A1.3'),
    'lambda': (lambda b: b.loss.loss_weight, 1, 'choices.md; 5000 without its normalisation in A1.3'),
    'weights of points and edges': (
        lambda b: (b.head.point_loss.loss_weight, b.head.edge_loss.loss_weight),
        (1, 1),
        'Eq. A14',
    ),
    'smoothing': (lambda b: b.codec.smoothing, 'image_aware', '4.2'),
    'blur of the edges': (lambda b: b.smoothing.blur_kernel, 9, 'A1.3'),
    'sharpness': (lambda b: b.smoothing.sharpness, 5, 'A1.3'),
    'kernel of N': (lambda b: b.smoothing.gaussian_kernel, 5, 'A1.3'),
    'weight of the edges in M': (lambda b: b.smoothing.edge_weight, 0.01, 'A1.3'),
    'patch radius': (lambda b: b.smoothing.patch_radius, 4, 'choices.md'),
    'edges': (lambda b: b.codec.edges, 'union', 'choices.md'),
    'line width': (lambda b: (b.codec.edge_lines, b.codec.edge_sigma), ('gaussian', 1), 'choices.md'),
    'margin moves with the sample': (lambda b: b.loss.wants_label, False, '4.2, Eq. 13'),
    'reading': (lambda b: (b.codec.subpixel, sites.LOCAL_RADIUS), ('local_expectation', 4), 'choices.md'),
}

#: Of STAR's objective.
STAR = {
    'weight decay': (lambda b: b.optimizer.weight_decay, 0, 'STAR lib/utility.py, which gives Adam none'),
    'omega': (lambda b: b.loss.omega, 1, 'STAR conf/alignment.py'),
    'loss': (
        lambda b: (b.loss.kind, b.loss.s, b.loss.eps, b.loss.loss_weight),
        ('smooth_l1', 0.01, 1e-5, 1),
        'STAR lib/loss/starLoss_v2.py, lib/loss/smoothL1Loss.py',
    ),
    'weights of points and edges': (
        lambda b: (b.head.point_loss.loss_weight, b.head.edge_loss.loss_weight),
        (10, 10),
        'STAR conf/alignment.py',
    ),
    'smoothing': (lambda b: b.codec.smoothing, 'none', 'STAR has none'),
    'reading': (lambda b: b.codec.subpixel, 'expectation', 'STAR lib/dataset/decoder/decoder_default.py'),
    'normalisation': (
        lambda b: (b.cfg.model.backbone.score_norm, b.head.log_heatmaps),
        ('instance_relu', True),
        'STAR lib/backbone/stackedHGNetV1.py',
    ),
}

#: Of rows that are on WFLW alone.
ROWS = {
    'softargmax': (
        lambda b: (b.loss.kind, b.loss.loss_weight, b.head.point_loss.loss_weight, b.head.edge_loss.loss_weight),
        ('l2', 25, 10, 10),
        'Eq. 4; the weights in configs/_base_/objectives/softargmax.py',
    ),
    'mse': (lambda b: (b.loss.sigma, b.loss.loss_weight), (2, 100), 'Eq. 2; the weight in its config'),
    'sp-isotropic': (lambda b: (b.codec.smoothing, b.loss.num_samples), ('isotropic', 10), 'Tab. 6'),
    'star-smooth': (lambda b: (b.codec.smoothing, b.loss.num_samples), ('image_aware', 10), 'Tab. 6'),
}
RECIPES.update({f'{row} wflw': FOLDER / 'wflw' / f'td-hm_aam-hg4_{row}-4xb32-200e_wflw-256x256.py' for row in ROWS})

#: Faces of the sets and of the subsets of the test set (5; the benchmarks' own papers).
FACES = {
    'wflw': dict(
        train=7500, test=2500, largepose=326, expression=314, illumination=698, makeup=206, occlusion=736, blur=773
    ),
    'cofw': dict(train=1345, test=507),
    '300w': {
        'afw': 337, 'helen/trainset': 2000, 'lfpw/trainset': 811,  # 3,148 for training
        'helen/testset': 330, 'lfpw/testset': 224, 'ibug': 135,  # 554 common, 135 challenging
    },
}  # fmt: skip

#: Of the benchmarks: landmarks, gamma (A1.3), normaliser and threshold (5).
BENCHMARKS = {
    'wflw': (98, 0.01, 'inter_ocular', 10),
    'cofw': (29, 0.001, 'inter_pupil', 10),
    '300w': (68, 0.01, 'inter_ocular', 5),
}


def constants_of(recipe):
    """All tables that a recipe follows, in one."""
    name = recipe.split()[0]
    return {'row': ROWS[name]} if name in ROWS else {**COMMON, **(OURS if name == 'sp' else STAR)}


@pytest.mark.parametrize(('recipe', 'what'), [(recipe, what) for recipe in RECIPES for what in constants_of(recipe)])
def test_a_published_constant(recipe, what):
    read, value, source = constants_of(recipe)[what]
    assert read(built(recipe)) == value, source


@pytest.mark.parametrize('name', FACES)
def test_faces_of_the_benchmark(name):
    assert SCHEMES[name].published == FACES[name]


@pytest.mark.parametrize('recipe', RECIPES)
def test_constants_of_the_benchmark(recipe):
    scheme = SCHEMES[recipe.split()[1]]
    for gamma in (scheme.gamma, built(recipe).smoothing.gamma):  # of a codec by default, and of the config
        found = scheme.num_landmarks, gamma, scheme.norm, scheme.threshold
        assert found == BENCHMARKS[scheme.name]


def test_the_deviations_are_those_of_mmposes_distribution():
    """The factor in ``deviations``: a normal distribution cut at one sigma, by its closed form."""
    density, mass = np.exp(-0.5) / np.sqrt(2 * np.pi), 0.6826894921
    assert np.sqrt(1 - 2 * density / mass) == pytest.approx(0.53956, abs=1e-5)


def test_the_batch_statistics_of_the_network_become_those_of_all_processes():
    cfg = built('sp wflw').cfg
    backbone = MODELS.build(dict(cfg.model.backbone, num_stacks=1))
    count = sum(isinstance(part, torch.nn.BatchNorm2d) for part in backbone.modules())
    synced = convert_sync_batchnorm(backbone, cfg.sync_bn)  # as mmengine's runner does where it is distributed
    assert count and count == sum(isinstance(part, torch.nn.SyncBatchNorm) for part in synced.modules())

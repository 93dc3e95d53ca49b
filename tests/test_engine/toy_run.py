"""A training of a second with what can go wrong: batch norm, averaged weights, dropout, augmentation, label noise."""

import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from mmengine.runner import Runner
from mmengine.structures import BaseDataElement
from torch import nn
from torch.utils.data import Dataset

import mmpose_sp  # noqa: F401  registers the hooks
from mmpose_sp.models.losses import StructuredPredictionLoss

SAMPLES, BATCH = 6, 2  # three iterations an epoch


class Samples(Dataset):
    metainfo = {'dataset_name': 'toy'}

    def __len__(self):
        return SAMPLES

    def __getitem__(self, index):
        noise = np.random.standard_normal((3, 8, 8)).astype(np.float32)  # noqa: NPY002  augmentation
        sample = BaseDataElement(metainfo={'img_path': f'face_{index}.png'})
        return {'inputs': torch.from_numpy(noise) + index, 'data_samples': sample}


class Model(BaseModel):
    def __init__(self, poison=None):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Dropout(0.2), nn.Conv2d(4, 2, 1)
        )
        self.criterion = StructuredPredictionLoss(num_samples=3)
        self.poison = poison  # what it does to the loss of each call
        self.calls = 0

    def forward(self, inputs, data_samples=None, mode='tensor'):
        scores = self.layers(torch.stack(inputs))
        if mode != 'loss':
            return [{'mean': scores.mean().item()}] * len(inputs)
        self.calls += 1
        labels = torch.full((len(inputs), 2, 2), 3.0)
        loss = self.criterion(scores, labels, None, torch.eye(2).expand(len(inputs), 2, 2, 2))
        return {'loss_kpt': self.poison(loss, self.calls) if self.poison else loss}


class Error(BaseMetric):
    """Falls from epoch to epoch, so that each is the best so far."""

    def process(self, data_batch, data_samples):
        self.results += [0.0]

    def compute_metrics(self, results):
        error = 1 / (1 + torch.initial_seed() % 7)
        return {'NME': error, 'blur/NME': error}


def toy_runner(
    folder, epochs=3, model=None, seed=0, resume=False, workers=0, hooks=(), validate=True, processes=1, **checkpoint
):
    """A runner as the configs of this repository make one."""
    torch.manual_seed(0)  # the same first weights in every run
    loader = {
        'dataset': Samples(),
        'sampler': {'type': 'DefaultSampler', 'shuffle': True},
        'batch_size': BATCH,
        'num_workers': workers,
        'persistent_workers': workers > 0,
    }
    checkpoint = {'type': 'CheckpointHook', 'interval': 1, 'max_keep_ckpts': 1, **checkpoint}
    validation = dict(val_dataloader=dict(loader), val_cfg={}, val_evaluator=[Error()]) if validate else {}
    toy_runner.count = getattr(toy_runner, 'count', 0) + 1
    return Runner(
        model=Model() if model is None else model,
        work_dir=str(folder),
        train_dataloader=loader,
        train_cfg={'by_epoch': True, 'max_epochs': epochs, 'val_interval': 1},
        optim_wrapper={'optimizer': {'type': 'Adam', 'lr': 0.01}},
        param_scheduler=[{'type': 'MultiStepLR', 'milestones': [1, 2], 'gamma': 0.5}],
        default_hooks={
            'checkpoint': checkpoint,
            'finite': {'type': 'FiniteHook'},
            'guard': {'type': 'CheckpointGuardHook'},
            'step_seeds': {'type': 'StepSeedHook'},
            'ema': {'type': 'EMAHook', 'momentum': 0.1, 'update_buffers': True},
        },
        custom_hooks=list(hooks),
        default_scope='mmpose',
        randomness={'seed': seed},
        resume=resume,
        launcher='none' if processes == 1 else 'pytorch',
        cfg={'model_wrapper_cfg': {'type': 'MMDistributedDataParallel', 'device_ids': None}},
        experiment_name=f'toy-{toy_runner.count}-{id(folder)}',
        log_level='ERROR',
        **validation,
    )


def end_workers(runner):
    """At once; a collected runner's wait until they are killed, for its queues are collected before it."""
    for loader in (runner.train_dataloader, runner.val_dataloader):
        if loader._iterator is not None:
            loader._iterator._shutdown_workers()


def state(path):
    """All tensors of a checkpoint by name: weights, averaged weights, optimizer."""
    checkpoint = torch.load(path)
    found = {**checkpoint['state_dict'], **{f'ema.{k}': v for k, v in checkpoint['ema_state_dict'].items()}}
    for number, moments in checkpoint['optimizer']['state'].items():
        found.update({f'adam.{number}.{key}': value for key, value in moments.items()})
    return found


def assert_same(first, second):
    first, second = state(first), state(second)
    assert first.keys() == second.keys()
    assert [key for key in first if not torch.equal(first[key], second[key])] == []

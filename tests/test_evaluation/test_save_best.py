"""The metric's keys pick the best checkpoint in an ordinary run."""

import os

import pytest
import torch
from mmengine.model import BaseModel
from mmengine.runner import Runner
from mmengine.structures import InstanceData
from mmpose.structures import PoseDataSample
from torch.utils.data import Dataset

import mmpose_sp  # noqa: F401

ERRORS = (4.0, 1.0, 3.0)  # NME of each epoch: the second is the best


class OneFace(Dataset):
    metainfo = {'dataset_name': 'cofw'}

    def __len__(self):
        return 1

    def __getitem__(self, i):
        return torch.zeros(1)


class Toy(BaseModel):
    """Shifts the landmarks of one face by ERRORS[epoch] px, at 100 px between the pupils."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.epoch = 0

    def forward(self, inputs, mode='tensor'):
        if mode == 'loss':
            return {'loss': self.weight.sum()}
        gt = torch.zeros(1, 29, 2)
        gt[0, 17] = torch.tensor([60.0, 80.0])
        sample = PoseDataSample(metainfo={'id': 1, 'raw_ann_info': {'subset': 'hard'}})
        sample.gt_instances = InstanceData(keypoints=gt)
        sample.pred_instances = InstanceData(keypoints=gt + torch.tensor([0.0, ERRORS[self.epoch]]))
        self.epoch += 1
        return [sample]


@pytest.mark.parametrize(
    'prefix, key, stem',
    [
        (None, 'NME', 'NME'),
        ('face', 'face/NME', 'face_NME'),
        (None, 'hard/NME', 'hard_NME'),
    ],
)
def test_save_best(tmp_path, prefix, key, stem):
    loader = {'dataset': OneFace(), 'sampler': {'type': 'DefaultSampler', 'shuffle': False}, 'batch_size': 1}
    Runner(
        model=Toy(),
        work_dir=str(tmp_path),
        train_dataloader=loader,
        val_dataloader=dict(loader),
        train_cfg={'by_epoch': True, 'max_epochs': 3, 'val_interval': 1},
        val_cfg={},
        optim_wrapper={'optimizer': {'type': 'SGD', 'lr': 0.1}},
        val_evaluator={'type': 'mmpose.FaceAlignmentMetric', 'prefix': prefix},
        default_hooks={'checkpoint': {'type': 'CheckpointHook', 'save_best': key, 'rule': 'less'}},
        default_scope='mmpose',
        experiment_name=f'{tmp_path.name}-{stem}',
        log_level='ERROR',
    ).train()
    saved = [name for name in os.listdir(tmp_path) if name.startswith('best')]
    assert saved == [f'best_{stem}_epoch_2.pth']

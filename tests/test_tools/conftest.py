"""Fixtures: raw downloads of four to twelve faces, and a tiny model."""

import shutil

import numpy as np
import pytest
from raw_layouts import NAMES_300W, cofw_table, points, write_300w, write_cofw, write_wflw
from tiny_run import write_config


@pytest.fixture
def wflw_raw(tmp_path):
    train = [(points(98, i), (10, 11, 50, 41), (0, 0, 0, 0, 0, 0), f'0--Parade/{i // 2}.jpg') for i in range(8)]
    flags = [(1, 0, 0, 0, 0, 0), (0, 1, 0, 0, 0, 1), (0, 0, 1, 0, 1, 0), (0, 0, 0, 1, 0, 0)]
    test = [(points(98, 100 + i), (1, 2, 61, 42), f, f'1--Test/{i}.jpg') for i, f in enumerate(flags)]
    return write_wflw(tmp_path / 'raw', train, test)


@pytest.fixture
def cofw_raw(tmp_path):
    root = tmp_path / 'raw'
    gray = np.arange(48 * 64, dtype=np.uint8).reshape(48, 64)
    colour = np.zeros((48, 64, 3), np.uint8)
    colour[:10, :, 0] = 200  # the top rows are red: shows transposition and channel order
    write_cofw(root / 'COFW_train_color.mat', [gray, colour, colour], *cofw_table(3, 0), 'Tr')
    write_cofw(root / 'COFW_test_color.mat', [colour, gray], *cofw_table(2, 50), 'T')
    return root


@pytest.fixture
def raw_300w(tmp_path):
    return write_300w(tmp_path / 'raw', NAMES_300W)


#: The test pipeline of tiny_run also makes targets, which pictures without annotation do not have; and a sweep refuses
#: to choose by the test faces.
PREDICTING = """
test_dataloader = dict(batch_size=4, num_workers=0, persistent_workers=False, dataset=dict(
    data_root={data!r}, ann_file='test_faces.json', pipeline=pipeline[:3] + [dict(type='PackPoseInputs')]))
"""


@pytest.fixture(scope='session')
def tiny(tmp_path_factory):
    """A config, its annotation file, and a checkpoint with the weights of initialisation; only to be read."""
    import torch
    from mmengine.config import Config
    from mmengine.registry import init_default_scope
    from mmpose.registry import DATASETS, MODELS

    folder = tmp_path_factory.mktemp('tiny')
    config = write_config(folder, extra=PREDICTING.format(data=str(folder)))
    shutil.copy(folder / 'faces.json', folder / 'test_faces.json')
    cfg = Config.fromfile(config)
    init_default_scope('mmpose')
    torch.manual_seed(0)
    meta = DATASETS.build(dict(cfg.test_dataloader.dataset, pipeline=[])).metainfo
    model = MODELS.build(cfg.model)
    torch.save({'state_dict': model.state_dict(), 'meta': {'dataset_meta': meta}}, folder / 'epoch_3.pth')
    return folder

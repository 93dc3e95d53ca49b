"""tools/misc/package_model.py: small weights, and a config that says only what differs from ours of its name."""

import pytest
import torch
from mmengine.config import Config
from tools_by_path import TOOLS, load_tool

tool = load_tool('misc/package_model')
NAME = 'td-hm_lite-unet_sp-1xb16-100e_300w-part-128x128'
FILE = TOOLS.parent / f'configs/face_2d_keypoint/topdown_heatmap/300w_part/{NAME}.py'


def test_half_precision_keeps_vectors_and_refuses_overflow():
    state = dict(kernel=torch.ones(2, 3), bias=torch.ones(2), count=torch.tensor(5))
    kept = tool.half_precision(state)
    assert [kept[name].dtype for name in state] == [torch.float16, torch.float32, torch.int64]
    with pytest.raises(ValueError, match='kernel'):
        tool.half_precision(dict(kernel=torch.full((1, 1), 1e6)))


@pytest.fixture
def packaged(tmp_path):
    """Package a config under a name; returns the written text and what mmengine makes of it."""

    def run(config, name):
        config.dump(tmp_path / f'{name}.py')
        torch.save(dict(state_dict=dict(bias=torch.zeros(2))), tmp_path / 'epoch_1.pth')
        tool.main([str(tmp_path / f'{name}.py'), str(tmp_path / 'epoch_1.pth'), str(tmp_path / 'out')])
        return (tmp_path / 'out.py').read_text(), Config.fromfile(tmp_path / 'out.py')

    return run


def test_an_unchanged_config_is_one_line(packaged):
    text, config = packaged(Config.fromfile(FILE), NAME)
    assert text.split() == ['_base_', '=', f"'mmpose_sp::face_2d_keypoint/topdown_heatmap/300w_part/{NAME}.py'"]
    assert config.model.head.decoder.input_size == (128, 128)


def test_a_changed_config_says_what_differs(packaged):
    wanted = Config.fromfile(FILE)
    wanted.optim_wrapper.optimizer.lr = 0.25
    wanted.work_dir = '/somewhere/of/mine'
    del wanted.model.backbone['init_cfg' if 'init_cfg' in wanted.model.backbone else 'channels']
    wanted.test_dataloader.dataset.pipeline.pop()
    text, config = packaged(wanted, NAME)
    assert len(text.splitlines()) < 30 and 'somewhere' not in text
    assert tool.meaning(config.to_dict()) == tool.meaning(wanted.to_dict())


def test_a_config_of_another_name_is_written_whole(packaged):
    wanted = Config.fromfile(FILE)
    text, config = packaged(wanted, 'mine')
    assert '_base_' not in text
    assert tool.meaning(config.to_dict()) == tool.meaning(wanted.to_dict())

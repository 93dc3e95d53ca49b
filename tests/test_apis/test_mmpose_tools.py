"""mmpose's browser and analysis tools on our datasets and configs."""

import runpy
import sys

import cv2
import pytest
from api_helpers import CONFIGS, LITE
from mmengine.config import Config
from tiny_run import write_faces

from mmpose_sp.utils.launch import mmpose_tool

WFLW = CONFIGS / 'wflw' / 'td-hm_lite-unet_sp-1xb16-100e_wflw-128x128.py'


@pytest.fixture
def tool(monkeypatch, tmp_path):
    """Run a tool of mmpose with a command line, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(name, *argv):
        monkeypatch.setattr(sys, 'argv', [name, *map(str, argv)])
        runpy.run_path(mmpose_tool(name), run_name='__main__')

    return run


@pytest.mark.parametrize('mode', ['original', 'transformed'])
@pytest.mark.parametrize(('config', 'num_landmarks'), [(LITE, 68), (WFLW, 98)], ids=['300w', 'wflw'])
def test_browse_dataset(tool, tmp_path, config, num_landmarks, mode):
    write_faces(tmp_path / 'faces', 2, num_landmarks)
    options = f'--output-dir seen --not-show --mode {mode} --cfg-options train_dataloader.dataset.data_root=faces'
    tool('misc/browse_dataset.py', config, *options.split(), 'train_dataloader.dataset.ann_file=faces.json')
    seen = sorted((tmp_path / 'seen').iterdir())
    assert [path.name for path in seen] == ['0.png', '1.png']
    side = Config.fromfile(config).codec.input_size[0]
    shape = (80, 90, 3) if mode == 'original' else (side, side, 3)
    for path in seen:
        picture = cv2.imread(str(path))
        assert picture.shape == shape
    if mode == 'original':
        changed = (picture != cv2.imread(str(tmp_path / 'faces/images/1.png'))).any(axis=-1)
        assert changed[35:45].any() and not changed[76:, :5].any()  # landmarks and box, not the corner


def test_get_flops(tool, model, capsys):
    tool('analysis_tools/get_flops.py', LITE, '--input-shape', '128', '128')
    printed = capsys.readouterr().out
    millions = sum(parameter.numel() for parameter in model.parameters()) / 1e6
    assert f'Params: {millions:.2f}'[:-1] in printed and 'Flops: ' in printed

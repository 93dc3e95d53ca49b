"""mmpose's browser and analysis tools on our datasets and configs."""

import json
import runpy
import sys

import cv2
import numpy as np
import pytest
from api_helpers import CONFIGS, LITE, noise
from mmengine.config import Config

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


def write_faces(root, num_landmarks, count=2):
    """A tiny dataset: landmarks on a grid in pictures of noise."""
    (root / 'images').mkdir(parents=True)
    xs, ys = np.meshgrid(np.linspace(40, 160, 10), np.linspace(30, 150, -(-num_landmarks // 10)))
    points = np.stack([xs.ravel(), ys.ravel(), np.full(xs.size, 2.0)], axis=1)[:num_landmarks]
    images, annotations = [], []
    for index in range(1, count + 1):
        cv2.imwrite(str(root / 'images' / f'{index}.png'), noise(200, 180, index))
        images.append({'id': index, 'file_name': f'{index}.png', 'width': 200, 'height': 180})
        annotations.append(
            {
                'id': index,
                'image_id': index,
                'category_id': 1,
                'iscrowd': 0,
                'bbox': [40, 30, 120, 120],
                'area': 14400,
                'num_keypoints': num_landmarks,
                'keypoints': points.ravel().tolist(),
                'center': [100, 90],
                'scale': 0.6,
            }
        )
    path = root / 'faces.json'
    path.write_text(
        json.dumps(
            {'images': images, 'annotations': annotations, 'categories': [{'id': 1, 'name': 'face', 'keypoints': []}]}
        )
    )
    return path


@pytest.mark.parametrize('mode', ['original', 'transformed'])
@pytest.mark.parametrize(('config', 'num_landmarks'), [(LITE, 68), (WFLW, 98)], ids=['300w', 'wflw'])
def test_browse_dataset(tool, tmp_path, config, num_landmarks, mode):
    write_faces(tmp_path / 'faces', num_landmarks)
    tool(
        'misc/browse_dataset.py',
        config,
        '--output-dir',
        'seen',
        '--not-show',
        '--mode',
        mode,
        '--cfg-options',
        'train_dataloader.dataset.data_root=faces',
        'train_dataloader.dataset.ann_file=faces.json',
    )
    seen = sorted((tmp_path / 'seen').iterdir())
    assert [path.name for path in seen] == ['1.png', '2.png']
    side = Config.fromfile(config).codec.input_size[0]
    shape = (180, 200, 3) if mode == 'original' else (side, side, 3)
    for path in seen:
        picture = cv2.imread(str(path))
        assert picture.shape == shape
    if mode == 'original':
        changed = (picture != noise(200, 180, 2)).any(axis=-1)
        assert changed[85:95].any() and not changed[165:, :30].any()  # landmarks and box, not the corner


def test_print_config(tool, capsys):
    tool('analysis_tools/print_config.py', LITE)
    assert "type='StructuredPredictionHead'" in capsys.readouterr().out


def test_get_flops(tool, landmarker, capsys):
    tool('analysis_tools/get_flops.py', LITE, '--input-shape', '128', '128')
    printed = capsys.readouterr().out
    millions = sum(parameter.numel() for parameter in landmarker.model.parameters()) / 1e6
    assert f'Params: {millions:.2f}'[:-1] in printed and 'Flops: ' in printed


def test_analyze_logs(tool, tmp_path):
    pytest.importorskip('seaborn', reason="mmpose's analyze_logs.py draws with seaborn")
    steps = [
        {'epoch': epoch, 'step': step, 'mode': 'train', 'loss_kpt': 5.0 - epoch, 'NME': 9.0 - epoch, 'time': 0.1}
        for epoch in (1, 2)
        for step in (1, 2)
    ]
    (tmp_path / 'log.json').write_text('\n'.join(map(json.dumps, steps)))
    tool('analysis_tools/analyze_logs.py', 'plot_curve', 'log.json', '--keys', 'loss_kpt', '--out', 'curve.png')
    assert (tmp_path / 'curve.png').stat().st_size > 1000
    tool('analysis_tools/analyze_logs.py', 'cal_train_time', 'log.json')

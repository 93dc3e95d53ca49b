"""A config of this repository made tiny, on a few drawn images: what the command-line tools are tested with."""

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / 'configs/face_2d_keypoint/topdown_heatmap/wflw/td-hm_lite-unet_sp-1xb16-100e_wflw-128x128.py'

#: One epoch (unless overridden) in the main process; 64 px input, 16 x 16 maps, no smoothing.
TEMPLATE = """
_base_ = [{config!r}]
codec = dict(type='ImageAwareLabelSmoothing', input_size=(64, 64), heatmap_size=(16, 16),
             boundaries='wflw', smoothing='none')
model = dict(backbone=dict(channels=(8, 8), norm_cfg=dict(type={norm!r})),
             head=dict(in_channels=8, conv_out_channels=None, conv_kernel_sizes=None, out_channels=98, decoder=codec))
pipeline = [dict(type='LoadImage'), dict(type='GetBBoxCenterScale'),
            dict(type='TopdownAffine', input_size=(64, 64)),
            dict(type='GenerateTarget', encoder=codec), dict(type='PackPoseInputs')]
loader = dict(num_workers=0, persistent_workers=False,
              dataset=dict(data_root={data!r}, ann_file='faces.json', pipeline=pipeline))
train_dataloader = dict(batch_size=4, **loader)
val_dataloader = dict(batch_size=4, **loader)
test_dataloader = dict(batch_size=4, **loader)
train_cfg = dict(max_epochs=1, val_interval=1)
default_hooks = dict(checkpoint=dict(interval=1, max_keep_ckpts=-1), logger=dict(interval=1))
work_dir = {work_dir!r}
"""


def write_faces(folder, num=5, seed=0):
    """``num`` images of noise with 98 landmarks each (the corners of eyes well apart), as the converters write them."""
    rng = np.random.default_rng(seed)
    (folder / 'images').mkdir(parents=True)
    images, annotations = [], []
    for i in range(num):
        cv2.imwrite(str(folder / 'images' / f'{i}.png'), rng.integers(0, 255, (80, 90, 3), dtype=np.uint8))
        points = rng.uniform((15, 10), (75, 70), (98, 2))
        points[60], points[72] = (20, 30), (65, 30)
        images.append({'id': i, 'file_name': f'{i}.png', 'width': 90, 'height': 80})
        annotations.append(
            {
                'id': i,
                'image_id': i,
                'category_id': 1,
                'iscrowd': 0,
                'area': 60 * 60,
                'bbox': [15, 10, 60, 60],
                'num_keypoints': 98,
                'center': [45, 40],
                'scale': 0.3,
                'rect': [15, 10, 75, 70],
                'keypoints': np.insert(points, 2, 2, axis=1).ravel().tolist(),
                'attributes': {
                    'largepose': i % 2,
                    'expression': 0,
                    'illumination': 0,
                    'makeup': 0,
                    'occlusion': 0,
                    'blur': 0,
                },
            }
        )
    (folder / 'faces.json').write_text(
        json.dumps({'images': images, 'annotations': annotations, 'categories': [{'id': 1, 'name': 'face'}]})
    )


def write_config(folder, norm='BN', extra=''):
    """Faces and a config for them in ``folder``; returns the path of the config."""
    if not (folder / 'faces.json').exists():
        write_faces(folder)
    path = folder / 'tiny.py'
    path.write_text(
        TEMPLATE.format(config=str(CONFIG), data=str(folder), work_dir=str(folder / 'work'), norm=norm) + extra
    )
    return path


def run_tool(*command, ok=True, cwd=None, python=sys.executable):
    """Run a command with this environment and interpreter (PYTHON) and without GPUs; returns its output."""
    env = {key: value for key, value in os.environ.items() if key != 'VIRTUAL_ENV'}
    env.update(PYTHON=python, OMP_NUM_THREADS='1', CUDA_VISIBLE_DEVICES='', PYTHONWARNINGS='ignore')
    done = subprocess.run(
        [str(part) for part in command],
        env=env,
        cwd=str(cwd or ROOT),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=1200,
    )
    assert (done.returncode == 0) == ok, done.stdout[-3000:]
    return done.stdout

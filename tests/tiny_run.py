"""A config of this repository made tiny, on a few drawn images: what the command-line tools are tested with."""

import json

import cv2
import numpy as np
from tools_by_path import CONFIGS

from mmpose_sp.faces.benchmarks import WFLW

CONFIG = CONFIGS / 'wflw/td-hm_lite-unet_sp-1xb16-100e_wflw-128x128.py'

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


def write_faces(folder, num=5, count=98):
    """Images of noise with a face each (the corners of eyes well apart), as the converters write them."""
    rng = np.random.default_rng(0)
    (folder / 'images').mkdir(parents=True)
    images, annotations = [], []
    for i in range(num):
        cv2.imwrite(str(folder / 'images' / f'{i}.png'), rng.integers(0, 255, (80, 90, 3), dtype=np.uint8))
        points = rng.uniform((15, 10), (75, 70), (count, 2))
        points[60], points[-26] = (20, 30), (65, 30)
        images.append({'id': i, 'file_name': f'{i}.png', 'width': 90, 'height': 80})
        face = dict(id=i, image_id=i, category_id=1, iscrowd=0, bbox=[15, 10, 60, 60], area=60 * 60)
        face.update(center=[45, 40], scale=0.3, rect=[15, 10, 75, 70])
        face.update(num_keypoints=count, keypoints=np.insert(points, 2, 2, axis=1).ravel().tolist())
        face['attributes'] = dict(dict.fromkeys(WFLW.subsets, 0), largepose=i % 2)
        annotations.append(face)
    content = {'images': images, 'annotations': annotations, 'categories': [{'id': 1, 'name': 'face', 'keypoints': []}]}
    (folder / 'faces.json').write_text(json.dumps(content))


def write_config(folder, norm='BN', extra=''):
    """Faces and a config for them in ``folder``; returns the path of the config."""
    if not (folder / 'faces.json').exists():
        write_faces(folder)
    path = folder / 'tiny.py'
    path.write_text(
        TEMPLATE.format(config=str(CONFIG), data=str(folder), work_dir=str(folder / 'work'), norm=norm) + extra
    )
    return path

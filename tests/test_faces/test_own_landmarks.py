"""docs/own_landmarks.md: its record, its config and its numbers, as they stand there."""

import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from mmpose_sp.datasets.synthetic import planned_face, render_face
from mmpose_sp.faces import SCHEMES
from mmpose_sp.faces.scheme_maps import wflw_to_300w

PAGE = (Path(__file__).resolve().parents[2] / 'docs' / 'own_landmarks.md').read_text()
RECORD, CONFIG, MAP = re.findall(r'```python\n(.*?)```', PAGE, re.S)
OF_WFLW = [33, 37, 42, 46, 60, 62, 64, 66, 68, 70, 72, 74, 54, 55, 59, 76, 79, 82, 85, 16]  # the same places


def write_faces(root, split, count):
    images, annotations = [], []
    for i in range(count):
        face = render_face(planned_face(0, 'wflw', split, i), 128)
        points = face.landmarks['wflw'][OF_WFLW]
        name = f'{split}_{i}.png'
        cv2.imwrite(str(root / 'images' / name), face.image)
        images.append(dict(id=i, file_name=name, width=128, height=128))
        box = [*points.min(0).tolist(), *np.ptp(points, axis=0).tolist()]
        flat = np.insert(points, 2, 2, axis=1).ravel().tolist()
        annotations.append(dict(id=i, image_id=i, category_id=1, iscrowd=0, bbox=box, keypoints=flat))
    category = dict(id=1, name='face', keypoints=[], skeleton=[])
    content = dict(images=images, categories=[category], annotations=annotations)
    (root / 'annotations' / f'{split}.json').write_text(json.dumps(content))


def test_the_example_trains_and_is_scored(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    Path('my_faces.py').write_text(RECORD)
    Path('my_config.py').write_text(CONFIG)
    for folder in ('images', 'annotations'):
        Path('data/my20', folder).mkdir(parents=True)
    write_faces(Path('data/my20'), 'train', 4)
    write_faces(Path('data/my20'), 'val', 3)
    cfg = Config.fromfile('my_config.py')
    loaders = ('train_dataloader', 'val_dataloader', 'test_dataloader')
    cfg.merge_from_dict({f'{name}.{key}': v for name in loaders for key, v in (('num_workers', 0), ('batch_size', 2))})
    cfg.merge_from_dict({f'{name}.persistent_workers': False for name in loaders})
    cfg.merge_from_dict(
        {'train_cfg.max_epochs': 1, 'train_cfg.val_interval': 1, 'work_dir': 'work', 'log_level': 'ERROR'}
    )
    init_default_scope('mmpose')
    try:
        runner = Runner.from_cfg(cfg)
        runner.train()
        scheme = SCHEMES['my20']
    finally:
        SCHEMES.pop('my20', None)
    history = runner.message_hub.log_scalars
    assert np.isfinite(history['train/loss_kpt'].current())
    assert np.isfinite(history['val/NME'].current()) and 0 <= history['val/FR'].current() <= 100
    meta = runner.val_dataloader.dataset.metainfo
    assert meta['flip_indices'] == scheme.flip_indices and meta['keypoint_id2name'][12] == 'nose_tip'


def test_the_map_has_the_printed_error(capsys):
    exec(compile(MAP, 'own_landmarks.md', 'exec'), {})
    assert capsys.readouterr().out.strip() in PAGE


def test_the_map_is_linear_and_refuses_other_landmarks():
    a, b = np.random.default_rng(0).normal(size=(2, 98, 2))
    np.testing.assert_allclose(wflw_to_300w(a + 2 * b), wflw_to_300w(a) + 2 * wflw_to_300w(b), atol=1e-12)
    with pytest.raises(ValueError, match='98 landmarks of WFLW'):
        wflw_to_300w(np.zeros((68, 2)))

"""The named configs: where they are, what their names say, and faces for their pipelines."""

from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpose.registry import DATASETS

from mmpose_sp.benchmarks.problems import META
from mmpose_sp.datasets.face.base import with_codec

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / 'configs' / 'face_2d_keypoint' / 'topdown_heatmap'
CONFIGS = sorted(FOLDER.rglob('*.py'))
LANDMARKS = {'wflw': 98, 'cofw': 29, '300w': 68}


@lru_cache(maxsize=None)
def load(path):
    """A config, loaded once; copy what you change."""
    init_default_scope('mmpose')
    return Config.fromfile(path)


def parts(path):
    """(network, objective, schedule, data) of ``td-hm_<network>_<objective>-<schedule>_<data>-<size>``."""
    _, network, recipe, data = path.stem.split('_')
    words = recipe.split('-')
    schedule = next((i for i, word in enumerate(words) if word[0].isdigit()), len(words))
    return network, '-'.join(words[:schedule]), '-'.join(words[schedule:]), data.rsplit('-', 1)[0]


def benchmark(path):
    """'wflw', 'cofw' or '300w'."""
    return next(name for name in LANDMARKS if name in parts(path)[3])


def encoder_of(cfg):
    return cfg.train_dataloader.dataset.codec


def training_pipeline(cfg):
    """The steps as the dataset completes them."""
    dataset = cfg.train_dataloader.dataset
    return with_codec(dataset.pipeline, dataset.get('codec'))


def face_sample(folder, cfg):
    """One face of random landmarks with the fields that the dataset would give."""
    rng = np.random.default_rng(0)
    path = folder / 'face.png'
    if not path.exists():
        cv2.imwrite(str(path), rng.integers(0, 255, (200, 220, 3), dtype=np.uint8))
    metainfo = metainfo_of(cfg)
    count = metainfo['num_keypoints']
    return dict(
        img_path=str(path),
        img_id=0,
        id=0,
        bbox=np.array([[50.0, 40.0, 170.0, 160.0]], dtype=np.float32),
        bbox_score=np.ones(1, dtype=np.float32),
        keypoints=rng.uniform(60, 150, (1, count, 2)).astype(np.float32),
        keypoints_visible=np.ones((1, count), dtype=np.float32),
        category_id=1,
        raw_ann_info=dict(attributes=dict(blur=1)),
        **{key: metainfo[key] for key in META},
    )


def metainfo_of(cfg):
    return _metainfo(cfg.train_dataloader.dataset.type)


@lru_cache(maxsize=None)
def _metainfo(dataset_type):
    return DATASETS.get(dataset_type)._load_metainfo()

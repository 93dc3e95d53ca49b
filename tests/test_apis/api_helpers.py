"""A tiny model, pictures whose landmarks are known, and the scripts of tools/."""

import numpy as np
import torch
from tools_by_path import CONFIGS, ROOT  # noqa: F401

from mmpose_sp.apis import FaceLandmarker

#: 128 px input, 32 x 32 maps, 68 landmarks, boxes padded by 1.25.
LITE = CONFIGS / '300w_part' / 'td-hm_lite-unet_sp-1xb16-100e_300w-part-128x128.py'
NUM_LANDMARKS, MAP_SIZE, INPUT_SIZE, PADDING = 68, 32, 128, 1.25


def random_landmarker(**kwargs):
    torch.manual_seed(0)
    return FaceLandmarker(LITE, None, 'cpu', **kwargs)


def spot(width, height, x, y, sigma=10.0):
    """A black picture with a Gaussian bright spot; uint8 BGR."""
    xs, ys = np.arange(width), np.arange(height)
    profile = np.exp(-0.5 * ((ys[:, None] - y) ** 2 + (xs - x) ** 2) / sigma**2)
    return np.repeat(np.round(255 * profile).astype(np.uint8)[..., None], 3, axis=2)


def noise(width, height, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)

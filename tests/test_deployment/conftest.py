"""The tools, the packaged model, and crops."""

from pathlib import Path

import numpy as np
import pytest
from tools_by_path import load_tool

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope='session')
def export_onnx():
    return load_tool('deployment/export_onnx.py')


@pytest.fixture(scope='session')
def photo():
    """uint8 BGR, with one face; public domain (NASA)."""
    return pytest.importorskip('skimage.data').astronaut()[..., ::-1].copy()


@pytest.fixture(scope='session')
def crops():
    return np.random.default_rng(0).integers(0, 256, (3, 128, 128, 3), dtype=np.uint8)

"""The tools, the packaged model, and crops."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]


def load_tool(path):
    """A script of tools/ as a module."""
    spec = importlib.util.spec_from_file_location(Path(path).stem, ROOT / 'tools' / path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope='session')
def export_onnx():
    return load_tool('deployment/export_onnx.py')


@pytest.fixture(scope='session')
def onnx_example():
    return load_tool('deployment/onnx_example.py')


@pytest.fixture(scope='session')
def photo():
    """uint8 BGR, with one face; public domain (NASA)."""
    return pytest.importorskip('skimage.data').astronaut()[..., ::-1].copy()


@pytest.fixture(scope='session')
def crops():
    return np.random.default_rng(0).integers(0, 256, (3, 128, 128, 3), dtype=np.uint8)

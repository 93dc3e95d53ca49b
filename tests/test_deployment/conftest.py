"""The tool, and crops."""

import numpy as np
import pytest
from tools_by_path import load_tool


@pytest.fixture(scope='session')
def export_onnx():
    return load_tool('deployment/export_onnx')


@pytest.fixture(scope='session')
def crops():
    return np.random.default_rng(0).integers(0, 256, (3, 128, 128, 3), dtype=np.uint8)

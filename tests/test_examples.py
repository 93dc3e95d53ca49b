"""The examples in the docstrings are true."""

import doctest
import importlib
from pathlib import Path

import cv2
import pytest
import torch

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted(
    '.'.join(path.relative_to(ROOT).with_suffix('').parts)
    for path in (ROOT / 'mmpose_sp').rglob('*.py')
    if '>>> ' in path.read_text()
)


@pytest.mark.parametrize('name', MODULES)
def test_examples_of_a_module(name, tmp_path, monkeypatch):
    if name in ('mmpose_sp.runtime', 'mmpose_sp.apis.landmarker'):  # whose examples read a photograph
        face = pytest.importorskip('skimage.data').astronaut()
        cv2.imwrite(str(tmp_path / 'photo.jpg'), face[..., ::-1])
    monkeypatch.chdir(tmp_path)
    result = doctest.testmod(importlib.import_module(name), extraglobs={'torch': torch})
    assert result.attempted and not result.failed

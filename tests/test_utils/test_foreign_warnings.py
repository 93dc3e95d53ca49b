"""Warnings of our foundations that are silenced, and only these."""

import multiprocessing
import warnings

import numpy as np
import pytest

from mmpose_sp.utils.foreign_warnings import silence
from mmpose_sp.utils.images import as_bgr

PKG_RESOURCES = 'pkg_resources is deprecated as an API. See https://setuptools.pypa.io'
BOXES = 'Use the existing "bbox_center" and "bbox_scale". The padding will still be applied.'


@pytest.mark.parametrize(
    'message, module, shown',
    [
        (PKG_RESOURCES, 'mmengine.utils.package_utils', False),
        (PKG_RESOURCES, 'somebody.else', True),
        (BOXES, 'mmpose.datasets.transforms.common_transforms', False),
        (BOXES, 'mmpose_sp.datasets.face', True),
        ('Another of mmpose', 'mmpose.datasets.transforms.common_transforms', True),
    ],
)
def test_message_and_module_decide(message, module, shown):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        silence()
        warnings.warn_explicit(message, UserWarning, 'file.py', 1, module)
    assert [str(warning.message) for warning in caught] == [message] * shown


@pytest.mark.slow
def test_spawned_workers_are_quiet_too():
    with multiprocessing.get_context('spawn').Pool(1) as pool:
        pool.apply(as_bgr, (np.zeros((2, 2), np.uint8),))  # as a worker unpickles its dataset
        messages = pool.apply(eval, ("[f[1].pattern for f in __import__('warnings').filters if f[1]]",))
    assert 'pkg_resources is deprecated' in messages

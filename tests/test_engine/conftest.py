"""Disks of busy machines take their time over fsync."""

import pytest

from mmpose_sp.utils import atomic


@pytest.fixture(autouse=True)
def no_sync(monkeypatch):
    """The order of the calls is tested where they are, in tests/test_utils/test_atomic.py."""
    monkeypatch.setattr(atomic, '_sync', lambda path: None)

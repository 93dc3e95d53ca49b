"""Losses, heads and backbones; the mathematics lives in :mod:`mmpose_sp.structured`."""

from . import backbones, float32_conv, heads, losses, necks  # noqa: F401

"""Importing this module checks the versions and registers all that mmpose_sp adds to mmpose.

Raises:
    ImportError: Lists every foundation that is missing or of a wrong version, each with its fix.
"""

from importlib import import_module

from . import stand_ins
from .utils.requirements import check_versions

check_versions()
stand_ins.provide()  # before anything imports mmpose: mmcv-lite lacks what mmcv.ops imports

for _part in (
    'codecs.image_aware_label_smoothing',
    'datasets.face',
    'datasets.transforms',
    'engine.checkpoint_hook',
    'engine.codec_guard',
    'engine.finite',
    'engine.step_seeds',
    'evaluation.metric',
    'models',
    'utils.autocast',
    'utils.channels_last',
    'utils.ema',
):
    import_module(f'mmpose_sp.{_part}')

import_module('mmpose_sp.utils.checkpoint').allow_mmengine_checkpoints()
import_module('mmpose_sp.utils.checkpoint_files').guard_loaders()

"""Structured prediction for facial landmark detection, as an MMPose extension.

Importing this package checks the versions of its foundations and registers every codec, dataset,
transform, model, metric and hook, so that one config line,
``custom_imports = dict(imports=['mmpose_sp'])``, is all a user writes.
"""

import sys

from .utils import config_names  # noqa: F401  configs may now name ours as 'mmpose_sp::...'
from .version import __version__


def _is_report() -> bool:
    """True while ``python -m mmpose_sp.utils.collect_env`` imports this package, its parent.

    That report has to come most of all where the imports below fail.
    """
    report = 'mmpose_sp.utils.collect_env'
    return sys.argv[:1] == ['-m'] and report in getattr(sys, 'orig_argv', [report])  # Python < 3.10


if not _is_report():
    from .utils.requirements import check_versions

    check_versions()

    # Before anything imports mmpose: mmcv-lite lacks what mmcv.ops imports.
    from . import stand_ins

    stand_ins.provide()

    from . import codecs, datasets, evaluation, models  # noqa: F401
    from .utils import autocast, channels_last, checkpoint, ema  # noqa: F401

    checkpoint.allow_mmengine_checkpoints()

__all__ = ['__version__']

"""Structured prediction for facial landmark detection, as an MMPose extension.

Importing this package checks the versions of its foundations and registers every codec, dataset,
transform, model, metric and hook, so that one config line,
``custom_imports = dict(imports=['mmpose_sp'])``, is all a user writes. Where no part of OpenMMLab
is loaded yet, both wait until there is something to register with, see :mod:`mmpose_sp.deferral`.
"""

import sys

from .deferral import defer_registration
from .utils import config_names  # noqa: F401  configs may now name ours as 'mmpose_sp::...'
from .utils.foreign_warnings import silence
from .version import __version__

silence()
if 'mmengine' in sys.modules:  # such as mmengine itself at work on custom_imports
    from . import registration  # noqa: F401
else:
    defer_registration()

__all__ = ['__version__']

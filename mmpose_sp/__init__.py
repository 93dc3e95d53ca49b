"""Structured prediction for facial landmark detection, as an MMPose extension.

Importing this package registers every codec, dataset, transform, model and metric, so that one config line,
``custom_imports = dict(imports=['mmpose_sp'])``, is all a user writes.
"""
from . import codecs, datasets, evaluation, models  # noqa: F401

__version__ = '0.1.0'

"""WFLW, COFW and 300-W with validation, subset flags and a choice of face box.

The module path matters: mmpose's inferencer takes the default face detector from the part that
    follows ``datasets.``.
"""

from mmpose.datasets.datasets.face import COFWDataset, Face300WDataset, WFLWDataset
from mmpose.registry import DATASETS

from .base import ValidatedFaceDataset, mmpose_metainfo


@DATASETS.register_module()
class SPWFLWDataset(ValidatedFaceDataset, WFLWDataset):
    """WFLW, 98 landmarks; options in :class:`ValidatedFaceDataset`."""

    METAINFO: dict = mmpose_metainfo('wflw')


@DATASETS.register_module()
class SPCOFWDataset(ValidatedFaceDataset, COFWDataset):
    """COFW, 29 landmarks; options in :class:`ValidatedFaceDataset`."""

    METAINFO: dict = mmpose_metainfo('cofw')


@DATASETS.register_module()
class SPFace300WDataset(ValidatedFaceDataset, Face300WDataset):
    """300-W, 68 landmarks; options in :class:`ValidatedFaceDataset`."""

    METAINFO: dict = mmpose_metainfo('300w')

"""WFLW, COFW and 300-W with validation, subset flags and a choice of face box.

The module path matters: mmpose's inferencer takes the default face detector from the part that
    follows ``datasets.``.
"""

from mmpose.datasets.datasets.face import COFWDataset, Face300WDataset, WFLWDataset
from mmpose.registry import DATASETS

from mmpose_sp.faces import find_scheme

from .base import ValidatedFaceDataset


@DATASETS.register_module()
class SPWFLWDataset(ValidatedFaceDataset, WFLWDataset):
    """WFLW, 98 landmarks; options in :class:`ValidatedFaceDataset`."""

    METAINFO: dict = find_scheme('wflw').metainfo()


@DATASETS.register_module()
class SPCOFWDataset(ValidatedFaceDataset, COFWDataset):
    """COFW, 29 landmarks; options in :class:`ValidatedFaceDataset`."""

    METAINFO: dict = find_scheme('cofw').metainfo()


@DATASETS.register_module()
class SPFace300WDataset(ValidatedFaceDataset, Face300WDataset):
    """300-W, 68 landmarks; options in :class:`ValidatedFaceDataset`."""

    METAINFO: dict = find_scheme('300w').metainfo()

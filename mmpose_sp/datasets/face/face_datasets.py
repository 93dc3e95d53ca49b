"""WFLW, COFW and 300-W with validation, subset flags and a choice of face box.

The module path matters: mmpose's inferencer takes the default face detector from the part that follows ``datasets.``.
"""

from mmpose.datasets.datasets.base import BaseCocoStyleDataset
from mmpose.datasets.datasets.face import COFWDataset, Face300WDataset, WFLWDataset
from mmpose.registry import DATASETS

from mmpose_sp.faces import find_scheme

from .base import ValidatedFaceDataset


@DATASETS.register_module()
class SPFaceDataset(ValidatedFaceDataset, BaseCocoStyleDataset):
    """Faces of any landmark scheme; further options in :class:`ValidatedFaceDataset`.

    Args:
        scheme: Name of a record, see :func:`mmpose_sp.faces.register_scheme` and docs/own_landmarks.md.

    Raises:
        ValueError: No record has this name.
    """

    def __init__(self, *args, scheme: str, **kwargs) -> None:
        super().__init__(*args, metainfo=find_scheme(scheme).metainfo(), **kwargs)


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

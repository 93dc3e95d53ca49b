"""Face landmark datasets."""

from .face_datasets import SPCOFWDataset, SPFace300WDataset, SPFaceDataset, SPWFLWDataset

__all__ = ['SPCOFWDataset', 'SPFace300WDataset', 'SPFaceDataset', 'SPWFLWDataset']

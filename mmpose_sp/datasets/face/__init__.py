"""Face landmark datasets."""

from .benchmarks import SPCOFWDataset, SPFace300WDataset, SPFaceDataset, SPWFLWDataset

__all__ = ['SPCOFWDataset', 'SPFace300WDataset', 'SPFaceDataset', 'SPWFLWDataset']

"""Face landmark datasets."""

from .benchmarks import SPCOFWDataset, SPFace300WDataset, SPWFLWDataset

__all__ = ['SPCOFWDataset', 'SPFace300WDataset', 'SPWFLWDataset']

"""Calibrated confidence and covariance alone, for callers that have the landmarks already."""

from typing import Tuple

from torch import Tensor

from mmpose_sp.posterior.calibration import GRID_VARIANCE, IDENTITY, Calibration
from mmpose_sp.posterior.sites import read_sites

__all__ = ['GRID_VARIANCE', 'Calibration', 'read_posterior']


def read_posterior(scores: Tensor, eps: float = 1.0, calibration: Calibration = IDENTITY) -> Tuple[Tensor, Tensor]:
    """Confidence (B, K) and covariances (B, K, 2, 2), heatmap px^2, of scores (B, K, h, w)."""
    sites = read_sites(scores, 'none', eps, calibration)
    assert sites.covariance is not None  # asked for by default
    return sites.confidence, sites.covariance

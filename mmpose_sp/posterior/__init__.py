"""Score maps as posteriors over positions: landmark, confidence and covariance, read once per map. Needs only torch."""

from .calibration import Calibration
from .sites import SUBPIXEL, Sites, decode_scores, read_sites

__all__ = ['SUBPIXEL', 'Calibration', 'Sites', 'decode_scores', 'read_sites']

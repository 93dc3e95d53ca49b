"""Score maps as posteriors over positions: landmark, confidence and covariance, read once per map; the landmarks of a
face joined into one Gaussian. Needs only torch."""

from .calibration import Calibration
from .joint import JointPosterior, landmark_blocks
from .sites import SUBPIXEL, Sites, read_sites

__all__ = [
    'SUBPIXEL',
    'Calibration',
    'JointPosterior',
    'Sites',
    'landmark_blocks',
    'read_sites',
]

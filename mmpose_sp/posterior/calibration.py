"""What makes a posterior mean what it says: a temperature for its confidence, four numbers for its ellipses.

All but ``grid_variance``, which follows from Eq. 11, are fitted on validation faces
(``tools/posterior.py``) and stored with the weights. They change how sure a landmark is said to be, never where it is.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

GRID_VARIANCE = 1 / 6  # heatmap px^2, the mean of f (1 - f) for f in [0, 1]


class Calibration(NamedTuple):
    """Read the posterior as softmax(F / (eps * temperature)), and the covariance C of that (heatmap px^2) as
    ``covariance_scale * (C - grid_variance I) + covariance_floor I``.

    Eq. 11 compares scores with labels on the grid: a label between pixels is spread over four of them by bilinear
    weights. Even a posterior that knows the place exactly therefore has the variance f (1 - f) along each axis, f the
    fraction of the coordinate: 1/6 on average (:data:`GRID_VARIANCE`), which says nothing about the landmark. Negative
    principal variances after the subtraction are 0. How far the ellipse of C reaches follows from ``tail_weight``, see
    :func:`mmpose_sp.faces.ellipse_radius`.
    """

    temperature: float = 1.0
    covariance_scale: float = 1.0
    grid_variance: float = 0.0
    covariance_floor: float = 0.0
    tail_weight: float = 0.0

    def checked(self) -> 'Calibration':
        """Itself.

        Raises:
            ValueError: Not finite, negative, 0 for the temperature and the scale, 1/2 or more for the tail weight;
                names the field.
        """
        for name, value in self._asdict().items():
            positive = name in ('temperature', 'covariance_scale')
            number = isinstance(value, (int, float)) and math.isfinite(value)
            if not number or value < 0 or (positive and value == 0):
                kind = 'positive number' if positive else 'number that is not negative'
                raise ValueError(f'calibration: {name} must be a {kind}, got {value!r}')
        if self.tail_weight >= 0.5:
            raise ValueError(f'calibration: tail_weight must be below 1/2, got {self.tail_weight!r}')
        return self

    def calibrated(self, covariance: Tensor) -> Tensor:
        """The covariances (..., 2, 2) to report, heatmap px^2; eigenvalues are centre +- reach in closed form."""
        if self[1:4] == IDENTITY[1:4]:
            return covariance
        unit = torch.eye(2, dtype=covariance.dtype, device=covariance.device)
        centre = covariance.diagonal(dim1=-2, dim2=-1).mean(dim=-1)[..., None, None]
        direction = covariance - centre * unit
        reach = (direction.square().sum(dim=(-2, -1), keepdim=True) / 2).sqrt()
        large, small = ((centre + sign * reach - self.grid_variance).clamp(min=0) for sign in (1, -1))
        direction = direction / reach.clamp(min=1e-12)
        spread = (large + small) / 2 * unit + (large - small) / 2 * direction
        return self.covariance_scale * spread + self.covariance_floor * unit


IDENTITY = Calibration()

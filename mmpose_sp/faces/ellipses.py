"""How far the ellipse of a covariance reaches.

Errors of landmarks have heavier tails than a Gaussian: many small ones, a few large ones. They are those of Student's t
in the plane, of which a covariance and one more number say everything: the tail weight, one over the degrees of
freedom. At 0 it is the Gaussian, below 1/2 there is a covariance.
"""

import numpy as np
from numpy.typing import ArrayLike


def ellipse_radius(probability: ArrayLike, tail_weight: float = 0.0) -> np.ndarray:
    """Standard deviations from a landmark to the ellipse that holds it with a probability.

    With nu degrees of freedom and covariance C, e' C^-1 e is at most (nu - 2) ((1 - q)^(-2 / nu) - 1) with the
    probability q; -2 log(1 - q) for the Gaussian (an F distribution with 2 and nu degrees of freedom, whose integral
    has this closed form).

    >>> float(ellipse_radius(0.95).round(4)), float(ellipse_radius(0.95, tail_weight=0.16).round(4))
    (2.4477, 2.6143)

    Args:
        probability: q in [0, 1), of any shape.
        tail_weight: 1 / nu in [0, 1/2).

    Returns:
        Of that shape, float64.
    """
    outside = np.log1p(-np.asarray(probability, dtype=np.float64))
    if tail_weight == 0:
        return np.sqrt(-2 * outside)
    return np.sqrt((1 / tail_weight - 2) * np.expm1(-2 * tail_weight * outside))

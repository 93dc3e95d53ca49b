"""What no loss can use, and is refused before it trains silently on rubbish.

The checks cost an accelerator no synchronisation: there they are asynchronous device assertions, as an exception would
make the host wait in every step.
"""

from typing import Tuple

import torch
from torch import Tensor

LABEL_TOLERANCE = 1e-3  # px: rounding of a label that lies on the border of the map


def check_weights(weights: Tensor) -> None:
    """Refuse weights (...) that are not finite or negative: a negative one would teach to avoid its label.

    Raises:
        ValueError: names the landmark. On accelerators, a device assertion fails instead.
    """
    _refuse(~((weights >= 0) & (weights < float('inf'))), weights, 'weight: it must be finite and not negative.')


def check_labels(labels: Tensor, used: Tensor, size: Tuple[int, int]) -> None:
    """Refuse labels that are NaN or outside the map.

    Args:
        labels: (..., 2) heatmap px.
        used: (...) bool: whether the landmark counts (its weight is positive).
        size: (h, w).

    Raises:
        ValueError: as :func:`check_weights` does.
    """
    low = -0.5 - LABEL_TOLERANCE
    inside = (labels >= low) & (labels[..., :1] <= size[1] - 1 - low) & (labels[..., 1:] <= size[0] - 1 - low)
    _refuse(
        used & ~inside.all(-1),
        labels,
        f'label (x, y in heatmap px) is NaN or outside the map of width {size[1]} and height '
        f"{size[0]}. A landmark outside the map needs weight 0 (see the codec's keypoint_weights); a missing one "
        'may be NaN if its weight is 0.',
    )


def check_covariances(covariances: Tensor) -> None:
    """Refuse covariances (..., 2, 2) that are not finite; raises as :func:`check_weights` does."""
    bad = ~covariances.isfinite().flatten(-2).all(-1)
    _refuse(bad, covariances, 'covariance of a landmark with positive weight is not finite.')


def _refuse(bad: Tensor, values: Tensor, message: str) -> None:
    if bad.is_cuda:
        torch._assert_async(~bad.any(), message)
    elif bad.any():
        where = tuple(bad.nonzero()[0].tolist())
        raise ValueError(f'landmark [{", ".join(map(str, where))}]: {values[where].tolist()} as {message}')

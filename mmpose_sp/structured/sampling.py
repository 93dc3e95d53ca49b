"""Eq. 13: labels y' ~ G(y), drawn along the edges of the face, over which the loss is averaged."""

from typing import Optional, Tuple

import torch
from torch import Tensor


def sample_labels(
    labels: Tensor,
    covariances: Tensor,
    num_samples: int,
    size: Optional[Tuple[int, int]] = None,
    generator: Optional[torch.Generator] = None,
) -> Tensor:
    """y' ~ N(y, covariance) of Eq. 13, drawn on the device of the labels.

    Args:
        labels: (..., 2) heatmap px.
        covariances: (..., 2, 2) heatmap px^2, symmetric and positive semi-definite (0 = no smoothing).
        num_samples: S.
        size: (h, w): samples that leave the map are moved to its border; ``None`` leaves them.
        generator: source of the noise, on the device of the labels; ``None`` is torch's default one.

    Returns:
        (..., S, 2) heatmap px, without gradient.

    >>> along_x = torch.tensor([[4.0, 0.0], [0.0, 0.0]])
    >>> samples = sample_labels(torch.tensor([3.0, 5.0]), along_x, 1000)
    >>> samples.shape, samples[:, 1].unique()
    (torch.Size([1000, 2]), tensor([5.]))
    """
    labels, covariances = labels.detach(), covariances.detach().to(labels.dtype)
    var_x, cov, var_y = covariances[..., 0, 0], covariances[..., 0, 1], covariances[..., 1, 1]
    # Cholesky factor in closed form; clamps keep singular covariances (a straight edge, or 0) finite
    std_x = var_x.clamp(min=0).sqrt()
    slope = torch.where(std_x > 0, cov / std_x.clamp(min=torch.finfo(labels.dtype).tiny), torch.zeros_like(cov))
    rest = (var_y - slope.square()).clamp(min=0).sqrt()
    noise = torch.randn(
        (*labels.shape[:-1], num_samples, 2), generator=generator, dtype=labels.dtype, device=labels.device
    )
    x = labels[..., :1] + std_x[..., None] * noise[..., 0]
    y = labels[..., 1:] + slope[..., None] * noise[..., 0] + rest[..., None] * noise[..., 1]
    if size is not None:
        x, y = x.clamp(-0.5, size[1] - 0.5), y.clamp(-0.5, size[0] - 0.5)
    return torch.stack([x, y], dim=-1)

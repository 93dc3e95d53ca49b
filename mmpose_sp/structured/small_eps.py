"""Eq. 9 and 10 sample by sample, for temperatures that leave no exponential to share between samples."""

from typing import Tuple

import torch
from torch import Tensor

from .objective import Objective, label_margin


def augmented_maximum(scores: Tensor, labels: Tensor, objective: Objective) -> Tuple[Tensor, Tensor]:
    """eps log sum exp((Delta + F) / eps), or the maximum for eps = 0, and its gradient: the posterior.

    Args:
        scores: F (n, h, w) relative to its peak; few maps, as S times their number are held.
        labels: (n, S, 2) heatmap px.

    Returns:
        (n, S), and the mean over S of the posterior (n, h, w).
    """
    augmented = label_margin(labels, scores.shape[1:], objective).add_(scores.unsqueeze(1)).flatten(2)
    top, where = augmented.max(-1, keepdim=True)
    if objective.eps == 0:  # all of the posterior is where the maximum is
        posterior = torch.zeros_like(augmented).scatter_(-1, where, 1.0)
    else:
        posterior = torch.softmax(augmented.div_(objective.eps), -1)
    maximum = top - objective.eps * posterior.gather(-1, where).log()
    return maximum.squeeze(-1), posterior.mean(1).view_as(scores)

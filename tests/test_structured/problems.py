"""Random maps with labels that touch every case: on a pixel, in a corner, on the border, between pixels."""

import itertools

import torch

from mmpose_sp.structured.objective import MARGINS, NORMS

CHOICES = list(itertools.product(MARGINS, NORMS))


def random_problem(lead=(2, 3), size=(5, 6), samples=4, dtype=torch.float64, scale=3.0, seed=0):
    """Scores (*lead, h, w) that want a gradient, labels (*lead, S, 2)."""
    random = torch.Generator().manual_seed(seed)
    scores = (torch.randn(*lead, *size, dtype=torch.float64, generator=random) * scale).to(dtype).requires_grad_()
    labels = torch.rand(*lead, samples, 2, dtype=torch.float64, generator=random)
    labels = labels * torch.tensor(size[::-1], dtype=torch.float64) - 0.5
    first = labels.view(-1, samples, 2)[0]
    # a pixel, where smooth l1 is smooth; a corner; the right border
    special = torch.tensor([[min(2.0, size[1] - 1)] * 2, [-0.5, -0.5], [size[1] - 0.5, 1.9]], dtype=torch.float64)
    first[:3] = special[: len(first)].clamp(max=torch.tensor(size[::-1], dtype=torch.float64) - 0.5)
    return scores, labels.to(torch.float64 if dtype == torch.float64 else torch.float32)


def value_and_gradient(function, scores, *args):
    """Of a loss per landmark and of its sum."""
    scores = scores.detach().requires_grad_()
    value = function(scores, *args)
    return value.detach(), torch.autograd.grad(value.sum(), scores)[0]

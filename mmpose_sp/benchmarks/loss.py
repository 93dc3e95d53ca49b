"""Our objective against its definition, mmpose's MSE and STAR: forward and backward."""

from typing import Callable, Dict, Tuple

import torch
from mmpose.models.losses import KeypointMSELoss
from torch import Tensor

from mmpose_sp.models.gaussian_maps import gaussian_maps
from mmpose_sp.models.losses import STARLoss, StructuredPredictionLoss
from mmpose_sp.structured import Objective, fast_structured_loss, sample_labels, structured_loss

from .problems import ScoreProblem, score_problem
from .report import Goal, Section
from .timing import Context, interleave, memory_bandwidth, peak_memory

OURS, EUCLIDEAN = 'ours', 'ours, Euclidean margin'
DEFINED, DEFINED_EUCLIDEAN = 'Eq. 13 by definition', 'Eq. 13 by definition, Euclidean'
MSE, STAR, STAR_PUBLISHED = 'KeypointMSELoss', 'STARLoss', 'STARLoss, instance norm'
NORMS = {OURS: 'l1', EUCLIDEAN: 'l2'}
TOLERANCE = 1e-5


def objectives(problem: ScoreProblem, num_samples: int = 10) -> Dict[str, Callable[[], Tensor]]:
    """Each objective as a function without arguments that gives the scalar loss."""
    scores, labels, weights, covariances = problem
    size = tuple(scores.shape[-2:])
    heatmaps = gaussian_maps(labels, size, 2.0)
    ours = {name: StructuredPredictionLoss(norm=norm, num_samples=num_samples) for name, norm in NORMS.items()}
    star = {
        name: STARLoss(normalization=how, num_samples=num_samples)
        for name, how in ((STAR, 'softmax'), (STAR_PUBLISHED, 'instance_norm_relu'))
    }
    mse = KeypointMSELoss()

    def defined(norm: str) -> Tensor:
        samples = sample_labels(labels, covariances, num_samples, size)
        return structured_loss(scores, samples, Objective(norm=norm)).mean()

    return {
        **{
            name: lambda module=module: module(scores, labels, weights, covariances)
            for name, module in {**ours, **star}.items()
        },
        DEFINED: lambda: defined('l1'),
        DEFINED_EUCLIDEAN: lambda: defined('l2'),
        MSE: lambda: mse(scores, heatmaps, weights),
    }


def training_step(problem: ScoreProblem, objective: Callable[[], Tensor]) -> Callable[[], None]:
    """Loss and gradient of the scores; the gradient is given back, so that the next step pays for its own."""

    def step() -> None:
        objective().backward()
        problem.scores.grad = None

    return step


def disagreement(context: Context, norm: str) -> Tuple[float, float]:
    """Largest absolute difference of value and gradient, float32 ours against the definition in float64."""
    problem = score_problem(context.device, batch=2)
    random = torch.Generator(context.device).manual_seed(0)
    samples = sample_labels(problem.labels, problem.covariances, 10, tuple(problem.scores.shape[-2:]), random)
    exact_scores = problem.scores.detach().double().requires_grad_()
    ours = fast_structured_loss(problem.scores, samples, Objective(norm=norm))
    exact = structured_loss(exact_scores, samples.double(), Objective(norm=norm))
    (gradient,) = torch.autograd.grad(ours.sum(), problem.scores)
    (exact_gradient,) = torch.autograd.grad(exact.sum(), exact_scores)
    return (ours - exact).abs().max().item(), (gradient - exact_gradient).abs().max().item()


def run(context: Context) -> Section:
    bandwidth = memory_bandwidth(context)
    rows, goals, notes = [], [], []
    for batch in (2,) if context.quick else (8, 32):
        problem = score_problem(context.device, batch)
        steps = {name: training_step(problem, f) for name, f in objectives(problem).items()}
        # a few rounds of the slow ones would cost more than they tell
        repeats = max(3, context.repeats // (1 if context.device.type == 'cuda' or batch < 32 else 3))
        times = interleave(context, steps, repeats)
        memory = {name: peak_memory(context, step) / 2**20 for name, step in steps.items()}
        floor = 2 * problem.scores.numel() * problem.scores.element_size() / bandwidth
        rows += [
            {
                'B': batch,
                'objective': name,
                'ms': times[name].ms,
                'times ours': times[name].over(times[OURS]),
                'times MSE': times[name].over(times[MSE]),
                'memory MiB': memory[name],
                'bandwidth floor': f'{floor / times[name].seconds:.0%}',
            }
            for name in steps
        ]
        for ours, defined in ((OURS, DEFINED), (EUCLIDEAN, DEFINED_EUCLIDEAN)):
            goals += [
                Goal(f'B {batch}, {ours}: times faster than {defined}', times[defined].over(times[ours]), 10, True),
                Goal(f'B {batch}, {ours}: times less memory than {defined}', memory[defined] / memory[ours], 10, True),
            ]
        goals += [Goal(f'B {batch}, ours: time over {MSE}', times[OURS].over(times[MSE]), 2.5)]
        goals += [
            Goal(f'B {batch}, ours: times faster than {name}', times[name].over(times[OURS]), 5, True)
            for name in (STAR, STAR_PUBLISHED)
        ]
    for name, norm in NORMS.items():
        value, gradient = disagreement(context, norm)
        goals += [
            Goal(f'{name}: largest error of the value', value, TOLERANCE),
            Goal(f'{name}: largest error of the gradient', gradient, TOLERANCE),
        ]
    notes.append(f'A copy reads and writes {bandwidth / 1e9:.0f} GB/s here.')
    return Section(
        'Loss',
        'Forward and backward with respect to the scores; K 98, S 10, maps of 64 x 64, smooth l1 margin; '
        'sampling included. "STARLoss" takes a softmax of the scores, "instance norm" what its authors publish '
        '(instance norm and ReLU). Memory: peak above the inputs, the gradient included. Bandwidth floor: share of the '
        'time that reading the scores and writing the gradient once takes at the speed of a copy. Errors: against the '
        'definition in float64.',
        rows,
        goals,
        notes,
    )

"""What a step of training costs: everybody's network, head and loss in turn, on the same faces, loading left out."""

from typing import Callable, Dict, NamedTuple, Tuple

import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmpose.registry import MODELS

from mmpose_sp.benchmarks.timing import Context, interleave, peak_memory

from .comparison import Comparison
from .contestants import OURS
from .tracks import Run


class StepCost(NamedTuple):
    """Of a contestant.

    Attributes:
        ms: Of a step; CPU time if one thread of a CPU computes.
        over_ours: How many times as long as ours, measured in turn; NaN without ours.
        megabytes: That the tensors of a step take at most, beyond the weights.
        steps: An epoch has.
    """

    ms: float
    over_ours: float
    megabytes: float
    steps: int


def training_step(config: Config, device: torch.device) -> Tuple[Callable[[], object], int]:
    """A step on one batch of training faces, loaded already; and how many an epoch has."""
    init_default_scope(config.get('default_scope', 'mmpose'))
    loader = Runner.build_dataloader(dict(config.train_dataloader, num_workers=0, persistent_workers=False), seed=0)
    batch = next(iter(loader))
    # an accuracy is no part of an objective, and mmpose's heads copy all maps to NumPy for theirs, where a GPU waits
    model = MODELS.build(dict(config.model, train_cfg=dict(compute_acc=False))).to(device).train()
    model.to(memory_format=torch.channels_last)  # as the schedule's hook does
    optimizer = build_optim_wrapper(model, config.optim_wrapper)
    return lambda: model.train_step(batch, optimizer), len(loader)


def step_costs(comparison: Comparison, context: Context) -> Dict[str, StepCost]:
    """Of all contestants, by name."""
    track = comparison.track
    made = {
        name: training_step(comparison.config(Run(name, track.rates[0], track.epochs, 0)), context.device)
        for name in comparison.contestants
    }
    timings = interleave(context, {name: step for name, (step, _) in made.items()})
    return {
        name: StepCost(
            timings[name].ms,
            timings[name].over(timings[OURS]) if OURS in timings else float('nan'),
            peak_memory(context, step) / 1e6,
            steps,
        )
        for name, (step, steps) in made.items()
    }

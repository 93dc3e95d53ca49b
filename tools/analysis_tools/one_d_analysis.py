"""Soft-argmax against the structured loss on a heatmap of 11 parameters (Sec. 5.1, Fig. 2).

One landmark at y = 5, no image: the heatmap is the parameter vector itself. It starts bimodal, theta_9 highest and
theta_1 second, and plain gradient descent runs on either objective,

    soft-argmax + l2 (Eq. 4):  (sum_k k softmax(theta)_k - y)^2
    ours (Eq. 11, l2 margin):  eps log sum_k exp((Delta(y, k) + theta_k) / eps) - theta_y

The command writes the figure, every step as CSV, and the shown steps with the verdicts as JSON.
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path
from typing import TYPE_CHECKING, Dict, NamedTuple, Sequence

import numpy as np

from mmpose_sp.utils.atomic import save_figure, write_text

if TYPE_CHECKING:
    import torch

LENGTH, TARGET = 11, 5
OBJECTIVES = ('soft-argmax', 'ours')
TITLES = {'soft-argmax': 'Soft-argmax + l2 (Eq. 4)', 'ours': 'Ours (Eq. 11)'}


class Trajectory(NamedTuple):
    """Gradient descent on one objective, ``steps`` updates of ``LENGTH`` parameters."""

    parameters: np.ndarray  # (steps + 1, LENGTH), the start included
    updates: np.ndarray  # (steps, LENGTH), updates[i] = parameters[i + 1] - parameters[i]
    losses: np.ndarray  # (steps,), before each update


def bimodal_start(high: float = 3.0, second: float = 2.0) -> torch.Tensor:
    """theta^(0), shape (11,), float64: a peak of height ``high`` at 9, one of ``second`` at 1, smooth shoulders.

    Raises:
        ValueError: Unless high > second > 0.
    """
    import torch

    if not high > second > 0:
        raise ValueError(f'the start needs high > second > 0, got high={high}, second={second}')
    index = torch.arange(LENGTH, dtype=torch.float64)

    def bump(center: int) -> torch.Tensor:
        return torch.exp(-0.5 * (index - center) ** 2)

    return high * bump(9) + second * bump(1)


def soft_argmax_loss(theta: torch.Tensor, target: float = TARGET) -> torch.Tensor:
    """Eq. 4 in index units: squared distance between the expected index and the target."""
    import torch

    index = torch.arange(len(theta), dtype=theta.dtype)
    return ((theta.softmax(0) * index).sum() - target) ** 2


def structured_loss(theta: torch.Tensor, target: float = TARGET, eps: float = 1.0, alpha: float = 1.0) -> torch.Tensor:
    """Eq. 11 with the l2 margin, computed by the package's own loss on a map of 1 x 11 pixels."""
    import torch

    from mmpose_sp.structured import Objective, fast_structured_loss

    label = torch.tensor([[float(target), 0.0]], dtype=theta.dtype)
    return fast_structured_loss(theta.view(1, -1), label, Objective(eps, alpha, margin='l2'))


def descend(objective: str, start: torch.Tensor, steps: int, lr: float) -> Trajectory:
    """Run ``theta <- theta - lr * gradient`` for ``steps`` steps.

    Raises:
        ValueError: Unknown objective.
    """
    import torch

    losses = {'soft-argmax': soft_argmax_loss, 'ours': structured_loss}
    if objective not in losses:
        raise ValueError(f'unknown objective {objective!r}; choose from {OBJECTIVES}')
    theta = start.clone()
    parameters, values = [theta.numpy().copy()], []
    for _ in range(steps):
        theta.requires_grad_(True)
        loss = losses[objective](theta)
        (gradient,) = torch.autograd.grad(loss, theta)
        theta = (theta - lr * gradient).detach()
        parameters.append(theta.numpy().copy())
        values.append(loss.item())
    parameters = np.stack(parameters)
    return Trajectory(parameters, np.diff(parameters, axis=0), np.array(values))


def verdict(trajectory: Trajectory, target: int = TARGET) -> Dict[str, object]:
    """What Sec. 5.1 claims about a run, as facts.

    Returns:
        target_always_up: Every update of theta_y is positive.
        others_always_down: Every update of every other parameter is negative.
        first_correct_step: Steps until the arg max is at y (and stays there), None if it never is.
        final_gap: theta_y minus the largest other parameter at the end.
    """
    others = np.delete(trajectory.updates, target, axis=1)
    correct = trajectory.parameters.argmax(axis=1) == target
    wrong = np.flatnonzero(~correct)
    first = 0 if not len(wrong) else int(wrong[-1]) + 1
    last = trajectory.parameters[-1]
    return dict(
        target_always_up=bool((trajectory.updates[:, target] > 0).all()),
        others_always_down=bool((others < 0).all()),
        first_correct_step=first if first < len(correct) else None,
        final_gap=float(last[target] - np.delete(last, target).max()),
    )


def plot(trajectories: Dict[str, Trajectory], steps: Sequence[int], path: str) -> None:
    """Draw Fig. 2: a row per objective, a column per step; arrows show the sign and size of the next update."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.4 * len(steps), 2.7 * len(trajectories)), layout='constrained')
    axes = figure.subplots(len(trajectories), len(steps), squeeze=False, sharey='row')
    letters = iter('abcdefghijklmnopqrstuvwxyz')
    for row, (name, run) in zip(axes, trajectories.items()):
        shown = run.parameters[list(steps)]
        span = max(np.ptp(np.append(shown, 0.0)), 1e-6)
        for axis, step in zip(row, steps):
            theta, update = run.parameters[step], run.updates[step]
            index = np.arange(len(theta))
            axis.bar(index, theta, color=['tab:green' if k == TARGET else '0.8' for k in index], width=0.7)
            size = np.abs(update).max()
            for k in index:
                up = update[k] > 0
                length = 0.3 * span * abs(update[k]) / size if size > 0 else 0
                low = max(theta[k], 0) + 0.04 * span
                start, end = (low, low + length) if up else (low + length, low)
                colour = 'tab:red' if up else 'tab:blue'
                if length > 0.015 * span:
                    axis.annotate('', (k, end), (k, start), arrowprops=dict(arrowstyle='->', color=colour, lw=1.3))
                elif size > 0:  # too small for an arrow: only the sign
                    axis.plot(k, low + 0.01 * span, marker='^' if up else 'v', color=colour, markersize=3)
            axis.axhline(0, color='0.4', lw=0.6)
            axis.set_xticks(index)
            axis.set_title(f'({next(letters)}) {TITLES.get(name, name)}, step {step}', fontsize=9)
            axis.set_ylim(min(0, shown.min()) - 0.05 * span, max(0, shown.max()) + 0.42 * span)
            axis.text(0.02, 0.96, f'largest update {size:.1g}', transform=axis.transAxes, fontsize=7, va='top')
        row[0].set_ylabel(r'$F[k] = \theta_k$')
    for axis in axes[-1]:
        axis.set_xlabel(f'k (target {TARGET} in green)')
    save_figure(figure, path, 130)


def write_csv(trajectories: Dict[str, Trajectory], path: str) -> None:
    """One line per objective and step: loss, 11 parameters, 11 updates."""
    with open(path, 'w', newline='') as file:
        writer = csv.writer(file)
        index = range(LENGTH)
        writer.writerow(['objective', 'step', 'loss', *(f'theta_{k}' for k in index), *(f'update_{k}' for k in index)])
        for name, run in trajectories.items():
            for step, update in enumerate(run.updates):
                writer.writerow([name, step, run.losses[step], *run.parameters[step], *update])


def parse_args(argv=None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__.split('\n')[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument('--steps', type=int, nargs='+', default=[10, 20, 50], help='steps to show')
    parser.add_argument('--lr', type=float, default=0.5, help='step size of gradient descent')
    parser.add_argument('--high', type=float, default=3.0, help='start: height of the peak at 9')
    parser.add_argument('--second', type=float, default=2.0, help='start: height of the peak at 1')
    parser.add_argument('--out-dir', default='work_dirs/one_d_analysis', help='folder of the results')
    args = parser.parse_args(argv)
    if min(args.steps) < 0:
        parser.error(f'--steps must not be negative, got {args.steps}')
    if args.lr <= 0:
        parser.error(f'--lr must be positive, got {args.lr}')
    return args


def main(argv=None) -> None:
    args = parse_args(argv)
    out = Path(args.out_dir)
    out.mkdir(parents=True, exist_ok=True)
    start = bimodal_start(args.high, args.second)
    # one more than the last shown step: each panel shows the update that comes next
    runs = {name: descend(name, start, max(args.steps) + 1, args.lr) for name in OBJECTIVES}
    plot(runs, args.steps, str(out / 'fig2.png'))
    write_csv(runs, str(out / 'steps.csv'))
    summary = {
        name: dict(
            verdict(run),
            shown={
                step: dict(theta=run.parameters[step].tolist(), update=run.updates[step].tolist())
                for step in args.steps
            },
        )
        for name, run in runs.items()
    }
    write_text(out / 'summary.json', json.dumps(dict(lr=args.lr, **summary), indent=1))
    for name in OBJECTIVES:
        facts = verdict(runs[name])
        print(
            f'{TITLES[name]}: theta_{TARGET} always up: {facts["target_always_up"]}, '
            f'others always down: {facts["others_always_down"]}, '
            f'arg max right from step {facts["first_correct_step"]}, final gap {facts["final_gap"]:.2f}'
        )
    print(f'written: {out}/fig2.png, steps.csv, summary.json')


if __name__ == '__main__':
    main()

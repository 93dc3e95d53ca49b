"""NME against epochs for several runs, and how much faster one converges than another (Fig. 3).

Reads the scalars that MMEngine writes during training (``<work_dir>/<timestamp>/vis_data/scalars.json``), resumed runs
included. Example:

    python tools/analysis_tools/plot_curves.py --run STAR=work_dirs/star --run Ours=work_dirs/sp \\
        --faster Ours --than STAR
"""

import argparse
from collections import OrderedDict
from typing import Dict, NamedTuple, Optional, Tuple

from mmpose_sp.utils.atomic import save_figure
from mmpose_sp.utils.training_logs import Curve, epochs_to_reach, read_curve


class Convergence(NamedTuple):
    """When two curves first reach a target value; ``ratio`` = slow / fast.

    None where it is never reached, and the ratio also where the slow run never trained: whoever is as bad as it was at
    its start is "faster" at once, which means nothing.
    """

    target: float
    fast: Optional[int]
    slow: Optional[int]
    ratio: Optional[float]
    trained: bool = True


def has_trained(curve: Curve, lower_is_better: bool = True) -> bool:
    """Whether the last value is better than the first by more than a tenth of it."""
    first, last = curve.values[0], curve.values[-1]
    return bool(last < 0.9 * first if lower_is_better else last > 1.1 * first)


def convergence(fast: Curve, slow: Curve, target: Optional[float] = None, lower_is_better: bool = True) -> Convergence:
    """Compare when two runs reach ``target``, by default the final value of the slow one (Sec. 5.2).

    The slow run is credited with the first epoch at which it reaches its own final value, not with its last epoch, so
    a schedule that ends in a plateau does not flatter the fast one.
    """
    target = float(slow.values[-1]) if target is None else target
    reached = [epochs_to_reach(curve, target, lower_is_better) for curve in (fast, slow)]
    trained = has_trained(slow, lower_is_better)
    ratio = reached[1] / reached[0] if trained and None not in reached and reached[0] > 0 else None
    return Convergence(target, reached[0], reached[1], ratio, trained)


def parse_run(text: str) -> Tuple[str, str, str]:
    """Split ``[PANEL:]LABEL=PATH`` into (panel, label, path).

    Raises:
        ValueError: No ``=``.
    """
    name, separator, path = text.partition('=')
    if not separator or not name or not path:
        raise ValueError(f'{text!r} is not [PANEL:]LABEL=PATH')
    panel, separator, label = name.rpartition(':')
    return panel, label, path


def plot(
    panels: Dict[str, Dict[str, Curve]],
    path: str,
    metric: str = 'NME',
    target: Optional[Dict[str, float]] = None,
    log_scale: bool = True,
) -> None:
    """Draw one panel per group of curves; a dashed line marks the target of the comparison."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.8 * len(panels), 3.6), layout='constrained')
    axes = figure.subplots(1, len(panels), squeeze=False)
    for axis, (title, curves) in zip(axes[0], panels.items()):
        for label, curve in curves.items():
            axis.plot(curve.epochs, curve.values, label=label, lw=1.6, marker='.' if len(curve.epochs) < 40 else None)
        if target and title in target:
            axis.axhline(target[title], color='0.5', lw=0.8, ls='--')
        if log_scale:
            axis.set_yscale('log')
            axis.yaxis.set_major_formatter('{x:g}')
            axis.yaxis.set_minor_formatter('{x:g}')
        axis.set(xlabel='epoch', ylabel=f'{metric} [%]' if metric.endswith(('NME', 'FR')) else metric, title=title)
        axis.grid(alpha=0.3, which='both')
        axis.legend()
    save_figure(figure, path, 130)


def parse_args(argv=None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        '--run',
        action='append',
        required=True,
        metavar='[PANEL:]LABEL=PATH',
        help='a work_dir or scalars.json; repeat for each run; runs of one PANEL share a plot',
    )
    parser.add_argument('--metric', default='NME', help='key of the validation metric (default: NME)')
    parser.add_argument('--faster', metavar='LABEL', help='report how much sooner this run ...')
    parser.add_argument('--than', metavar='LABEL', help='... reaches the final value of this one')
    parser.add_argument('--target', type=float, help='compare at this value instead of the final one')
    parser.add_argument('--higher-is-better', action='store_true', help='for AUC')
    parser.add_argument('--linear', action='store_true', help='a linear axis in place of a logarithmic one')
    parser.add_argument('--out', default='work_dirs/curves.png', help='figure (default: %(default)s)')
    args = parser.parse_args(argv)
    if (args.faster is None) != (args.than is None):
        parser.error('--faster and --than go together')
    try:
        args.run = [parse_run(text) for text in args.run]
    except ValueError as error:
        parser.error(f'--run {error}')
    labels = {label for _, label, _ in args.run}
    for name in (args.faster, args.than):
        if name is not None and name not in labels:
            parser.error(f'{name!r} is not the label of a --run; labels: {sorted(labels)}')
    args.parser = parser
    return args


def describe(result: Convergence, faster: str, than: str, metric: str) -> str:
    """The comparison in one sentence."""
    times = [
        f'{name} reaches it ' + (f'at epoch {epoch}' if epoch is not None else 'never')
        for name, epoch in ((faster, result.fast), (than, result.slow))
    ]
    ratio = f': {result.ratio:.2f} x faster' if result.ratio is not None else ''
    if not result.trained:
        ratio = f'; no comparison: {than} ends within a tenth of where it began, so it has not trained'
    return f'{metric} {result.target:.3f}: {", ".join(times)}{ratio}'


def main(argv=None) -> None:
    args = parse_args(argv)
    panels: Dict[str, Dict[str, Curve]] = OrderedDict()
    for panel, label, path in args.run:
        try:
            panels.setdefault(panel, OrderedDict())[label] = read_curve(path, args.metric)
        except (OSError, ValueError) as error:
            args.parser.error(str(error))
    targets = {}
    for panel, curves in panels.items():
        for label, curve in curves.items():
            best = curve.values.max() if args.higher_is_better else curve.values.min()
            print(
                f'{panel + ": " if panel else ""}{label}: {len(curve.epochs)} validations, '
                f'final {args.metric} {curve.values[-1]:.3f}, best {best:.3f}'
            )
        if args.faster in curves and args.than in curves:
            result = convergence(curves[args.faster], curves[args.than], args.target, not args.higher_is_better)
            targets[panel] = result.target
            print((panel + ': ' if panel else '') + describe(result, args.faster, args.than, args.metric))
    plot(panels, args.out, args.metric, targets, not args.linear)
    print(f'written: {args.out}')


if __name__ == '__main__':
    main()

"""Train a config over a grid of hyper-parameters (Fig. A3); run it again and it goes on where it stopped.

    python tools/analysis_tools/sweep.py CONFIG --grid eps=0.5,1,2 lambda=1,10,100 --mode axes

Every point trains with ``tools/train.py`` into a folder of its own and is scored by its best validation NME: choose on
validation faces, never on the test set. Names without a dot belong to the loss of the head (``lambda`` is its
``loss_weight``); others are config keys as in ``--cfg-options``. ``--mode product`` takes all combinations, ``axes``
varies one at a time and leaves the others at the config's value; the config as it is, ``base``, is trained once if its
own values are in the grid, and stands in each of their panels. ``--gpus 4`` trains each point by
``tools/dist_train.sh``. ``sweep.csv`` and ``sweep.png`` follow each point.
"""

import argparse
import csv
import hashlib
import inspect
import itertools
import json
import os
import re
import subprocess
import sys
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, AbstractSet, Any, Dict, List, Optional, Sequence, Set, Tuple

from tqdm import tqdm

from mmpose_sp.utils.atomic import atomic_path, save_figure, write_text
from mmpose_sp.utils.dict_action import DictAction
from mmpose_sp.utils.training_logs import read_curve

if TYPE_CHECKING:
    from mmengine.config import Config

ROOT = Path(__file__).resolve().parents[2]
LOSS = 'model.head.loss'
ALIASES = {'lambda': f'{LOSS}.loss_weight'}
RESULT, LOG = 'sweep_result.json', 'train.log'
Point = Dict[str, str]  # grid name -> value, as typed; empty: the config as it is
Values = AbstractSet[Tuple[str, str]]  # of grid name and value


def parse_grid(items: Sequence[str]) -> 'OrderedDict[str, List[str]]':
    """``NAME=VALUE,VALUE`` -> name -> values, as typed.

    Raises:
        ValueError: Not of that form, a name or a value twice.
    """
    grid: OrderedDict[str, List[str]] = OrderedDict()
    for item in items:
        name, equals, values = item.partition('=')
        parts = [value.strip() for value in values.split(',')]
        if not name or not equals or '' in parts:
            raise ValueError(f'{item!r} is not NAME=VALUE[,VALUE...]')
        if name in grid or len(set(parts)) < len(parts):
            raise ValueError(f'{item!r}: a name or a value is given twice')
        grid[name] = parts
    return grid


def option_key(name: str) -> str:
    """The config key of a grid name."""
    return ALIASES.get(name, name if '.' in name else f'{LOSS}.{name}')


def grid_points(grid: Dict[str, Sequence[str]], mode: str = 'product', own: Values = frozenset()) -> List[Point]:
    """The points to train: all combinations, or (``axes``) one name at a time, with the config's ``own`` values once
    as the empty point."""
    if mode == 'product':
        return [OrderedDict(zip(grid, values)) for values in itertools.product(*grid.values())]
    changed = [(name, value) for name, values in grid.items() for value in values if (name, value) not in own]
    return [OrderedDict()] * bool(own) + [OrderedDict([pair]) for pair in changed]


def point_name(point: Point) -> str:
    """A folder name: readable, and unique even where characters had to go."""
    if not point:
        return 'base'
    text = '_'.join(f'{name.rsplit(".", 1)[-1]}-{value}' for name, value in point.items())
    clean = re.sub(r'[^\w.+-]', '', text)[:80]
    full = json.dumps(point)
    return clean if clean == text else f'{clean}_{hashlib.sha256(full.encode()).hexdigest()[:8]}'


def read_result(folder: Path, identity: str) -> Optional[dict]:
    """The score of a finished point, None if it is not finished.

    Raises:
        ValueError: The folder belongs to another sweep (other config or options).
    """
    path = folder / RESULT
    if not path.is_file():
        return None
    result = json.loads(path.read_text())
    if result['identity'] != identity:
        raise ValueError(
            f'{folder}: trained with another config or other options; take another --work-dir, or remove this folder'
        )
    return result


def train_command(args: argparse.Namespace, point: Point, folder: Path) -> List[str]:
    """The command that trains a point, going on from its last checkpoint."""
    tools = ROOT / 'tools'
    start = (
        [sys.executable, str(tools / 'train.py'), args.config]
        if args.gpus == 1
        else [str(tools / 'dist_train.sh'), args.config, str(args.gpus)]
    )
    options = [*args.cfg_options, *(f'{option_key(name)}={value}' for name, value in point.items())]
    scale = ['--auto-scale-lr'] * args.auto_scale_lr
    return [*start, '--work-dir', str(folder), '--resume', *scale, *(['--cfg-options', *options] if options else [])]


def run_point(command: Sequence[str], point: Point, folder: Path, metric: str, identity: str) -> dict:
    """Train a point by a command and store its score.

    Raises:
        RuntimeError: Training failed; names the log.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / LOG, 'a') as log:
        code = subprocess.run(
            command, stdout=log, stderr=subprocess.STDOUT, env=dict(os.environ, PYTHON=sys.executable)
        ).returncode
    if code:
        reason = (folder / LOG).read_text(errors='replace').strip().splitlines()[-1:]
        raise RuntimeError(f'exit code {code}, {" ".join(reason)} (log: {folder / LOG})')
    curve = read_curve(str(folder), metric)
    best = curve.values.argmin() if _lower_is_better(metric) else curve.values.argmax()
    result = dict(
        point=point,
        identity=identity,
        metric=metric,
        best=float(curve.values[best]),
        best_epoch=int(curve.epochs[best]),
        final=float(curve.values[-1]),
    )
    write_text(folder / RESULT, json.dumps(result, indent=1))
    return result


def _lower_is_better(metric: str) -> bool:
    return not metric.rsplit('/', 1)[-1].upper().startswith('AUC')


def write_csv(results: Sequence[dict], names: Sequence[str], path: str) -> None:
    """One line per finished point; a name that a point leaves at the config's value is empty."""
    with atomic_path(path) as temporary, open(temporary, 'w', newline='') as file:
        writer = csv.writer(file)
        writer.writerow([*names, 'metric', 'best', 'best_epoch', 'final'])
        for result in results:
            values = [result[key] for key in ('metric', 'best', 'best_epoch', 'final')]
            writer.writerow([*(result['point'].get(name, '') for name in names), *values])


def panel_scores(results: Sequence[dict], name: str, value: str, own: Values) -> List[float]:
    """The scores of the points that have this value; the empty point has the config's ``own`` ones."""
    return [r['best'] for r in results if (r['point'].get(name) == value if r['point'] else (name, value) in own)]


def plot(results: Sequence[dict], grid: Dict[str, Sequence[str]], path: str, own: Values = frozenset()) -> None:
    """One panel per name: the metric against its values (Fig. A3). Where other names vary too, every point is drawn,
    and a line joins the best of each value."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.6 * len(grid), 3.2), layout='constrained')
    axes = figure.subplots(1, len(grid), squeeze=False, sharey=True)
    best_of = min if _lower_is_better(results[0]['metric']) else max
    for axis, (name, values) in zip(axes[0], grid.items()):
        line = []
        for position, value in enumerate(values):
            scores = panel_scores(results, name, value, own)
            axis.scatter([position] * len(scores), scores, s=14, color='0.6')
            if scores:
                line.append((position, best_of(scores)))
        axis.plot(*zip(*line) if line else ([], []), color='tab:red', marker='o', ms=4)
        axis.set_xticks(range(len(values)), values)
        axis.set_xlabel(name)
        axis.grid(alpha=0.3)
    axes[0][0].set_ylabel(f'validation {results[0]["metric"]}')
    save_figure(figure, path, 130)


def find_parent(config: 'Config', name: str) -> Any:
    """What holds the key of a grid name. The key itself may be absent: it is then left at its default.

    Raises:
        ValueError: It does not exist, so the key is misspelt; names the key, and what exists there.
    """
    *parents, _ = option_key(name).split('.')
    node: Any = config.to_dict()
    for depth, parent in enumerate(parents):
        if isinstance(node, (list, tuple)):
            if not parent.isdigit() or int(parent) >= len(node):
                raise ValueError(f'--grid {name}: {".".join(parents[:depth])} is a list of {len(node)}')
            node = node[int(parent)]
        elif isinstance(node, dict) and parent in node:
            node = node[parent]
        else:
            known = f'; it has {sorted(node)}' if isinstance(node, dict) else ''
            raise ValueError(f'--grid {name}: the config has no {".".join(parents[: depth + 1])}{known}')
    return node


def current_value(config: 'Config', name: str) -> Any:
    """What a grid name has in the config, or by the default of its class in the model; ``inspect.Parameter.empty``
    where neither tells.

    Raises:
        ValueError: A misspelt key, see :func:`find_parent`.
    """
    node, key = find_parent(config, name), option_key(name).rsplit('.', 1)[-1]
    if not isinstance(node, dict):
        return inspect.Parameter.empty
    if key in node:
        return node[key]
    from mmpose.registry import MODELS

    import mmpose_sp  # noqa: F401  registers the losses

    built = MODELS.get(node['type']) if 'type' in node and option_key(name).startswith('model.') else None
    parameters = inspect.signature(built).parameters if built else {}
    return parameters[key].default if key in parameters else inspect.Parameter.empty


def own_values(config: 'Config', grid: Dict[str, Sequence[str]]) -> Set[Tuple[str, str]]:
    """The (name, value) pairs of a grid that leave the config as it is; raises as :func:`current_value`."""
    return {
        (name, value)
        for name, values in grid.items()
        for current in [current_value(config, name)]
        for value in values
        if parse_options([f'{name}={value}'])[name] == current
    }


def parse_options(options: Sequence[str]) -> Dict[str, Any]:
    """``KEY=VALUE`` as the command line of tools/train.py reads it."""
    parser = argparse.ArgumentParser()
    parser.add_argument('options', nargs='*', action=DictAction)
    return parser.parse_args(options).options if options else {}


def parse_args(argv=None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config')
    parser.add_argument('--grid', nargs='+', required=True, metavar='NAME=V,V', help='values of each name')
    parser.add_argument('--mode', choices=('product', 'axes'), default='product')
    parser.add_argument('--metric', default='NME', help='validation metric (default: NME)')
    parser.add_argument('--work-dir', default='work_dirs/sweep')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='of every point')
    parser.add_argument('--gpus', type=int, default=1, help='processes that train a point (default: %(default)s)')
    parser.add_argument('--auto-scale-lr', action='store_true', help='see tools/train.py: the rate follows the batch')
    parser.add_argument('--dry-run', action='store_true', help='only list the points')
    parser.add_argument('--plot-only', action='store_true', help='only collect what is finished')
    args = parser.parse_args(argv)
    try:
        args.grid = parse_grid(args.grid)
    except ValueError as error:
        parser.error(f'--grid {error}')
    if args.gpus < 1:
        parser.error(f'--gpus must be at least 1, got {args.gpus}')
    args.parser = parser
    return args


def collect(results: Sequence[dict], grid: Dict[str, Sequence[str]], work_dir: Path, own: Values) -> None:
    """Write the CSV and the figure of what is finished."""
    if results:
        write_csv(results, list(grid), str(work_dir / 'sweep.csv'))
        plot(results, grid, str(work_dir / 'sweep.png'), own)


def main(argv=None) -> None:
    args = parse_args(argv)
    if not Path(args.config).is_file():
        args.parser.error(f'{args.config}: no such config')
    from mmengine.config import Config

    from mmpose_sp.utils.validation_faces import refuse_test_faces

    config = Config.fromfile(args.config)
    work_dir = Path(args.work_dir)
    # the resolved config, so that an edited one is not mixed with what it was
    settings = [config.pretty_text, args.cfg_options, args.gpus, args.auto_scale_lr]
    identity = hashlib.sha256(json.dumps(settings).encode()).hexdigest()
    config.merge_from_dict(parse_options(args.cfg_options))
    finished, failed = [], []
    try:
        refuse_test_faces(config)
        own = own_values(config, args.grid)
        points = grid_points(args.grid, args.mode, own)
        done = [read_result(work_dir / point_name(point), identity) for point in points]
    except ValueError as error:
        args.parser.error(str(error))
    print(f'{len(points)} points, {sum(result is not None for result in done)} of them finished: {work_dir}')
    if args.dry_run:
        for point, result in zip(points, done):
            print(' ', point_name(point), f'{result["best"]:.3f}' if result else 'to do')
        return
    for point, result in tqdm(list(zip(points, done)), desc='sweep', unit='point', disable=args.plot_only):
        if result is None and not args.plot_only:
            try:
                folder = work_dir / point_name(point)
                result = run_point(train_command(args, point, folder), point, folder, args.metric, identity)
            except (RuntimeError, OSError, ValueError) as error:
                failed.append(f'{point_name(point)}: {error}')  # the others are still worth it
        if result is not None:
            finished.append(result)
            collect(finished, args.grid, work_dir, own)
    for result in sorted(finished, key=lambda r: r['best'] if _lower_is_better(args.metric) else -r['best']):
        print(f'  {result["best"]:8.3f} at epoch {result["best_epoch"]:4d}  {point_name(result["point"])}')
    if finished:
        print(f'written: {work_dir}/sweep.csv, {work_dir}/sweep.png')
    if failed:
        sys.exit('failed:\n  ' + '\n  '.join(failed))


if __name__ == '__main__':
    main()

"""What came out: one page with a table, curves and CED, and one JSON file."""

from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

import numpy as np

from mmpose_sp.benchmarks.report import table
from mmpose_sp.evaluation.ced import plot_ced
from mmpose_sp.evaluation.joining import bootstrap
from mmpose_sp.evaluation.scores import ced_auc, failure_rate
from mmpose_sp.utils.atomic import save_figure, write_text
from mmpose_sp.utils.training_logs import Curve, epochs_to_reach

from .comparison import Comparison, Record
from .contestants import OURS
from .scoring import ALONE, JOINED, OFFSET, READINGS
from .step_costs import StepCost

ROWS = {ALONE: 'as the head reads', OFFSET: '+ offset of the annotations', JOINED: '+ landmarks joined'}
SHOWN = 3  # the best error times this is the upper end of the picture of the curves


class Row(NamedTuple):
    """A contestant with its tested trainings, by seed."""

    name: str
    records: Dict[int, Record]

    def errors(self, reading: str, seeds: Sequence[int]) -> np.ndarray:
        """(seeds, N) percent, of the test faces."""
        return np.array([self.records[seed]['scores'][reading]['test'] for seed in seeds])

    @property
    def curve(self) -> Curve:
        """Validation NME, mean over the seeds."""
        curves = [record['curve'] for record in self.records.values()]
        return Curve(np.array(curves[0][0]), np.mean([curve[1] for curve in curves], axis=0))


def rows_of(comparison: Comparison) -> List[Row]:
    """Contestants that were tested, the best on the validation faces first."""
    rows, known = [], comparison.records()
    for name in comparison.contestants:
        records: Dict[int, Record] = {}
        rate = comparison.rate(name)
        for record in known.values():
            if record['contestant'] == name and 'scores' in record and record['rate'] == rate:
                records[record['seed']] = record
        if records:
            rows.append(Row(name, dict(sorted(records.items()))))
    return sorted(rows, key=lambda row: np.mean([record['best'] for record in row.records.values()]))


def of_faces(errors: np.ndarray, threshold: float) -> Dict[str, np.ndarray]:
    """What each face adds to NME, FR and AUC, which are means over faces: the area under a CED is that of one step a
    face, from its error to the threshold."""
    return {'NME': errors, 'FR': 100.0 * (errors > threshold), 'AUC': (1 - errors / threshold).clip(min=0)}


def compare(row: Row, ours: Row, reading: str, threshold: float) -> Dict[str, str]:
    """By how much NME, FR and AUC of a contestant lie above ours, with 95% intervals, over the seeds that both have."""
    seeds = sorted(set(row.records) & set(ours.records))
    theirs, mine = (of_faces(each.errors(reading, seeds), threshold) for each in (row, ours))
    compared = seeds and row.name != OURS
    return {f'{name} above ours': interval(theirs[name] - mine[name]) if compared else '' for name in theirs}


def interval(values: np.ndarray) -> str:
    """Mean of (seeds, N) values, and its 95% interval by drawing faces again."""
    low, high = bootstrap(values.mean(axis=0))
    return f'{values.mean():+.3f} [{low:.3f}, {high:.3f}]'


def spread(values: Sequence[float], digits: int) -> str:
    """Mean, and the standard deviation of a few."""
    text = f'{np.mean(values):.{digits}f}'
    return text + (f' ({np.std(values, ddof=1):.{digits}f})' if len(values) > 1 else '')


def result_table(comparison: Comparison, rows: List[Row], reading: str, threshold: float) -> str:
    """Markdown of NME, FR and AUC of the test faces under a reading; ours against each."""
    ours = next((row for row in rows if row.name == OURS), None)
    lines: List[Dict[str, Any]] = []
    for row in rows:
        errors = row.errors(reading, list(row.records))
        line: Dict[str, Any] = {
            'head': comparison.contestants[row.name].title,
            'seeds': len(errors),
            'validation': spread([np.mean(r['scores'][reading]['val']) for r in row.records.values()], 3),
            'NME': spread(errors.mean(axis=1), 3),
            'FR': spread([failure_rate(face, threshold) for face in errors], 2),
            'AUC': spread([ced_auc(face, threshold) for face in errors], 3),
        }
        if ours:
            line.update(compare(row, ours, reading, threshold))
        lines.append(line)
    return table(lines)


def summary_table(comparison: Comparison, rows: List[Row], threshold: float) -> str:
    """Markdown of NME / FR / AUC of the test faces, means over the seeds: what a README quotes."""
    lines: List[Dict[str, Any]] = []
    for row in rows:
        line: Dict[str, Any] = {'head': comparison.contestants[row.name].title, 'seeds': len(row.records)}
        for reading, title in ((ALONE, 'alone: NME / FR / AUC'), (JOINED, 'joined')):
            errors = row.errors(reading, list(row.records))
            fr, auc = (np.mean([score(face, threshold) for face in errors]) for score in (failure_rate, ced_auc))
            line[title] = f'{errors.mean():.2f} / {fr:.1f} / {auc:.3f}'
        lines.append(line)
    return table(lines)


def cost_table(comparison: Comparison, rows: List[Row]) -> str:
    """Markdown of what a training costs, and when it passes the final validation NME of others."""
    targets = {name: row for name in ('star', 'softargmax') for row in rows if row.name == name}
    rival = next((row for row in rows if not row.name.startswith(OURS)), None)
    if rival:
        targets.setdefault(rival.name, rival)
    lines = []
    for row in rows:
        record = next(iter(row.records.values()))
        tried = comparison.contestants[row.name].variant_of or row.name
        line: Dict[str, Any] = {
            'head': comparison.contestants[row.name].title,
            'needs': comparison.contestants[row.name].needs,
            'M weights': f'{record["scores"]["parameters"] / 1e6:.2f}',
            'learning rate': f'{record["rate"]:g}',
            'commit': ', '.join(dict.fromkeys(r['commit'] for r in row.records.values() if 'commit' in r)),
            'trials': ', '.join(_trial(comparison, trial) for trial in comparison.trials(tried)),
            'confidence AUROC': f'{np.mean([r["scores"]["auroc"] for r in row.records.values()]):.3f}',
        }
        cost = StepCost(*comparison.costs[row.name]) if row.name in comparison.costs else None
        if cost:
            line.update(
                {'ms a step': f'{cost.ms:.0f}', 'of ours': f'{cost.over_ours:.2f}', 'MB': f'{cost.megabytes:.0f}'}
            )
        for name, target in targets.items():
            epoch = epochs_to_reach(row.curve, float(target.curve.values[-1]))
            seconds = f' ({epoch * cost.steps * cost.ms / 1e3:.0f} s)' if cost and epoch is not None else ''
            line[f'epochs to {comparison.contestants[name].title}'] = '' if epoch is None else f'{epoch}{seconds}'
        lines.append(line)
    return table(lines)


def _trial(comparison: Comparison, trial: Record) -> str:
    text, whole = f'{trial["rate"]:g}: {_shown(trial["best"])}', comparison.collapse(trial)
    return f'{text} (whole training: {_shown(whole["best"])})' if whole else text


def _shown(best: Optional[float]) -> str:
    return 'diverged' if best is None else f'{best:.2f}'


def draw_curves(comparison: Comparison, rows: List[Row], path: Path) -> None:
    """Validation NME against epochs, up to :data:`SHOWN` times the best."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(8.4, 5), layout='constrained')
    axes = figure.add_subplot()
    for number, row in enumerate(rows):
        mine = row.name == OURS
        axes.plot(
            row.curve.epochs,
            row.curve.values,
            label=comparison.contestants[row.name].title,
            color='black' if mine else f'C{number % 10}',
            lw=2.4 if mine else 1.2,
            ls='-' if number < 10 else '--',
        )
    axes.set(xlabel='epoch', ylabel='NME of the validation faces [%]', yscale='log')
    axes.set_ylim(top=SHOWN * min(row.curve.values.min() for row in rows))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_formatter('{x:g}')
    axes.yaxis.set_minor_formatter('{x:g}')
    axes.grid(alpha=0.3, which='both')
    axes.legend(fontsize='small', loc='center left', bbox_to_anchor=(1, 0.5))
    save_figure(figure, path, dpi=110)


def write(comparison: Comparison, out: Path, heading: str, command: str, threshold: float) -> None:
    """The page ``out`` (.md), its pictures beside it, and the JSON of the comparison.

    Args:
        comparison: With what it knows.
        out: ``.md``.
        heading: Of the page.
        command: That makes it.
        threshold: Of FR and AUC, percent.
    """
    comparison.save()
    rows = rows_of(comparison)
    parts = [heading]
    if rows:
        curves, ced = (out.with_name(f'{out.stem}_{name}.png') for name in ('curves', 'ced'))
        # variants of ours lie on one another
        heads = [row for row in rows if not comparison.contestants[row.name].variant_of]
        draw_curves(comparison, heads, curves)
        shown = {comparison.contestants[row.name].title: row.errors(JOINED, [min(row.records)])[0] for row in heads[:8]}
        plot_ced(shown, threshold, str(ced), title='joined, first seed')
        parts += [summary_table(comparison, rows, threshold)]
        parts += [f'## {ROWS[r].capitalize()}\n\n{result_table(comparison, rows, r, threshold)}' for r in READINGS]
        parts += [f'## Costs and speed\n\n{cost_table(comparison, rows)}']
        parts += [f'![NME against epochs]({curves.name})\n\n![CED]({ced.name})']
    trials = {name: comparison.trials(name) for name in comparison.contestants}
    waiting = [name for name in comparison.contestants if not any(row.name == name for row in rows)]
    if waiting:
        tried = {name: {r['rate']: _shown(r['best']) for r in trials[name]} for name in waiting}
        rates = sorted({rate for of in tried.values() for rate in of})
        lines = [
            {'head': comparison.contestants[name].title, **{f'{rate:g}': tried[name].get(rate, '') for rate in rates}}
            for name in waiting
        ]
        parts += [f'## Not tested yet\n\nValidation NME of the trials, by learning rate.\n\n{table(lines)}']
    parts += [f'```bash\n{command}\n```']
    write_text(out, '\n\n'.join(parts) + '\n')

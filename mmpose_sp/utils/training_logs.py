"""What MMEngine logged during training: ``<work_dir>/<timestamp>/vis_data/scalars.json``, resumed runs included."""

import json
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional

import numpy as np


class Curve(NamedTuple):
    """A validation metric over training: ``epochs`` (n,) increasing, ``values`` (n,)."""

    epochs: np.ndarray
    values: np.ndarray


def find_logs(path: str) -> List[Path]:
    """The scalar files of a run, oldest first: a file itself, or all below a work directory.

    Raises:
        FileNotFoundError: Nothing there.
    """
    root = Path(path)
    if root.is_file():
        return [root]
    logs = sorted(root.glob('**/vis_data/scalars.json'))
    if not logs:
        raise FileNotFoundError(f'{path}: no vis_data/scalars.json below it; give the work_dir of a training run')
    return logs


def read_curve(path: str, metric: str = 'NME') -> Curve:
    """Read one metric of a run.

    A resumed run overwrites the epochs that it repeats.

    Raises:
        ValueError: A line that is not JSON, or no value of this metric; the message lists the keys found.
    """
    points: Dict[int, float] = {}
    keys = set()
    for log in find_logs(path):
        records = _read_lines(log)
        keys.update(key for record in records for key in record)
        for record in records:
            if metric in record:
                points[int(record['step'])] = float(record[metric])
    if not points:
        candidates = sorted(key for key in keys if key.rsplit('/', 1)[-1] == metric.rsplit('/', 1)[-1])
        hint = f'did you mean --metric {" or ".join(candidates)}?' if candidates else f'it has {sorted(keys)}'
        raise ValueError(f'{path}: no value of {metric!r}; {hint}')
    epochs = np.array(sorted(points))
    return Curve(epochs, np.array([points[e] for e in epochs]))


def epochs_to_reach(curve: Curve, target: float, lower_is_better: bool = True) -> Optional[int]:
    """First epoch whose value is at least as good as ``target``; None if no epoch is."""
    good = curve.values <= target if lower_is_better else curve.values >= target
    return int(curve.epochs[good.argmax()]) if good.any() else None


def _read_lines(log: Path) -> List[dict]:
    lines = log.read_text().splitlines()
    records = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError as error:
            if number == len(lines):  # a run that is still writing, or was killed
                break
            raise ValueError(f'{log}, line {number}: not JSON ({error})') from error
    return records

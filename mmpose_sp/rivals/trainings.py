"""One training as a process of its own, resumed where it stopped, and the record that it leaves."""

import contextlib
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, Iterator, Optional

from mmengine.config import Config

from mmpose_sp.cli import tools_folder
from mmpose_sp.utils.atomic import write_text
from mmpose_sp.utils.training_logs import read_curve

RECORD, CONFIG, LOG, LOCK = 'record.json', 'config.py', 'train.log', 'lock'
DIVERGED = 'FloatingPointError'  # of FiniteHook
IGNORED = ('num_workers', 'persistent_workers')  # what does not change a training


def identity(config: Config) -> str:
    """A fingerprint of all that a config says but for its loader processes, for no training to be taken for another."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(value[key]) for key in sorted(value) if key not in IGNORED}
        return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value

    keys = (
        'model',
        'train_dataloader',
        'val_dataloader',
        'optim_wrapper',
        'param_scheduler',
        'train_cfg',
        'randomness',
    )
    said = {key: plain(config[key].to_dict() if hasattr(config[key], 'to_dict') else config[key]) for key in keys}
    return hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()[:16]


@contextlib.contextmanager
def claim(folder: Path) -> Iterator[bool]:
    """Whether this process may work in a folder: True for one process at a time, and free again when it ends, killed
    or not."""
    import fcntl

    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / LOCK, 'w') as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def best_checkpoint(folder: Path) -> Path:
    """The weights of the best validation.

    Raises:
        FileNotFoundError: There are none.
    """
    found = sorted(folder.glob('best_NME_epoch_*.pth'), key=lambda path: path.stat().st_mtime)
    if not found:
        raise FileNotFoundError(f'{folder}: no best_NME_epoch_*.pth; remove this folder, and it trains again')
    return found[-1]


def train(config: Config, folder: Path) -> Dict[str, Any]:
    """Train, or go on; what the training said.

    Returns:
        ``curve``: epochs and validation NME; ``best``. A training that diverged has ``best`` None and an ``error``.

    Raises:
        RuntimeError: It ended in another way before its time; names the log.
    """
    config.dump(str(folder / CONFIG))
    command = [
        sys.executable,
        str(tools_folder() / 'train.py'),
        str(folder / CONFIG),
        '--work-dir',
        str(folder),
        '--resume',
    ]
    with open(folder / LOG, 'a') as log:
        code = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, env=os.environ.copy()).returncode
    if code:
        last = ' '.join((folder / LOG).read_text(errors='replace').strip().splitlines()[-1:])
        if last.startswith(DIVERGED):
            return dict(best=None, error=last.split('The training stops here')[0].strip())
        raise RuntimeError(f'exit code {code}, {last[:300]} (log: {folder / LOG})')
    curve = read_curve(str(folder))
    return dict(
        curve=[curve.epochs.tolist(), [round(float(value), 4) for value in curve.values]],
        best=round(float(curve.values.min()), 4),
    )


def write_record(record: Dict[str, Any], folder: Path) -> None:
    """Keep what is known of a training beside it."""
    write_text(folder / RECORD, json.dumps(record))


def read_record(folder: Path) -> Optional[Dict[str, Any]]:
    """What :func:`write_record` kept, None if nothing."""
    path = folder / RECORD
    return json.loads(path.read_text()) if path.is_file() else None

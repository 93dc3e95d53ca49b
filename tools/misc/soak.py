"""Kill a short training at random moments, over and over: each time it is resumed, and it ends with the weights of the
undisturbed one, bit for bit.

    python tools/misc/soak.py --kills 1000

Renders a few faces, trains the demonstration's network on them for some epochs (with augmentation, batch normalisation,
averaged weights, processes that load data, `save_best`), then does so again under fire: four of five ends are kill -9,
every fifth is SIGTERM, at which a training must save and leave with the status 75. After each, every checkpoint has to
be whole, and last_checkpoint has to name one. A training that comes to its end is compared and started anew. It stops
at the first failure, with status 1, and leaves the folder as it is. Allow a few seconds per kill.
"""

import argparse
import contextlib
import io
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Dict, Optional

CONFIG = 'face_2d_keypoint/topdown_heatmap/synthetic/td-hm_lite-unet_sp-1xb16-12e_synthetic-wflw-128x128.py'
# One that was at its end ends well, one that had not begun has nothing to save.
STATUSES = {signal.SIGKILL: (-signal.SIGKILL,), signal.SIGTERM: (75, 0, -signal.SIGTERM)}


def make_config(folder: Path, epochs: int, workers: int) -> Any:
    """Faces in ``folder`` and a config that trains on them in seconds."""
    from mmengine.config import Config

    from mmpose_sp.convert import wflw
    from mmpose_sp.datasets.synthetic.writers import write_synthetic_faces
    from mmpose_sp.utils.config_names import find_config

    # Every checkpoint has the config's text, and laying that out takes longer than all the rest here.
    Config.pretty_text = property(lambda config: str(config._cfg_dict))
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        write_synthetic_faces(folder / 'raw', 'wflw', num_train=9, num_test=3, size=96)
        wflw.main([str(folder / 'raw'), str(folder / 'data'), '--val-fraction', '0.3'])
    config = Config.fromfile(find_config(CONFIG))
    for name in ('train_dataloader', 'val_dataloader'):
        config[name].update(batch_size=2, num_workers=workers, persistent_workers=workers > 0)
        config[name].dataset.data_root = f'{folder / "data"}/'
    config.train_cfg.update(max_epochs=epochs, val_interval=2)
    config.default_hooks.checkpoint.update(interval=1, max_keep_ckpts=1)
    config.test_dataloader = config.test_cfg = config.test_evaluator = None
    config.randomness = dict(seed=0)
    config.log_level = 'WARNING'
    return config


def start(config: Any, work_dir: Path, log: Path) -> int:
    """A process that trains, or goes on; its number."""
    child = os.fork()  # of one that has imported everything: a start costs no seconds
    if child:
        return child
    status = 1
    try:
        with open(log, 'a') as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        from mmengine.runner import Runner

        config.work_dir, config.resume = str(work_dir), True
        Runner.from_cfg(config).train()
        status = 0
    except SystemExit as error:
        status = int(error.code or 0)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        os._exit(status)


def wait(child: int, seconds: Optional[float] = None) -> Optional[int]:
    """The status of a process, as subprocess has it; None if it still runs after some seconds."""
    until = None if seconds is None else time.monotonic() + seconds
    while until is None or time.monotonic() < until:
        done, status = os.waitpid(child, 0 if until is None else os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    return None


def result(work_dir: Path, epochs: int) -> Dict[str, Any]:
    """Weights, averaged weights and the optimizer's moments of the last epoch, by name."""
    import torch

    loaded = torch.load(work_dir / f'epoch_{epochs}.pth', map_location='cpu')
    found = {f'{part}.{key}': value for part in ('state_dict', 'ema_state_dict') for key, value in loaded[part].items()}
    for number, moments in loaded['optimizer']['state'].items():
        found.update({f'optimizer.{number}.{key}': value for key, value in moments.items()})
    return found


def difference(work_dir: Path, expected: Path, epochs: int) -> str:
    """What two trainings differ in; '' for nothing."""
    import torch

    first, second = result(work_dir, epochs), result(expected, epochs)
    different = [key for key in first if key not in second or not torch.equal(first[key], second[key])]
    best = [sorted(path.name for path in folder.glob('[!.]*.pth')) for folder in (work_dir, expected)]
    if different or first.keys() != second.keys():
        return f'{len(different)} of {len(first)} tensors differ, such as {different[:1]}'
    return '' if best[0] == best[1] else f'checkpoints {best[0]} instead of {best[1]}'


def damage(work_dir: Path) -> str:
    """What is wrong with the files that a kill has left; '' for nothing."""
    from mmpose_sp.utils.checkpoint_files import check_whole

    for path in work_dir.glob('[!.]*.pth'):
        try:
            check_whole(str(path))
        except ValueError as error:
            return str(error)
    last = work_dir / 'last_checkpoint'
    if last.exists() and not Path(last.read_text()).is_file():
        return f'last_checkpoint names {last.read_text()!r}, which is not there'
    return ''


def soak(args: argparse.Namespace, folder: Path) -> str:
    """What went wrong; '' for nothing."""
    import mmpose_sp.registration  # noqa: F401

    config = make_config(folder, args.epochs, args.workers)
    began = time.monotonic()
    if wait(start(config, folder / 'whole', folder / 'whole.log')) != 0:
        return f'the undisturbed training failed, see {folder / "whole.log"}'
    duration = time.monotonic() - began
    print(f'undisturbed: {args.epochs} epochs in {duration:.1f} s', flush=True)
    rng, kills, finished, resumed = random.Random(args.seed), 0, 0, 0
    work_dir = folder / 'work'
    while kills < args.kills or not finished or work_dir.exists():
        number = signal.SIGTERM if kills % 5 == 4 else signal.SIGKILL
        child = start(config, work_dir, folder / 'work.log')
        status = wait(child, rng.uniform(0, duration) if kills < args.kills else None)
        if status is None:
            os.kill(child, number)
            status, kills = wait(child), kills + 1
            resumed += (work_dir / 'last_checkpoint').exists()
            if status not in (0, *STATUSES[number]):  # 0: it came to its end before the signal came to it
                return f'kill {kills} ({number.name}): status {status}, see {folder / "work.log"}'
        elif status != 0:
            return f'the resumed training ended with status {status}, see {folder / "work.log"}'
        failed = damage(work_dir)
        if status == 0:
            failed, finished = failed or difference(work_dir, folder / 'whole', args.epochs), finished + 1
        if failed:
            return f'after kill {kills} ({number.name}): {failed}; files in {work_dir}'
        if status == 0:
            shutil.rmtree(work_dir)
        elif kills % args.report == 0:
            print(f'{kills} kills, {resumed} with a checkpoint, {finished} trainings ended equal', flush=True)
    print(f'{kills} kills, {resumed} with a checkpoint: {finished} trainings ended with the same weights, bit for bit')
    return ''


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--kills', type=int, default=1000, help='how many (default: %(default)s)')
    parser.add_argument('--epochs', type=int, default=4, help='of the training (default: %(default)s)')
    parser.add_argument('--workers', type=int, default=1, help='processes that load data (default: %(default)s)')
    parser.add_argument('--seed', type=int, default=0, help='of the moments (default: %(default)s)')
    parser.add_argument('--report', type=int, default=10, help='kills between two lines (default: %(default)s)')
    parser.add_argument('--work-dir', type=Path, help='where to work; it is kept (default: a temporary folder)')
    args = parser.parse_args()
    if args.work_dir is None:
        folder = Path(tempfile.mkdtemp(prefix='soak-'))
    else:
        folder = args.work_dir
        folder.mkdir(parents=True)
    failed = soak(args, folder.resolve())
    if failed:
        print(f'FAILED: {failed}', file=sys.stderr)
        return 1
    if args.work_dir is None:
        shutil.rmtree(folder)
    return 0


if __name__ == '__main__':
    sys.exit(main())

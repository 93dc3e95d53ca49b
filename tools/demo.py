"""The whole way in a few minutes: faces, annotations, training, test, table and pictures. ``make demo`` runs it.

Everything is synthetic, nothing is downloaded. What is finished is not done again: an interrupted demo goes on where it
stopped, and ``--fresh`` starts over.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple

from tqdm import tqdm

ROOT = Path(__file__).resolve().parents[1]
CONFIG = 'configs/face_2d_keypoint/topdown_heatmap/synthetic/td-hm_lite-unet_sp-1xb16-12e_synthetic-wflw-128x128.py'
STAMP = '.demo_stamp'
# "Epoch(train)  [3][20/34]", "Epoch(val) [2][2/2]  NME: 8.1 ...", "Epoch(test) [4/4]"
LOG_LINE = re.compile(r'Epoch\((train|val|test)\)\s+(?:\[(\d+)\])?\[\s*(\d+)/(\d+)\]')
LOG_VALUE = re.compile(r'(?<![\w/])(loss|NME): ([\d.]+)')


class DemoError(RuntimeError):
    """A stage failed; the message says which, why, and where its log is."""


def fingerprint(settings: dict, sources: Sequence[str]) -> str:
    """Hash of settings and of source files or folders (relative to the repository), for stamps."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for source in sources:
        path = ROOT / source
        for file in sorted(path.rglob('*.py')) if path.is_dir() else [path]:
            digest.update(file.read_bytes())
    return digest.hexdigest()


def is_done(folder: Path, stamp: str) -> bool:
    """Whether a stage has finished in this folder with this fingerprint."""
    path = folder / STAMP
    return path.is_file() and path.read_text() == stamp


def mark_done(folder: Path, stamp: str) -> None:
    """Remember that the stage which writes this folder has finished."""
    (folder / STAMP).write_text(stamp)


def say(text: str) -> None:
    print(f'\n=== {text}', flush=True)


def tail(path: Path, lines: int = 15) -> str:
    return '\n'.join(path.read_text(errors='replace').splitlines()[-lines:])


def run(command: Sequence[str], stage: str) -> None:
    """Run a command whose own progress bar goes to the terminal; its other output goes there too."""
    code = subprocess.run([sys.executable, *command], cwd=ROOT, env=environment()).returncode
    if code:
        raise DemoError(
            f'{stage} failed (exit code {code}); the reason stands above.\n  To repeat it: python {" ".join(command)}'
        )


def run_logged(command: Sequence[str], log: Path, stage: str, epochs: int = 1) -> None:
    """Run tools/train.py or tools/test.py: its log goes to a file, a progress bar follows it.

    Raises:
        DemoError: The command failed; the end of its log is part of the message.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    pipe = dict(stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors='replace')
    process = subprocess.Popen([sys.executable, *command], cwd=ROOT, env=environment(), **pipe)
    form = '{desc}{percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}'
    unit = 'epoch' if epochs > 1 else 'pass'
    bar = tqdm(total=epochs, desc=f'{stage} (starting)', unit=unit, bar_format=form)
    shown: Dict[str, str] = {}
    try:
        with open(log, 'w') as file, bar:
            for line in process.stdout:
                file.write(line)
                file.flush()
                position = progress_of(line)
                if position is None:
                    continue
                bar.n = max(bar.n, min(position, epochs))
                shown.update(LOG_VALUE.findall(line))
                bar.set_description(stage, refresh=False)
                bar.set_postfix(shown)
            code = process.wait()
            if code == 0:
                bar.n = bar.total
    finally:
        if process.poll() is None:  # an interrupt reaches the process too, and lets it end in order
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.terminate()
    if code:
        raise DemoError(f'{stage} failed (exit code {code}). End of {log}:\n{tail(log)}')


def progress_of(line: str) -> Optional[float]:
    """Epochs that are done at a line of MMEngine's log; None for lines without progress (validation has none)."""
    match = LOG_LINE.search(line)
    if match is None:
        return None
    kind, epoch, step, steps = match[1], match[2], int(match[3]), int(match[4])
    if kind == 'test':
        return step / steps
    # a validation comes after its epoch
    return int(epoch) - 1 + step / steps if kind == 'train' else float(epoch)


def environment() -> Dict[str, str]:
    """Environment of the stages. Threads that outnumber the cores, which loaders need as well, wait for each other."""
    threads = max(1, (os.cpu_count() or 2) // 2)
    return dict(
        os.environ,
        OMP_NUM_THREADS=os.environ.get('OMP_NUM_THREADS', str(threads)),
        PYTHONPATH=os.pathsep.join(filter(None, [str(ROOT), os.environ.get('PYTHONPATH')])),
        # mmengine's, at every start
        PYTHONWARNINGS='ignore:pkg_resources is deprecated:UserWarning',
    )


def make_data(args: argparse.Namespace) -> Tuple[Path, str]:
    """Stages 1 and 2: faces in WFLW's raw layout, then the annotation files that the configs read."""
    raw, data = args.data_dir / 'synthetic_raw' / 'wflw', args.data_dir / 'synthetic_wflw'
    settings = dict(train=args.num_train, test=args.num_test, seed=args.seed)
    stamp = fingerprint(settings, ['mmpose_sp/datasets/synthetic', 'tools/dataset_converters/synthetic_faces.py'])
    say(f'1/6 Rendering {args.num_train} + {args.num_test} faces in the raw layout of WFLW: {raw}')
    if is_done(raw, stamp):
        print('already there')
    else:
        options = f'--num-train {args.num_train} --num-test {args.num_test} --seed {args.seed} --workers {args.workers}'
        command = ['tools/dataset_converters/synthetic_faces.py', str(raw), '--layout', 'wflw', '--overwrite']
        run([*command, *options.split()], 'rendering')
        mark_done(raw, stamp)

    say(f'2/6 Converting them with tools/dataset_converters/wflw2coco.py: {data}')
    converters = sorted(f'mmpose_sp/convert/{path.name}' for path in (ROOT / 'mmpose_sp' / 'convert').glob('*.py'))
    stamp = fingerprint(dict(raw=stamp), converters)
    if is_done(data, stamp):
        print('already there')
    else:
        # a folder of the demo's own: what an older one left would be mixed in
        shutil.rmtree(data, ignore_errors=True)
        print('The converter will warn that this is not the whole of WFLW; it is not meant to be.')
        run(['tools/dataset_converters/wflw2coco.py', str(raw), str(data), '--val-fraction', '0.1'], 'conversion')
        mark_done(data, stamp)
    return data, stamp


def config_options(args: argparse.Namespace, data: Path) -> List[str]:
    options = [f'{part}_dataloader.dataset.data_root={data}/' for part in ('train', 'val', 'test')]
    if args.epochs:
        options.append(f'train_cfg.max_epochs={args.epochs}')
    return options


def train(args: argparse.Namespace, data: Path, data_stamp: str) -> Path:
    """Stage 3; returns the best checkpoint by the validation faces."""
    from mmengine.config import Config

    work_dir = args.work_dir / 'train'
    options = config_options(args, data)
    config = Config.fromfile(ROOT / CONFIG)
    epochs = args.epochs or config.train_cfg.max_epochs
    stamp = fingerprint(dict(data=data_stamp, config=config.pretty_text, options=options), [])
    say(f'3/6 Training {Path(CONFIG).stem} for {epochs} epochs: {work_dir}')
    if is_done(work_dir, stamp):
        print('already trained (--fresh trains again)')
    else:
        started = work_dir / '.demo_started'
        if started.is_file() and started.read_text() == stamp:
            print('going on where the last run stopped')
        else:
            shutil.rmtree(work_dir, ignore_errors=True)
            work_dir.mkdir(parents=True)
            started.write_text(stamp)
        options = ['--resume', '--cfg-options', 'default_hooks.logger.interval=5', *options]
        command = ['tools/train.py', CONFIG, '--work-dir', str(work_dir), *options]
        run_logged(command, args.work_dir / 'train.log', 'training', epochs)
        mark_done(work_dir, stamp)
    best = sorted(work_dir.glob('best_NME_epoch_*.pth'))
    if not best:
        raise DemoError(f'{work_dir}: training left no best checkpoint; see {args.work_dir / "train.log"}')
    return best[-1]


def test(args: argparse.Namespace, data: Path, checkpoint: Path) -> Path:
    """Stage 4; returns the folder with metrics, errors, predictions and the CED plot."""
    out = args.work_dir / 'test'
    say(f'4/6 Testing {checkpoint.name}: {out}')
    files = {'--work-dir': out, '--out': out / 'metrics.json', '--dump': out / 'predictions.pkl'}
    options = [word for option, path in files.items() for word in (option, str(path))]
    options += ['--cfg-options', 'default_hooks.logger.interval=1', *config_options(args, data)]
    options += [
        f'test_evaluator.0.{key}_file={out / name}' for key, name in (('errors', 'errors.json'), ('ced', 'ced.png'))
    ]
    run_logged(['tools/test.py', CONFIG, str(checkpoint), *options], args.work_dir / 'test.log', 'testing')
    return out


def results_table(results: dict) -> str:
    """NME / FR / AUC of the full set and the six subsets, from the file of errors."""
    from mmpose_sp.evaluation.table import score_table
    from mmpose_sp.faces import find_scheme

    faces = results['faces']
    counts = {name: sum(name in face['subsets'] for face in faces) for name in find_scheme('wflw').subsets}
    title = 'Synthetic WFLW, test faces (inter-ocular; FR and AUC at 10%)'
    return score_table(results['metrics'], {'full': len(faces), **counts}, title)


def draw(args: argparse.Namespace, data: Path, out: Path) -> List[Path]:
    """Stage 5: sheets of predictions and the label smoothing; returns the pictures."""
    import numpy as np

    from mmpose_sp import visualization as vis
    from mmpose_sp.codecs import ImageAwareLabelSmoothing
    from mmpose_sp.faces import find_scheme, transform_points
    from mmpose_sp.faces.annotation_files import read_annotations
    from mmpose_sp.utils.images import read_image

    say(f'5/6 Drawing: {args.work_dir}')
    errors = {face['id']: face['nme'] for face in json.loads((out / 'errors.json').read_text())['faces']}
    faces = vis.load_predictions(str(out / 'predictions.pkl'), errors)
    pictures = [args.work_dir / f'{name}.png' for name in ('predictions', 'subsets', 'confidence', 'label_smoothing')]
    steps = tqdm(pictures, desc='drawing', unit='picture')
    chosen = vis.select_faces(faces, 12, 'spread')
    title = 'ground truth green, prediction red; from the smallest to the largest error'
    for path in steps:
        if path.stem == 'predictions':
            vis.write_image(str(path), vis.prediction_sheet(chosen, title))
        elif path.stem == 'subsets':
            vis.write_image(str(path), vis.subset_overview(faces, title='ground truth green, prediction red'))
        elif path.stem == 'confidence':
            title = 'confidence: red 0, yellow 0.5, green 1'
            vis.write_image(str(path), vis.prediction_sheet(chosen, title, style='confidence'))
        else:
            annotated = read_annotations(str(data / 'annotations' / 'face_landmarks_wflw_test.json'))
            # a face without any attribute shows the smoothing best
            face = min(annotated, key=lambda face: len(face.subsets))
            codec = ImageAwareLabelSmoothing((256, 256), (64, 64), 'wflw')
            crop, matrix = vis.crop_around(read_image(face.image), face.landmarks, codec.input_size[0])
            landmarks = transform_points(face.landmarks, matrix).astype(np.float32)
            vis.plot_stages(crop, landmarks, codec, find_scheme('wflw').shown, str(path))
    return pictures


def real_face(path: Path) -> Optional[Path]:
    """Stage 6: the model that comes with mmpose_sp on a photograph of a real person; returns the picture.

    The photo is NASA's of astronaut Eileen Collins, in the public domain, as scikit-image ships it. Left: what was
    found; right: the face with the 95% ellipses.
    """
    say(f'6/6 The packaged model on a photograph: {path}')
    try:
        from skimage.data import astronaut
    except ImportError:
        print('left out: the photograph comes with scikit-image, which is not installed: pip install -e .[photo]')
        return None
    import numpy as np

    from mmpose_sp import visualization as vis
    from mmpose_sp.apis import FaceLandmarker, ImageResult, draw_result

    landmarker = FaceLandmarker.from_packaged(device='cpu')
    (result,) = landmarker(astronaut()[..., ::-1].copy(), keep_image=True)
    if not result.faces:
        raise DemoError('no face was found in the photograph of the astronaut')
    face = result.faces[0]
    whole = draw_result(result.image, result, ('boxes', 'landmarks'))
    close, matrix = vis.crop_around(result.image, face.landmarks, len(whole), padding=1.35)
    layers = ('boundaries', 'ellipses', 'confidence')
    close = draw_result(close, ImageResult('close-up', [face.moved(matrix)]), layers, landmarker.boundaries)
    vis.write_image(str(path), np.concatenate([whole, close], axis=1))
    print(f'{len(result.faces)} face, mean confidence {face.confidence.mean():.2f}')
    return path


def parse_args(argv=None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--fresh', action='store_true', help='forget earlier runs: render, convert and train again')
    parser.add_argument('--num-train', type=int, default=600, help='faces to train on (default: %(default)s)')
    parser.add_argument('--num-test', type=int, default=120, help='faces to test on (default: %(default)s)')
    parser.add_argument('--seed', type=int, default=0, help='of the faces (default: %(default)s)')
    parser.add_argument('--epochs', type=int, help='stop after so many epochs (for a quick look)')
    parser.add_argument('--workers', type=int, default=min(4, os.cpu_count() or 1), help='processes that render')
    parser.add_argument('--data-dir', type=Path, default=Path('data'), help='folder of the faces (default: data)')
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/demo'), help='results (default: %(default)s)')
    args = parser.parse_args(argv)
    for name in ('num_train', 'num_test'):
        if getattr(args, name) < 10:
            parser.error(f'--{name.replace("_", "-")} must be at least 10')
    return args


def main(argv=None) -> None:
    args = parse_args(argv)
    os.chdir(ROOT)
    warnings.filterwarnings('ignore', 'pkg_resources is deprecated')
    begin = time.monotonic()
    if args.fresh:
        for folder in (args.data_dir / 'synthetic_raw' / 'wflw', args.data_dir / 'synthetic_wflw', args.work_dir):
            shutil.rmtree(folder, ignore_errors=True)
    try:
        data, stamp = make_data(args)
        checkpoint = train(args, data, stamp)
        out = test(args, data, checkpoint)
        pictures = draw(args, data, out)
        astronaut = real_face(args.work_dir / 'astronaut.png')
        pictures += [astronaut] if astronaut else []
    except DemoError as error:
        sys.exit(f'\nerror: {error}')
    except KeyboardInterrupt:
        sys.exit('\ninterrupted; the same command goes on from here')
    print(results_table(json.loads((out / 'errors.json').read_text())))
    print(f'Done in {(time.monotonic() - begin) / 60:.1f} min. Written:')
    for what, path in (
        ('checkpoint', checkpoint),
        ('metrics', out / 'metrics.json'),
        ('errors', out / 'errors.json'),
        ('CED plot', out / 'ced.png'),
        *((p.stem.replace('_', ' '), p) for p in pictures),
    ):
        print(f'  {what:16} {path}')


if __name__ == '__main__':
    main()

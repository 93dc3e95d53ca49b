"""Does the confidence mean what it says? Fits a calibration on validation faces and measures it on test faces.

    python tools/analysis_tools/calibrate.py CONFIG CHECKPOINT --out-dir work_dirs/calibration

Writes calibration.json (the calibration, and all numbers before and after it) and calibration.png. Faces, crops and
flip test are those of the config's val_dataloader and test_dataloader. Their faces must differ: where a config
validates on the test file, hold training faces out with the converter's --val-fraction and give their file by
``--cfg-options val_dataloader.dataset.ann_file=...``. tools/misc/package_model.py --calibration stores the result with
the weights.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Dict, NamedTuple

import numpy as np

from mmpose_sp.apis.arguments import add_trained_arguments
from mmpose_sp.apis.crops import heatmap_to_image
from mmpose_sp.faces import invert, transform_points
from mmpose_sp.utils.atomic import atomic_path

if TYPE_CHECKING:
    from mmengine.config import Config
    from torch import Tensor, nn

    from mmpose_sp.posterior import Calibration


class Collected(NamedTuple):
    """Score maps of a set of faces with their annotations and predictions, heatmap px."""

    scores: Tensor  # (N, K, h, w)
    labels: Tensor  # (N, K, 2)
    predictions: Tensor  # (N, K, 2)
    counted: np.ndarray  # (N, K) bool
    eps: float


def collect(model: nn.Module, config: Config, split: str) -> Collected:
    """Run a model on the faces of ``config.<split>_dataloader``."""
    import torch

    from mmpose_sp.apis.predicted_samples import counted_landmarks, predicted_samples

    scores, labels, predictions, counted = [], [], [], []
    for sample in predicted_samples(model, config[f'{split}_dataloader'], split):
        matrix = heatmap_to_image(model.head.decoder, sample.input_center, sample.input_scale)
        for target, faces in ((labels, sample.gt_instances), (predictions, sample.pred_instances)):
            target.append(transform_points(faces.keypoints[0], invert(matrix)))
        counted.append(counted_landmarks(sample))
        scores.append(sample.pred_fields.heatmaps.cpu())
    as_tensor = [torch.from_numpy(np.stack(values)).float() for values in (labels, predictions)]
    return Collected(torch.stack(scores), *as_tensor, np.stack(counted), model.head.decoder.eps)


def evaluate(data: Collected, calibration: Calibration) -> Dict[str, object]:
    """All numbers of a set of faces under a calibration."""
    from scipy.stats import pearsonr, spearmanr

    from mmpose_sp.evaluation import reliability as measures
    from mmpose_sp.posterior import read_sites

    confidence, covariances = (
        value.numpy()[data.counted] for value in read_sites(data.scores, 'none', data.eps, calibration)[1:]
    )
    errors = (data.labels - data.predictions).numpy()[data.counted]
    distance, spread = np.linalg.norm(errors, axis=-1), measures.standard_deviations(covariances)
    hits = measures.in_window(data.scores, data.labels)[data.counted]
    curve = measures.reliability(confidence, hits)
    return dict(
        landmarks=int(data.counted.sum()),
        error_px=round(float(distance.mean()), 4),
        pearson=round(float(pearsonr(spread, distance)[0]), 4),
        spearman=round(float(spearmanr(spread, distance)[0]), 4),
        gaussian_loss=round(measures.gaussian_loss(errors, covariances), 4),
        coverage=dict(zip(map(str, measures.LEVELS), measures.rounded(measures.coverage(errors, covariances)))),
        mean_confidence=round(float(confidence.mean()), 4),
        hits=round(float(hits.mean()), 4),
        expected_calibration_error=round(curve.expected_error, 4),
        log_loss=round(measures.log_loss(confidence, hits), 4),
        reliability=dict(
            confidence=measures.rounded(curve.confidence), hits=measures.rounded(curve.hits), count=curve.count.tolist()
        ),
    )


def draw(data: Collected, calibration: Calibration, path: str) -> None:
    """Reliability, coverage, and actual against predicted error; before and after."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from mmpose_sp.evaluation import reliability as measures
    from mmpose_sp.posterior import Calibration, read_sites

    figure = Figure(figsize=(13, 4.2), layout='constrained')
    FigureCanvasAgg(figure)
    trust, cover, scatter = figure.subplots(1, 3)
    errors = (data.labels - data.predictions).numpy()[data.counted]
    distance = np.linalg.norm(errors, axis=-1)
    hits = measures.in_window(data.scores, data.labels)[data.counted]
    levels = np.linspace(0.02, 0.99, 98)
    for name, used, colour in (('as trained', Calibration(), '0.6'), ('calibrated', calibration, 'tab:blue')):
        confidence, covariances = (
            value.numpy()[data.counted] for value in read_sites(data.scores, 'none', data.eps, used)[1:]
        )
        curve = measures.reliability(confidence, hits)
        trust.plot(
            curve.confidence, curve.hits, 'o-', color=colour, ms=4, label=f'{name}, ECE {curve.expected_error:.3f}'
        )
        cover.plot(levels, measures.coverage(errors, covariances, levels), color=colour, label=name)
        spread = measures.standard_deviations(covariances)
        tenths = np.array_split(np.argsort(spread), 10)
        scatter.plot(
            [np.sqrt((spread[part] ** 2).mean()) for part in tenths],
            [np.sqrt((distance[part] ** 2).mean()) for part in tenths],
            'o-',
            color=colour,
            ms=4,
            label=name,
        )
    trust.set(xlabel='confidence', ylabel='annotation inside of the window', title='Reliability')
    cover.set(xlabel='probability of the ellipse', ylabel='annotations inside', title='Coverage of the ellipses')
    scatter.set(
        xlabel='predicted error (heatmap px, RMS)',
        ylabel='actual error (heatmap px, RMS)',
        title='Tenths of the landmarks by predicted error',
    )
    for axes in (trust, cover, scatter):
        low, high = (
            (0, 1)
            if axes is cover
            else (min(axes.get_xlim()[0], axes.get_ylim()[0]), max(axes.get_xlim()[1], axes.get_ylim()[1]))
        )
        axes.plot([low, high], [low, high], ':', color='k', lw=1)
        axes.legend(frameon=False)
        axes.grid(alpha=0.3)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=110)


def check_split(config: Config) -> None:
    """Refuse to call faces validation faces that are test faces.

    Raises:
        ValueError: Both loaders read the same annotation file; names it and the fix.
    """
    from mmpose_sp.utils.validation_faces import validated_on_test_faces

    shared = validated_on_test_faces(config)
    if shared:
        raise ValueError(
            f'the config validates on its test faces ({shared}), so the calibration would be measured on what it was '
            'fitted on. Hold training faces out with --val-fraction of the converter (a model trained without them is '
            'needed) and give their file: --cfg-options val_dataloader.dataset.ann_file=... (--fit test fits on the '
            'test faces and says so in the report)'
        )


def parse_args(argv=None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_trained_arguments(parser)
    parser.add_argument('--out-dir', type=Path, default=Path('work_dirs/calibration'), help='(default: %(default)s)')
    parser.add_argument('--fit', choices=('val', 'test'), default='val', help='faces to fit on (default: val)')
    args = parser.parse_args(argv)
    args.parser = parser
    return args


def main(argv=None) -> None:
    args = parse_args(argv)
    from mmengine.registry import init_default_scope

    from mmpose_sp.apis.model_loading import choose_device, load_config, load_model
    from mmpose_sp.codecs import ImageAwareLabelSmoothing
    from mmpose_sp.evaluation import reliability as measures
    from mmpose_sp.posterior import Calibration

    try:
        config = load_config(args.config, args.cfg_options)
        if args.fit == 'val':
            check_split(config)
        config.model.test_cfg = dict(config.model.get('test_cfg') or {}, output_heatmaps=True)
        model = load_model(config, args.checkpoint, choose_device(args.device))
        if not isinstance(model.head.decoder, ImageAwareLabelSmoothing):
            raise ValueError(
                f'{args.config}: this model decodes with {type(model.head.decoder).__name__}; only scores '
                '(ImageAwareLabelSmoothing) are a posterior that can be calibrated'
            )
        init_default_scope(config.get('default_scope', 'mmpose'))
        fit_on = collect(model, config, args.fit)
        calibration = measures.fit_calibration(
            fit_on.scores, fit_on.labels, fit_on.predictions, fit_on.eps, fit_on.counted
        )
        tested = fit_on if args.fit == 'test' else collect(model, config, 'test')
    except (OSError, ValueError, TypeError) as error:
        args.parser.error(str(error))
    report = dict(
        calibration=calibration._asdict(),
        fitted_on=args.fit,
        before=evaluate(tested, Calibration()),
        after=evaluate(tested, calibration),
    )
    target = args.out_dir / 'calibration.json'
    with atomic_path(str(target)) as temporary:
        Path(temporary).write_text(json.dumps(report, indent=2) + '\n')
    draw(tested, calibration, str(args.out_dir / 'calibration.png'))
    print(', '.join(f'{name} {value:.3f}' for name, value in calibration._asdict().items()))
    for name in ('before', 'after'):
        shown = {key: value for key, value in report[name].items() if key != 'reliability'}
        print(f'{name:7}', ', '.join(f'{key} {value}' for key, value in shown.items()))
    print(f'written: {target}, {args.out_dir / "calibration.png"}')


if __name__ == '__main__':
    main()

"""What a model knows of a face: fitted after the training, stored with the weights, and measured on test faces.

    python tools/posterior.py CONFIG CHECKPOINT --out-dir work_dirs/posterior [--package OUT --onnx]

Fits a calibration of the confidences and ellipses on validation faces (docs/calibration.md); a shape prior, the
correlation of errors and the offset of the annotations on training faces, read without augmentation (docs/joint.md);
and prints what each part brings on validation and test faces. Writes posterior.pth (what tools/misc/package_model.py
--posterior stores with the weights), posterior.json (all numbers) and calibration.png. --package OUT makes OUT.pth and
OUT.py at once, --onnx OUT.onnx, too. --like takes the correlation and the offset, which belong to the annotations more
than to a network, from another model's file, so that training faces are not run. Faces, crops and flip test are those
of the config's dataloaders.

Validation and test faces must differ: where a config validates on the test file, hold training faces out with the
converter's --val-fraction and give both files by ``--cfg-options train_dataloader.dataset.ann_file=...
val_dataloader.dataset.ann_file=...``, or the config that the training wrote into its work folder. Of a model of
heatmaps (mmpose's HeatmapHead), which are no posterior, only the table is printed: one constant noise for all sites,
and noise by confidence.
"""

from __future__ import annotations

import argparse
import json
import runpy
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict

import numpy as np

from mmpose_sp.apis.arguments import add_trained_arguments
from mmpose_sp.faces import crop_of_box, crop_to_image, find_scheme, invert, transform_points
from mmpose_sp.utils.atomic import atomic_path, save_figure, write_text

if TYPE_CHECKING:
    from mmpose_sp.apis.collected_faces import Collected
    from mmpose_sp.evaluation.joining import Faces
    from mmpose_sp.posterior import Calibration, JointPosterior

TOOLS = Path(__file__).resolve().parent


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
    covered = measures.coverage(errors, covariances, tail_weight=calibration.tail_weight)
    return dict(
        landmarks=int(data.counted.sum()),
        error_px=round(float(distance.mean()), 4),
        pearson=round(float(pearsonr(spread, distance)[0]), 4),
        spearman=round(float(spearmanr(spread, distance)[0]), 4),
        ellipse_loss=round(measures.ellipse_loss(errors, covariances, calibration.tail_weight), 4),
        coverage=dict(zip(map(str, measures.LEVELS), measures.rounded(covered))),
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
    from matplotlib.figure import Figure

    from mmpose_sp.evaluation import reliability as measures
    from mmpose_sp.posterior import Calibration, read_sites

    figure = Figure(figsize=(13, 4.2), layout='constrained')
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
        label = f'{name}, ECE {curve.expected_error:.3f}'
        trust.plot(curve.confidence, curve.hits, 'o-', color=colour, ms=4, label=label)
        cover.plot(levels, measures.coverage(errors, covariances, levels, used.tail_weight), color=colour, label=name)
        spread = measures.standard_deviations(covariances)
        tenths = np.array_split(np.argsort(spread), 10)
        both = ([np.sqrt((values[part] ** 2).mean()) for part in tenths] for values in (spread, distance))
        scatter.plot(*both, 'o-', color=colour, ms=4, label=name)
    trust.set(xlabel='confidence', ylabel='annotation inside of the window', title='Reliability')
    cover.set(xlabel='probability of the ellipse', ylabel='annotations inside', title='Coverage of the ellipses')
    scatter.set(xlabel='predicted error (heatmap px, RMS)', ylabel='actual error (heatmap px, RMS)')
    scatter.set_title('Tenths of the landmarks by predicted error')
    for axes in (trust, cover, scatter):
        limits = (0, 1) if axes is cover else (*axes.get_xlim(), *axes.get_ylim())
        low, high = min(limits), max(limits)
        axes.plot([low, high], [low, high], ':', color='k', lw=1)
        axes.legend(frameon=False)
        axes.grid(alpha=0.3)
    save_figure(figure, path, 110)


def ellipses(posterior: JointPosterior, faces: Faces) -> Dict[str, Any]:
    """What the ellipses hold: of each landmark alone, and joined, also as if errors were Gaussian."""
    from mmpose_sp.evaluation import joining

    sites, joined = (faces.points, faces.covariances), joining.joined_by(posterior, faces)
    return dict(
        sites=joining.ellipses(*sites, posterior.calibration.tail_weight, faces),
        sites_gaussian=joining.ellipses(*sites, 0.0, faces),
        joined=joining.ellipses(*joined, float(posterior.spread[2]), faces),
        joined_gaussian=joining.ellipses(*joined, 0.0, faces),
    )


def annotated(loader: Dict[str, Any], codec: Any) -> Faces:
    """The annotations alone of the faces of a dataloader, in crops of its pipeline."""
    import torch
    from mmengine.runner import Runner

    from mmpose_sp.evaluation.joining import Faces

    dataset = Runner.build_dataloader(dict(loader, num_workers=0, persistent_workers=False)).dataset
    padding = [step.get('padding', 1.25) for step in loader['dataset'].pipeline if step['type'] == 'GetBBoxCenterScale']
    if not padding:
        raise ValueError(
            '--like: the pipeline of this config has no GetBBoxCenterScale, which says how faces are cropped'
        )
    labels, counted = [], []
    for info in map(dataset.get_data_info, range(len(dataset))):
        crop = crop_to_image(*crop_of_box(info['bbox'][0], codec.input_size, padding[0]), codec.input_size)
        labels.append(transform_points(info['keypoints'][0], invert(crop)))
        counted.append(np.asarray(info['keypoints_visible'][0]) > 0)
    points = torch.from_numpy(np.stack(labels))
    return Faces(points, None, points, np.stack(counted), np.ones(len(points)))


def other_posterior(path: str) -> JointPosterior:
    """That of posterior.pth or of weights that come with one.

    Raises:
        FileNotFoundError, ValueError: No such file, or nothing of the kind in it.
    """
    from mmpose_sp.apis.model_loading import load_checkpoint_safely
    from mmpose_sp.posterior import JointPosterior
    from mmpose_sp.utils.checkpoint import POSTERIOR, model_state

    state = {key.split(POSTERIOR)[-1]: value for key, value in model_state(load_checkpoint_safely(path)).items()}
    posterior = JointPosterior.of_state(state)
    if posterior is None:
        raise ValueError(
            f'{path}: no joint posterior in it; give posterior.pth, or weights that were packaged with one'
        )
    posterior.load_state_dict({key: state[key] for key in posterior.state_dict()})
    return posterior


def markdown(rows: list, split: str) -> str:
    """The table of :func:`mmpose_sp.evaluation.joining.table` of a split; in brackets the gain on the first row."""
    lines = [f'| {split} | offset | NME | FR | AUC | gain |', '|:--|:--|:-:|:-:|:-:|:-:|']
    for row in rows:
        value = row[split]
        scores = '{NME:.3f} | {FR:.2f} | {AUC:.3f} | {gain:.3f}'.format(**value)
        lines.append(f'| {row["noise"]} | {row["offset"]} | {scores} {value["interval"]} |')
    return '\n'.join(lines)


def run_tool(script: str, *arguments: str) -> None:
    """Run another tool in this process."""
    runpy.run_path(str(TOOLS / script))['main']([str(argument) for argument in arguments])


def parse_args(argv=None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_trained_arguments(parser)
    parser.add_argument('--out-dir', type=Path, default=Path('work_dirs/posterior'), help='(default: %(default)s)')
    parser.add_argument(
        '--fit', choices=('val', 'test'), default='val', help='faces of the calibration and the spread (default: val)'
    )
    parser.add_argument('--faces', type=int, default=0, metavar='N', help='at most N training faces (default: all)')
    parser.add_argument('--like', metavar='PTH', help='posterior.pth or weights of another model of these landmarks')
    parser.add_argument('--package', metavar='OUT', help='write OUT.pth and OUT.py as package_model.py does')
    parser.add_argument('--onnx', action='store_true', help='and OUT.onnx, with the flip test')
    args = parser.parse_args(argv)
    if args.onnx and not args.package:
        parser.error('--onnx needs --package OUT')
    args.parser = parser
    return args


def main(argv=None) -> None:
    args = parse_args(argv)
    import torch
    from mmengine.registry import init_default_scope

    from mmpose_sp.apis.collected_faces import collect, has_posterior
    from mmpose_sp.apis.model_loading import choose_device, load_config, load_model
    from mmpose_sp.apis.predicted_samples import loader_of
    from mmpose_sp.evaluation import joining
    from mmpose_sp.evaluation import reliability as measures
    from mmpose_sp.posterior import Calibration
    from mmpose_sp.utils.validation_faces import refuse_test_faces

    try:
        config = load_config(args.config, args.cfg_options)
        if args.fit == 'val':
            refuse_test_faces(config)
        config.model.test_cfg = dict(config.model.get('test_cfg') or {}, output_heatmaps=True, joint='off')
        model = load_model(config, args.checkpoint, choose_device(args.device))
        is_posterior = has_posterior(model)
        if (args.package or args.like) and not is_posterior:
            raise ValueError(f'{args.config}: this model predicts heatmaps, which have no posterior to store')
        init_default_scope(config.get('default_scope', 'mmpose'))
        collected = {args.fit: collect(model, loader_of(config, args.fit), args.fit)}
        calibration = None
        if is_posterior:
            seen = collected[args.fit]
            calibration = measures.fit_calibration(seen.scores, seen.labels, seen.predictions, seen.eps, seen.counted)
        if args.fit == 'val':
            collected['test'] = collect(model, loader_of(config, 'test'), 'test')
        loader = loader_of(config, 'train', args.faces)
        if not args.like:
            collected['train'] = collect(model, loader, 'train', calibration)
        faces = {split: found.faces(model, calibration) for split, found in collected.items()}
        faces.setdefault('val', faces['test'])
        width, flip_indices = model.head.decoder.input_size[0], model.dataset_meta['flip_indices']
        threshold = find_scheme(model.dataset_meta['dataset_name']).threshold
        report: Dict[str, Any] = dict(
            fitted_on=args.fit, faces={split: len(part.norm) for split, part in faces.items()}
        )
        like = other_posterior(args.like) if args.like else None
        if like is not None:
            faces['train'] = annotated(loader, model.head.decoder)
        if is_posterior:
            posterior = joining.fit_joint_posterior(
                faces['train'], faces['val'], calibration, flip_indices, width, like
            )
        if args.like:
            report['joining'] = joining.short_table(faces, posterior, threshold)
        else:
            report['joining'] = joining.table(faces, flip_indices, width, threshold)
    except (OSError, ValueError, TypeError) as error:
        args.parser.error(str(error))
    written = args.out_dir / 'posterior.json', args.out_dir / 'posterior.pth', args.out_dir / 'calibration.png'
    print('\n\n'.join(markdown(report['joining'], split) for split in ('val', 'test')))
    if is_posterior:
        report.update(
            calibration=calibration._asdict(),
            before=evaluate(collected['test'], Calibration()),
            after=evaluate(collected['test'], calibration),
            ellipses={split: ellipses(posterior, faces[split]) for split in ('val', 'test')},
        )
        with atomic_path(str(written[1])) as temporary:
            torch.save(posterior.state_dict(), temporary)
        draw(collected['test'], calibration, str(written[2]))
        print(', '.join(f'{name} {value:.3f}' for name, value in calibration._asdict().items()))
        for name in ('before', 'after'):
            shown = {key: value for key, value in report[name].items() if key != 'reliability'}
            print(f'{name:7}', ', '.join(f'{key} {value}' for key, value in shown.items()))
        for split, value in report['ellipses'].items():
            print(split, ', '.join(f'{name}: {numbers}' for name, numbers in value.items()))
    write_text(written[0], json.dumps(report, indent=2) + '\n')
    print('written:', ', '.join(str(path) for path in written if path.exists()))
    if args.package:
        run_tool('misc/package_model.py', args.config, args.checkpoint, args.package, '--posterior', written[1])
    if args.onnx:
        out = args.package
        run_tool('deployment/export_onnx.py', f'{out}.py', f'{out}.pth', f'{out}.onnx', '--flip-test')


if __name__ == '__main__':
    main()

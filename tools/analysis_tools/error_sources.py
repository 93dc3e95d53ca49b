"""Where does the error of a model come from? Training against held-out faces, curve by curve, and a constant offset.

    python tools/analysis_tools/error_sources.py CONFIG CHECKPOINT [--splits train val] [--beside CONFIG CHECKPOINT]

Training faces are read without augmentation, as the validation faces are: an error that is as large on them is not one
of too few faces. The offset is the median of annotation minus prediction, image px. A model that is trained and tested
with mirrored faces cannot learn one along x: its landmarks lie where the annotations of faces and of mirrored faces
agree. What is left over tells how far annotations lie to the right of that, and "without offset" is the error once the
offset of the first split is added to the predictions. Test faces are read if asked for (--splits val test).

With another model beside it, what both err alike is told from what each errs by itself: "correlation" of their errors,
offsets taken off, and "NME if only shared", were all that is not shared gone, as by averaging ever more such models.
What is left then is due to annotators, and to what no such model learns from these faces.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, NamedTuple, Sequence, Tuple

import numpy as np

from mmpose_sp.apis.arguments import add_trained_arguments
from mmpose_sp.evaluation.scores import face_normaliser, failure_rate, per_face_nme
from mmpose_sp.faces import FaceScheme, find_scheme
from mmpose_sp.utils.atomic import write_text

if TYPE_CHECKING:
    from torch import nn

SPLITS = ('train', 'val', 'test')


class Landmarks(NamedTuple):
    """Of N faces, image px."""

    predicted: np.ndarray  # (N, K, 2)
    annotated: np.ndarray  # (N, K, 2)
    counted: np.ndarray  # (N, K) bool


def offset(landmarks: Landmarks) -> np.ndarray:
    """Median (x, y) of annotation minus prediction, image px, over all landmarks that count."""
    return np.median((landmarks.annotated - landmarks.predicted)[landmarks.counted], axis=0)


def summary(landmarks: Landmarks, scheme: FaceScheme, added: Sequence[float]) -> Dict[str, Any]:
    """NME in percent, of each curve of the face too, FR, offset, and the NME with ``added`` to the predictions."""
    predicted, annotated, counted = landmarks
    norm = face_normaliser(annotated, scheme, counted)
    nme = per_face_nme(predicted, annotated, norm, counted)
    curves = {}
    for curve in scheme.boundaries:
        of_curve = [values[:, list(curve.indices)] for values in landmarks]
        seen = of_curve[2].any(axis=1)  # a face may have none of a curve's landmarks annotated
        if seen.any():
            found, truth, counts = (values[seen] for values in of_curve)
            curves[curve.name] = round(float(per_face_nme(found, truth, norm[seen], counts).mean()), 3)
    return dict(
        faces=len(nme),
        NME=round(float(nme.mean()), 3),
        FR=round(failure_rate(nme, scheme.threshold), 2),
        offset_px=offset(landmarks).round(3).tolist(),
        NME_without_offset=round(
            float(per_face_nme(predicted + np.asarray(added), annotated, norm, counted).mean()), 3
        ),
        curves=curves,
    )


def shared(one: Landmarks, other: Landmarks, scheme: FaceScheme) -> Dict[str, float]:
    """How far the errors of two models on the same faces are the same, each without its median offset.

    With errors e and e' in units of the face's normaliser the correlation is sum e e' / sqrt(sum e^2 sum e'^2). Of the
    square of its error the first model shares sum e e' / sum e^2: by the root of that its NME is scaled.
    """
    norm = face_normaliser(one.annotated, scheme, one.counted)
    errors = [
        ((model.predicted + offset(model) - model.annotated) / norm[:, None, None])[model.counted]
        for model in (one, other)
    ]
    both, own, others = (errors[0] * errors[1]).sum(), (errors[0] ** 2).sum(), (errors[1] ** 2).sum()
    nme = per_face_nme(one.predicted + offset(one), one.annotated, norm, one.counted).mean()
    return dict(
        correlation=round(float(both / np.sqrt(own * others)), 3),
        NME_if_only_shared=round(float(nme * np.sqrt(max(both, 0) / own)), 3),
    )


def collect(model: nn.Module, loader: Dict[str, Any], name: str) -> Landmarks:
    """Run a model on the faces of a loader."""
    from mmpose_sp.apis.predicted_samples import counted_landmarks, predicted_samples

    faces = [
        (sample.pred_instances.keypoints[0], sample.gt_instances.keypoints[0], counted_landmarks(sample))
        for sample in predicted_samples(model, loader, name)
    ]
    return Landmarks(*map(np.stack, zip(*faces)))


def table(report: Dict[str, Dict[str, Any]]) -> str:
    """One column for each split."""
    rows = [('', *report), ('faces', *(str(r['faces']) for r in report.values()))]
    for key in ('NME', 'FR', 'NME_without_offset', 'correlation', 'NME_if_only_shared'):
        if key in next(iter(report.values())):
            rows.append((key.replace('_', ' '), *(f'{r[key]:.2f}' for r in report.values())))
    rows.append(('offset, px', *('{:+.2f} {:+.2f}'.format(*r['offset_px']) for r in report.values())))
    for curve in next(iter(report.values()))['curves']:
        rows.append((curve, *(f'{r["curves"][curve]:.2f}' if curve in r['curves'] else '-' for r in report.values())))
    return '\n'.join(f'{row[0]:20}' + ''.join(f'{cell:>14}' for cell in row[1:]) for row in rows)


def parse_args(argv=None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_trained_arguments(parser)
    parser.add_argument('--splits', nargs='+', choices=SPLITS, default=['train', 'val'], help='(default: train val)')
    parser.add_argument('--faces', type=int, default=0, metavar='N', help='at most N of each split (default: all)')
    parser.add_argument(
        '--beside', nargs=2, metavar=('CONFIG', 'CHECKPOINT'), help='another model of these landmarks and faces'
    )
    parser.add_argument('--json', type=Path, metavar='FILE', help='file for the numbers')
    args = parser.parse_args(argv)
    args.parser = parser
    return args


def main(argv=None) -> None:
    args = parse_args(argv)
    from mmengine.registry import init_default_scope

    from mmpose_sp.apis.model_loading import choose_device, load_config, load_model
    from mmpose_sp.apis.predicted_samples import loader_of

    def read(path: str, checkpoint: str) -> Tuple[Dict[str, Landmarks], FaceScheme]:
        config = load_config(path, args.cfg_options)
        # each landmark alone: a joint posterior would have taken the offset off
        config.model.test_cfg = dict(config.model.get('test_cfg') or {}, joint='off')
        model = load_model(config, checkpoint, choose_device(args.device))
        init_default_scope(config.get('default_scope', 'mmpose'))
        faces = {split: collect(model, loader_of(config, split, args.faces), split) for split in args.splits}
        return faces, find_scheme(model.dataset_meta['dataset_name'])

    try:
        faces, scheme = read(args.config, args.checkpoint)
        beside = read(*args.beside)[0] if args.beside else {}
        for split, landmarks in beside.items():
            if not np.allclose(landmarks.annotated, faces[split].annotated, atol=0.01):
                raise ValueError(f'--beside: other annotations of {split}; both configs have to read the same faces')
    except (OSError, ValueError, TypeError) as error:
        args.parser.error(str(error))
    added = offset(faces[args.splits[0]])
    report = {split: summary(landmarks, scheme, added) for split, landmarks in faces.items()}
    for split, landmarks in beside.items():
        report[split].update(shared(faces[split], landmarks, scheme))
    print(table(report))
    if args.json:
        write_text(args.json, json.dumps(report, indent=2) + '\n')


if __name__ == '__main__':
    main()

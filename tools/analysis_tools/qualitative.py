"""Sheets of predictions per subset: ground truth green, prediction red (Fig. 5, A4-A12).

    python tools/analysis_tools/qualitative.py --config CONFIG --checkpoint CHECKPOINT --out-dir work_dirs/sheets
    python tools/analysis_tools/qualitative.py --predictions star.pkl sp.pkl --labels STAR Ours

A ``.pkl`` is what ``tools/test.py --dump`` wrote (a pickle runs code: open only your own). One file gives a sheet per
subset, a sheet of all faces, and an overview; several files give the same faces by each model, side by side (Fig. 5).
"""

import argparse
import json
from pathlib import Path
from typing import Any, Dict, List, Sequence

import numpy as np
from tqdm import tqdm

from mmpose_sp.apis.arguments import add_device_argument
from mmpose_sp.evaluation.scores import face_normaliser, per_face_nme
from mmpose_sp.faces import find_scheme, subset_names
from mmpose_sp.visualization import (
    SELECTIONS,
    PredictedFace,
    contact_sheet,
    face_tile,
    group_by_subset,
    load_predictions,
    prediction_sheet,
    select_faces,
    subset_overview,
    write_image,
)


def predict_faces(config: str, checkpoint: str, device: str = 'auto', limit: int = 0) -> List[PredictedFace]:
    """Run a model on the test set of its config; ``limit`` > 0 stops after so many faces."""
    from mmengine.config import Config
    from mmengine.registry import init_default_scope
    from mmpose.registry import DATASETS

    from mmpose_sp.apis import FaceLandmarker

    landmarker = FaceLandmarker(config, checkpoint, device)
    cfg = Config.fromfile(config)
    init_default_scope(cfg.get('default_scope', 'mmpose'))
    dataset = DATASETS.build(dict(cfg.test_dataloader.dataset, pipeline=[]))
    infos = [dataset.get_data_info(i) for i in range(len(dataset))][: limit or None]
    images, boxes = ([info[key] for info in infos] for key in ('img_path', 'bbox'))
    results = landmarker(images, bboxes=boxes, errors='raise', progress=True)
    return [_predicted(info, result.faces[0], dataset.metainfo['dataset_name']) for info, result in zip(infos, results)]


def _predicted(info: Dict[str, Any], result, dataset_name: str) -> PredictedFace:
    truth = np.asarray(info['keypoints'], dtype=np.float64)
    visible = np.asarray(info['keypoints_visible']) > 0
    scheme = find_scheme(dataset_name)
    norm = face_normaliser(truth, scheme, visible)
    error = per_face_nme(result.landmarks[None].astype(np.float64), truth, norm, visible)[0]
    return PredictedFace(
        info['img_path'],
        np.where(visible[0, :, None], truth[0], np.nan),
        result.landmarks,
        subset_names(info.get('raw_ann_info')),
        result.confidence,
        float(error),
    )


def match_models(models: Sequence[Sequence[PredictedFace]], labels: Sequence[str]) -> List[List[PredictedFace]]:
    """The same face by every model: (faces, models).

    Raises:
        ValueError: The models were tested on different faces.
    """

    def key(face: PredictedFace):
        return Path(face.image).name, np.nan_to_num(face.ground_truth).round(2).tobytes()

    tables = [{key(face): face for face in faces} for faces in models]
    shared = [k for k in tables[0] if all(k in table for table in tables)]
    if not shared:
        raise ValueError(f'{" and ".join(labels)} share no face: were they tested on the same set?')
    return [[table[k] for table in tables] for k in shared]


def comparison_sheet(groups: Sequence[Sequence[PredictedFace]], labels: Sequence[str], size: int) -> np.ndarray:
    """One row per face, one column per model (Fig. 5)."""
    tiles = [face_tile(face, size) for row in groups for face in row]
    captions = [
        label + (f', {face.error:.2f}%' if face.error is not None else '')
        for row in groups
        for label, face in zip(labels, row)
    ]
    return contact_sheet(tiles, captions, len(labels), (size, size), 'ground truth green, prediction red')


def load_errors(path: str) -> Dict[Any, float]:
    """Annotation id -> percent from the ``errors_file`` (.json) of FaceAlignmentMetric."""
    return {face['id']: face['nme'] for face in json.loads(Path(path).read_text())['faces']}


def parse_args(argv=None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--predictions', nargs='+', metavar='PKL', help='dumps of tools/test.py, one per model')
    parser.add_argument('--errors', help='errors.json of the metric, for the captions (with one --predictions)')
    parser.add_argument('--labels', nargs='+', help='names of several models')
    parser.add_argument('--config', help='config to run instead of a dump')
    parser.add_argument('--checkpoint', help='checkpoint of --config')
    parser.add_argument('--limit', type=int, default=0, help='only the first faces of the test set (with --config)')
    add_device_argument(parser)
    parser.add_argument('--select', choices=SELECTIONS, default='random', help='which faces (default: %(default)s)')
    parser.add_argument('--count', type=int, default=12, help='faces in a sheet (default: %(default)s)')
    parser.add_argument('--columns', type=int, default=4)
    parser.add_argument('--size', type=int, default=256, help='side of each face in px')
    parser.add_argument('--seed', type=int, default=0, help='of --select random')
    parser.add_argument('--out-dir', default='work_dirs/qualitative')
    args = parser.parse_args(argv)
    if (args.predictions is None) == (args.config is None):
        parser.error('give either --predictions or --config with --checkpoint')
    if (args.config is None) != (args.checkpoint is None):
        parser.error('--config and --checkpoint go together')
    for path in filter(None, [*(args.predictions or []), args.config, args.checkpoint, args.errors]):
        if not Path(path).is_file():
            parser.error(f'{path}: no such file')
    if args.predictions and len(args.predictions) > 1 and len(args.labels or []) != len(args.predictions):
        parser.error('several --predictions need as many --labels')
    args.parser = parser
    return args


def main(argv=None) -> None:
    args = parse_args(argv)
    out, written = Path(args.out_dir), []
    try:
        if args.predictions and len(args.predictions) > 1:
            rows = match_models([load_predictions(path) for path in args.predictions], args.labels)
            chosen = select_faces([row[0] for row in rows], args.count, args.select, args.seed)
            by_face = {id(row[0]): row for row in rows}
            sheet = comparison_sheet([by_face[id(face)] for face in chosen], args.labels, args.size)
            written.append(write_image(str(out / 'comparison.png'), sheet))
        else:
            faces = (
                load_predictions(args.predictions[0], load_errors(args.errors) if args.errors else None)
                if args.predictions
                else predict_faces(args.config, args.checkpoint, args.device, args.limit)
            )
            if not faces:
                raise ValueError('no face in the predictions')
            groups = group_by_subset(faces)
            for name, group in tqdm({'full': faces, **groups}.items(), desc='sheets', unit='sheet'):
                chosen = select_faces(group, args.count, args.select, args.seed)
                title = f'{name}: ground truth green, prediction red'
                sheet = prediction_sheet(chosen, title, args.columns, args.size)
                written.append(write_image(str(out / f'{name}.png'), sheet))
            if groups:
                overview = subset_overview(faces, 6, args.select, title='ground truth green, prediction red')
                written.append(write_image(str(out / 'overview.png'), overview))
    except (OSError, ValueError, TypeError) as error:
        args.parser.error(str(error))
    print('written: ' + ', '.join(written))


if __name__ == '__main__':
    main()

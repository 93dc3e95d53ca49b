"""How many corrections by hand does a face need, and which score tells a face that went wrong?

    python tools/analysis_tools/corrections.py CONFIG CHECKPOINT [--split test] [--goal 2] [--json FILE]

Corrections: the landmark that is furthest from its annotation is put there, and the others follow
(FaceResult.condition) or stay. Reported are the mean error of the others after 1, 3, 5 and 10 corrections, and how many
a face needs until its NME is below the goal. Scores: ROC of FaceResult.quality and of the mean confidence against boxes
of the background, half-covered faces, boxes far off, and faces whose NME is above 10%. The model needs a joint
posterior (tools/posterior.py).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any, Dict, List

import numpy as np
from tqdm import tqdm

from mmpose_sp.apis.arguments import add_trained_arguments
from mmpose_sp.utils.atomic import write_text

STEPS = (1, 3, 5, 10)
WRONG = 10.0  # NME, percent


def correct_by_hand(face: Any, truth: np.ndarray, follow: bool, goal: float) -> np.ndarray:
    """Distances (n + 1, K) px of the landmarks to their annotations (K, 2) after 0, 1, ... n corrections: until their
    mean is below ``goal``, but at least as many as :data:`STEPS` asks for."""
    start, corrections, distances = face, {}, []
    for _ in range(len(truth) + 1):
        distances.append(np.linalg.norm(face.landmarks - truth, axis=1))
        if len(distances) > max(STEPS) and distances[-1].mean() < goal:
            break
        left = np.where([index in corrections for index in range(len(truth))], -1.0, distances[-1])
        corrections[int(left.argmax())] = truth[left.argmax()]
        if follow:
            face = start.condition(corrections)
        else:
            face.landmarks[left.argmax()] = truth[left.argmax()]
    return np.array(distances)


def corrections_table(faces: List[Any], truths: List[np.ndarray], norms: np.ndarray, goal: float) -> Dict[str, Any]:
    """The two ways side by side."""
    table = {}
    for name, follow in (('alone', False), ('followed', True)):
        others, needed = {step: [] for step in (0, *STEPS)}, []
        for face, truth, norm in zip(faces, truths, norms):
            copied = face.condition({})
            errors = 100 * correct_by_hand(copied, truth, follow, goal * norm / 100) / norm
            for step in others:
                count = min(step, len(truth) - 1)
                others[step].append(errors[count].sum() / (len(truth) - count))
            needed.append(int((errors.mean(axis=1) < goal).argmax()))
        table[name] = dict(
            others={step: round(float(np.mean(values)), 3) for step, values in others.items()},
            needed_mean=round(float(np.mean(needed)), 2),
            needed_median=float(np.median(needed)),
            needed_90=float(np.quantile(needed, 0.9)),
        )
    return table


def hard_boxes(image: np.ndarray, truth: np.ndarray, rng: np.random.Generator) -> List[Any]:
    """(kind, picture, box) of a background box, a covered face, and a box far off; ``truth`` (K, 2) px."""
    height, width = image.shape[:2]
    low, high = truth.min(axis=0), truth.max(axis=0)
    side, middle, found = (high - low).max(), (low + high) / 2, []
    for _ in range(50):
        size, centre = side * rng.uniform(0.4, 1.0), rng.uniform([0, 0], [width, height])
        box = np.concatenate([centre - size / 2, centre + size / 2])
        shared = np.maximum(0, np.minimum(box[2:], high) - np.maximum(box[:2], low)).prod()
        if shared < 0.15 * size**2:
            found.append(('background', image, box))
            break
    covered, (x1, y1, x2, y2) = image.copy(), np.maximum(0, np.concatenate([low, high])).astype(int)
    x, y = (x1 + x2) // 2, (y1 + y2) // 2
    half = [(x1, y1, x, y2), (x, y1, x2, y2), (x1, y1, x2, y), (x1, y, x2, y2)][rng.integers(4)]
    covered[half[1] : half[3], half[0] : half[2]] = rng.integers(0, 256, 3)
    found.append(('half covered', covered, np.concatenate([low, high])))
    centre = middle + rng.uniform(-0.35, 0.35, 2) * side
    reach = side / 2 * rng.choice([0.45, 0.6, 1.8, 2.5])
    found.append(('box far off', image, np.concatenate([centre - reach, centre + reach])))
    return found


def parse_args(argv=None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_trained_arguments(parser)
    parser.add_argument('--split', choices=('val', 'test'), default='test', help='(default: test)')
    parser.add_argument('--faces', type=int, default=0, metavar='N', help='at most N, evenly spread (default: all)')
    parser.add_argument('--goal', type=float, default=2.0, help='NME in percent (default: 2)')
    parser.add_argument('--json', type=Path, metavar='FILE', help='file for the numbers')
    args = parser.parse_args(argv)
    args.parser = parser
    return args


def main(argv=None) -> None:
    args = parse_args(argv)
    from mmengine.runner import Runner

    from mmpose_sp.apis import FaceLandmarker
    from mmpose_sp.apis.predicted_samples import loader_of
    from mmpose_sp.evaluation import face_normaliser
    from mmpose_sp.evaluation.reliability import area_under_roc
    from mmpose_sp.faces import find_scheme
    from mmpose_sp.utils.images import read_image

    try:
        landmarker = FaceLandmarker(args.config, args.checkpoint, args.device, cfg_options=args.cfg_options)
        if landmarker.joint == 'off':
            raise ValueError(f'{args.checkpoint}: no joint posterior in it; fit it by tools/posterior.py')
        loader = loader_of(landmarker.model.cfg, args.split, args.faces)
        dataset = Runner.build_dataloader(dict(loader, num_workers=0, persistent_workers=False)).dataset
    except (OSError, ValueError, TypeError) as error:
        args.parser.error(str(error))
    rng, faces, truths, scores = np.random.default_rng(0), [], [], []
    scheme = find_scheme(landmarker.dataset_name)
    for index in tqdm(range(len(dataset)), unit='face'):
        info = dataset.get_data_info(index)
        image, truth = read_image(info['img_path']), np.asarray(info['keypoints'][0], dtype=np.float64)
        norm = face_normaliser(truth[None], scheme)[0]
        boxes = [('face', image, info['bbox'][0]), *hard_boxes(image, truth, rng)]
        for kind, picture, box in boxes:
            result = landmarker(picture, bboxes=[np.asarray(box, dtype=np.float64)], errors='record')[0]
            for face in result.faces:  # none for a box that misses the picture
                nme = 100 * np.linalg.norm(face.landmarks - truth, axis=1).mean() / norm
                scores.append((kind, nme, face.quality, float(face.confidence.mean())))
                if kind == 'face':
                    faces.append(face)
                    truths.append(truth)
    norms = face_normaliser(np.array(truths), scheme)
    report = dict(corrections=corrections_table(faces, truths, norms, args.goal), roc={})
    kinds, nmes = np.array([score[0] for score in scores]), np.array([score[1] for score in scores])
    values = {'quality': np.array([s[2] for s in scores]), 'mean confidence': np.array([s[3] for s in scores])}
    for name, value in values.items():
        good, seen = value[(kinds == 'face') & (nmes <= WRONG)], kinds != 'background'
        area = {
            kind: area_under_roc(good, value[kinds == kind]) for kind in ('background', 'half covered', 'box far off')
        }
        area[f'NME > {WRONG:.0f}%'] = area_under_roc(value[seen & (nmes <= WRONG)], value[seen & (nmes > WRONG)])
        report['roc'][name] = {kind: round(number, 4) for kind, number in area.items()}
        report['roc'][name]['5th percentile of faces'] = round(float(np.quantile(good, 0.05)), 3)
        report['roc'][name]['95th percentile of background'] = round(
            float(np.quantile(value[kinds == 'background'], 0.95)), 3
        )
    for part in report.values():
        for name, numbers in part.items():
            print(f'{name}: {numbers}')
    if args.json:
        write_text(args.json, json.dumps(report, indent=2) + '\n')


if __name__ == '__main__':
    main()

"""Do the tests notice? Changes one number or sign at a time in a copy of the repository and runs its tests.

    python tools/misc/mutations.py            # all of the list below, minutes
    python tools/misc/mutations.py gamma eps  # those whose name holds one of these words

Prints "caught" or "SURVIVED" for each; the status is 1 if one survived. A line in the list adds one.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import List, NamedTuple, Tuple

ROOT = Path(__file__).resolve().parents[2]
COPIED = ('configs', 'docs', 'mmpose_sp', 'tests', 'tools', 'pyproject.toml')
CONSTANTS = ('tests/test_configs/test_published_constants.py',)
STRUCTURED, POSTERIOR, CODECS = ('tests/test_structured',), ('tests/test_posterior',), ('tests/test_codecs',)
FACES, EVALUATION, DATASETS = ('tests/test_faces',), ('tests/test_evaluation',), ('tests/test_datasets',)


class Mutation(NamedTuple):
    """``old`` becomes ``new`` in ``file``, where it stands exactly once; ``tests`` should notice."""

    name: str
    file: str
    old: str
    new: str
    tests: Tuple[str, ...] = CONSTANTS


CODEC = 'mmpose_sp/codecs/image_aware_label_smoothing.py'
LOSS = 'mmpose_sp/models/losses/structured_prediction_loss.py'
BENCHMARKS = 'mmpose_sp/faces/benchmarks.py'
FACE, STAR = 'configs/_base_/face_data/face.py', 'configs/_base_/objectives/star.py'
STAR_WFLW = 'configs/face_2d_keypoint/topdown_heatmap/wflw/td-hm_aam-hg4_star-4xb32-200e_wflw-256x256.py'
AAM, ADAM = 'configs/_base_/models/aam-hg4.py', 'configs/_base_/schedules/adam-200e.py'
FAST, OBJECTIVE = 'mmpose_sp/structured/fast.py', 'mmpose_sp/structured/objective.py'
SAMPLING, MARGIN = 'mmpose_sp/structured/sampling.py', 'mmpose_sp/structured/exponential_margin.py'
COVARIANCE, SCORES = 'mmpose_sp/codecs/label_covariance.py', 'mmpose_sp/evaluation/scores.py'
EDGES, LIST = 'mmpose_sp/codecs/boundary_maps.py', 'mmpose_sp/faces/crop_list.py'
SITES, MAPS = 'mmpose_sp/posterior/sites.py', 'mmpose_sp/faces/coordinates.py'

MUTATIONS = (
    Mutation('sharpness', CODEC, 'sharpness: float = 5.0', 'sharpness: float = 2.0'),
    Mutation('edge weight', CODEC, 'edge_weight: float = 0.01', 'edge_weight: float = 0.03'),
    Mutation('patch radius', CODEC, 'patch_radius: int = 4', 'patch_radius: int = 6'),
    Mutation('kernel of N', CODEC, 'gaussian_kernel: int = 5', 'gaussian_kernel: int = 7'),
    Mutation('blur', CODEC, 'blur_kernel: int = 9', 'blur_kernel: int = 5'),
    Mutation('samples', LOSS, 'num_samples: int = 10', 'num_samples: int = 1'),
    Mutation('lambda', AAM, 'loss_weight=1.0', 'loss_weight=3.0'),
    Mutation('flip test', AAM, 'flip_test=True', 'flip_test=False'),
    Mutation('learning rate', ADAM, 'lr=1e-3', 'lr=3e-3'),
    Mutation('milestones', ADAM, '[80, 140, 180]', '[80, 140, 190]'),
    Mutation('averaging', ADAM, 'momentum=0.001', 'momentum=0.01'),
    Mutation('rotation', FACE, 'rotate_factor=33', 'rotate_factor=80'),
    Mutation('scale', FACE, '(0.82, 1.18)', '(0.7, 1.3)'),
    Mutation('crop', FACE, 'padding=1.0', 'padding=1.1'),
    Mutation('crop: rule', FACE, "box='center_scale'", "box='landmarks'"),
    Mutation('occlusion', FACE, "type='RandomOcclusion', prob=0.4", "type='RandomOcclusion', prob=0.5"),
    Mutation('gamma of COFW', BENCHMARKS, 'gamma=0.001', 'gamma=0.01'),
    Mutation("STAR's weight of the points", STAR, 'point_loss=dict(loss_weight=10.0)', 'point_loss=dict()'),
    Mutation("STAR's omega", 'mmpose_sp/models/losses/star_loss.py', 'omega: float = 1.0', 'omega: float = 2.0'),
    Mutation('radius of the local mean', SITES, 'LOCAL_RADIUS = 4', 'LOCAL_RADIUS = 2'),
    Mutation('alpha', LOSS, 'alpha: float = 1.0', 'alpha: float = 0.5'),
    Mutation('s', LOSS, 's: float = 0.01', 's: float = 0.02'),
    Mutation('AWing', 'mmpose_sp/models/losses/adaptive_wing_loss.py', 'omega: float = 14.0', 'omega: float = 10.0'),
    Mutation('weight of soft-argmax', 'configs/_base_/objectives/softargmax.py', 'loss_weight=25.0', 'loss_weight=1.0'),
    Mutation('weight decay', ADAM, 'weight_decay=1e-5', 'weight_decay=1e-4'),
    Mutation("STAR's weight decay", STAR_WFLW, 'weight_decay=0', 'weight_decay=1e-5'),
    Mutation('batch statistics', ADAM, "sync_bn = 'torch'", 'sync_bn = None'),
    Mutation('gray', FACE, "RandomGrayscale', prob=0.2", "RandomGrayscale', prob=0.1"),
    Mutation('edges', CODEC, "edges: str = 'union'", "edges: str = 'own'"),
    Mutation('width of the edges', CODEC, 'edge_sigma: float = 1.0', 'edge_sigma: float = 2.0'),
    Mutation('eps', LOSS, 'eps: float = 1.0', 'eps: float = 0.5'),
    Mutation('margin', LOSS, "margin: str = 'smooth_l1'", "margin: str = 'l1'"),
    # the mathematics
    Mutation('Eq. 12: constant', OBJECTIVE, 'length - 0.5 * s)', 'length - s)', STRUCTURED),
    Mutation('Eq. 12: slope', OBJECTIVE, '0.5 / s * squared', '1.0 / s * squared', STRUCTURED),
    Mutation('Eq. 11: temperature', OBJECTIVE, 'values / eps, -1)', 'values, -1)', STRUCTURED),
    Mutation('fast: mean over samples', FAST, 'labels.shape[1])\n        return', '1)\n        return', STRUCTURED),
    Mutation('fast: peak', FAST, '.view_as(weight) - peak', '.view_as(weight)', STRUCTURED),
    Mutation('fast: near pixels', FAST, 'sums += near[part].sum(-1)', 'sums += 0 * near[part].sum(-1)', STRUCTURED),
    Mutation('fast: constant', MARGIN, '-0.5 * alpha * objective.s', '0.5 * alpha * objective.s', STRUCTURED),
    Mutation('fast: when exp overflows', MARGIN, '> 40 * eps', '> 400 * eps', STRUCTURED),
    Mutation('Eq. 13: correlation', SAMPLING, 'slope[..., None] * noise[..., 0]', '0 * noise[..., 0]', STRUCTURED),
    Mutation('Eq. 13: border', SAMPLING, 'size[1] - 0.5)', 'size[1] - 1)', STRUCTURED),
    Mutation('sites: window', SITES, "(w, h), radius=1)", "(w, h), radius=2)", POSTERIOR),
    Mutation('sites: step', SITES, 't[..., 0, 1]], dim=-1) / 2', 't[..., 0, 1]], dim=-1) / 3', POSTERIOR),
    Mutation('sites: middle', SITES, '+ middle[1]], dim', '+ middle[0]], dim', POSTERIOR),
    Mutation('map: half a pixel', MAPS, "'centers': (0.5, 0.5)", "'centers': (0.0, 0.0)", FACES),
    Mutation('map: quarter turns', MAPS, '[sine, cosine]], dtype', '[-sine, cosine]], dtype', FACES),
    Mutation('codec: outside', CODEC, 'self._middle + 0.5', 'self._middle + 1.5', CODECS),
    Mutation('codec: width of thin lines', EDGES, 'THIN_SUPERSAMPLING = 4, 16', 'THIN_SUPERSAMPLING = 8, 16', CODECS),
    Mutation('list: side of a crop', LIST, 'scale * UNIT', 'scale * UNIT * 2', DATASETS),
    Mutation('codec: maximum of E', COVARIANCE, 'refined_patches * share', 'refined_patches', CODECS),
    Mutation('metric: threshold', SCORES, 'nme > threshold)', 'nme >= threshold)', EVALUATION),
    Mutation('metric: mean', SCORES, '/ visible.sum(axis=1) / norm', '/ visible.shape[1] / norm', EVALUATION),
)  # fmt: skip


def apply(mutation: Mutation, folder: Path) -> str:
    """Change a file below ``folder``; returns its text before.

    Raises:
        ValueError: What is to be changed is not there, or more than once.
    """
    path = folder / mutation.file
    text = path.read_text()
    if text.count(mutation.old) != 1:
        found = text.count(mutation.old)
        raise ValueError(f'{mutation.name}: {mutation.file} has {mutation.old!r} {found} times, not once')
    path.write_text(text.replace(mutation.old, mutation.new))
    return text


def is_caught(mutation: Mutation, folder: Path) -> bool:
    """Whether a test fails, or none can run."""
    environment = dict(os.environ, PYTHONPATH=str(folder), PYTHONDONTWRITEBYTECODE='1')
    command = [sys.executable, '-m', 'pytest', '-x', '-q', '-p', 'no:cacheprovider', *mutation.tests]
    return subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL).returncode != 0


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('words', nargs='*', help='run only those whose name holds one of these')
    args = parser.parse_args(argv)
    chosen: List[Mutation] = [
        mutation for mutation in MUTATIONS if not args.words or any(word in mutation.name for word in args.words)
    ]
    survivors = 0
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / 'repository'
        for name in COPIED:
            source, target = ROOT / name, copy / name
            target.parent.mkdir(parents=True, exist_ok=True)
            (shutil.copytree if source.is_dir() else shutil.copy2)(source, target)
        for number, mutation in enumerate(chosen, 1):
            before = apply(mutation, copy)
            caught = is_caught(mutation, copy)
            (copy / mutation.file).write_text(before)
            survivors += not caught
            print(f'{number:3}/{len(chosen)} {"caught" if caught else "SURVIVED":8} {mutation.name}', flush=True)
    print(f'{len(chosen) - survivors} of {len(chosen)} caught')
    return int(survivors > 0)


if __name__ == '__main__':
    sys.exit(main())

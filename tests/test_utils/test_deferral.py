"""When mmpose_sp registers its parts, seen from fresh interpreters."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
FOUND = """
from mmpose.registry import DATASETS, HOOKS, KEYPOINT_CODECS, METRICS, MODELS, TRANSFORMS
for registry, name in (
    (MODELS, 'StructuredPredictionHead'), (MODELS, 'LiteUNet'), (KEYPOINT_CODECS, 'ImageAwareLabelSmoothing'),
    (DATASETS, 'SPWFLWDataset'), (TRANSFORMS, 'RandomOcclusion'), (METRICS, 'FaceAlignmentMetric'),
    (HOOKS, 'CheckpointGuardHook'),
):
    assert name in registry, name
"""


def run(program):
    environment = dict(os.environ, PYTHONPATH=str(ROOT))
    return subprocess.run([sys.executable, '-c', program], env=environment, capture_output=True, text=True)


@pytest.mark.parametrize(
    'first',
    [
        'import mmpose_sp',
        'import mmpose.models, mmpose_sp',
        # as mmengine carries out custom_imports, alone and after a light import of us
        'from mmengine.utils import import_modules_from_strings as take; take(["mmpose_sp"])',
        'import mmpose_sp.cli; from mmengine.utils import import_modules_from_strings as take; take(["mmpose_sp"])',
    ],
)
def test_everything_is_registered_whatever_comes_first(first):
    done = run(f'{first}\n{FOUND}')
    assert done.returncode == 0, done.stderr


def test_registries_of_others_get_nothing_of_ours():
    done = run(
        'import mmpose_sp, mmengine.registry as theirs, mmpose.registry as ours\n'
        'assert ours.MODELS._locations == ["mmpose.models", "mmpose_sp.registration"]\n'
        'assert ours.RUNNERS._locations == [], "mmengine takes another way for registries without locations"\n'
        'assert not any("mmpose_sp" in place for r in vars(theirs).values() for place in getattr(r, "_locations", []))'
    )
    assert done.returncode == 0, done.stderr


def test_importing_the_package_imports_no_foundation():
    done = run(
        'import sys, mmpose_sp, mmpose_sp.cli\n'
        'print({"torch", "mmengine", "mmcv", "mmdet", "mmpose", "numpy", "cv2"} & set(sys.modules))'
    )
    assert done.stdout.strip() == 'set()', done.stderr

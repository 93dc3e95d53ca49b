"""When mmpose_sp registers its parts, and what is said meanwhile, seen from fresh interpreters."""

import pytest
from forked import forked

pytestmark = pytest.mark.slow
FOUND = """
from mmpose.registry import DATASETS, HOOKS, KEYPOINT_CODECS, METRICS, MODELS, TRANSFORMS
for registry, name in (
    (MODELS, 'StructuredPredictionHead'), (MODELS, 'LiteUNet'), (KEYPOINT_CODECS, 'ImageAwareLabelSmoothing'),
    (DATASETS, 'SPWFLWDataset'), (TRANSFORMS, 'RandomOcclusion'), (METRICS, 'FaceAlignmentMetric'),
    (HOOKS, 'CheckpointGuardHook'),
):
    assert name in registry, name
"""
OTHERS = """
import mmengine.registry as theirs, mmpose.registry as ours
assert ours.MODELS._locations == ["mmpose.models", "mmpose_sp.registration"]
assert ours.RUNNERS._locations == [], "mmengine takes another way for registries without locations"
assert not any("mmpose_sp" in place for r in vars(theirs).values() for place in getattr(r, "_locations", []))
"""
TAKE = 'from mmengine.utils import import_modules_from_strings as take; take(["mmpose_sp"])'
PROGRAMS = {
    'registered by an import, and nothing in the registries of others': f'import mmpose_sp\n{OTHERS}\n{FOUND}',
    'registered though mmpose was first': f'import mmpose.models, mmpose_sp\n{FOUND}',
    # as mmengine carries out custom_imports, alone and after a light import of us
    'registered by custom_imports': f'{TAKE}\n{FOUND}',
    'registered after a light import': f'import mmpose_sp.cli\n{TAKE}\n{FOUND}',
    'quiet where all that inference needs is imported': 'import mmpose_sp.registration, mmpose.apis, mmdet.apis',
}


@pytest.fixture(scope='module')
def ended():
    # what mmpose imports of others takes half of the time
    return dict(zip(PROGRAMS, forked(PROGRAMS.values(), warm='import torch, torchvision, scipy.ndimage, cv2, shapely')))


@pytest.mark.parametrize('name', PROGRAMS)
def test_everything(name, ended):
    text, status = ended[name]
    assert status == 0, text
    assert 'quiet' not in name or not text


def test_importing_the_package_imports_no_foundation():
    foundations = {'torch', 'mmengine', 'mmcv', 'mmdet', 'mmpose', 'numpy', 'cv2'}
    program = f'import sys, mmpose_sp, mmpose_sp.cli\nprint({foundations} & set(sys.modules))'
    assert forked([program]) == [['set()\n', 0]]

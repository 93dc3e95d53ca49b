"""Where the stand-ins come from: this process, the environment, and never in place of the real ones."""

import subprocess
import sys

import pytest

from mmpose_sp import stand_ins


def run(code, *paths):
    """The standard output of Python code, with ``paths`` as all it can import beside the standard library."""
    lines = ['import sys', f'sys.path[:0] = {[str(path) for path in paths]!r}', code]
    result = subprocess.run([sys.executable, '-S', '-c', '\n'.join(lines)], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout.split()


@pytest.fixture
def site(tmp_path):
    """An environment of empty packages, mmcv-lite among them; stand_ins is the only code of ours there."""
    for path, text in {
        'mmcv/__init__.py': '',
        'torch.py': 'Tensor = object',
        'numpy.py': '',
        'pycocotools/__init__.py': '',
        'pycocotools/coco.py': 'class COCO: pass',
        'pycocotools/cocoeval.py': 'class COCOeval: pass\nclass Params: pass',
        'pycocotools/mask.py': '',
    }.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


USE = (
    'import mmcv._ext, xtcocotools\nfrom xtcocotools.coco import COCO\nprint(mmcv._ext.__file__, xtcocotools.__file__)'
)
SOURCE = stand_ins.HERE.parent  # mmpose_sp: `import stand_ins` without the registration of mmpose_sp


def test_provided_in_a_process_where_they_are_missing(site):
    files = run('import stand_ins\nstand_ins.provide()\n' + USE, site, SOURCE)
    assert files == [str(path) for path in stand_ins.FILES.values()]


def test_written_into_an_environment_for_programs_that_import_mmpose_first(site):
    written = run('import stand_ins\nprint(*stand_ins.write())', site, SOURCE)
    assert run(USE, site) == written == [str(site / 'mmcv/_ext.py'), str(site / 'xtcocotools.py')]


def test_written_anew_over_an_older_copy(site):
    (site / 'xtcocotools.py').write_text('IS_STAND_IN = True')
    run('import stand_ins\nstand_ins.write()', site, SOURCE)
    assert (site / 'xtcocotools.py').read_bytes() == stand_ins.FILES['xtcocotools'].read_bytes()


def test_the_real_ones_stay(site):
    (site / 'xtcocotools').mkdir()
    (site / 'xtcocotools/__init__.py').write_text('')
    (site / 'mmcv/_ext').mkdir()  # a package stands for the extension module: either is found before _ext.py
    (site / 'mmcv/_ext/__init__.py').write_text('')
    code = 'import stand_ins, mmcv._ext, xtcocotools\nprint(len(stand_ins.provide()), len(stand_ins.write()))\n'
    code += 'print(mmcv._ext.__file__, xtcocotools.__file__)'
    real = [str(site / 'mmcv/_ext/__init__.py'), str(site / 'xtcocotools/__init__.py')]
    assert run(code, site, SOURCE) == ['0', '0', *real]


def test_nothing_is_provided_for_a_package_that_is_not_there(tmp_path):
    code = 'import stand_ins\nprint(stand_ins.is_missing("mmcv._ext"))'
    assert run(code, SOURCE) == ['False']


def test_nothing_is_left_of_a_stand_in_that_cannot_stand(site):
    (site / 'pycocotools/mask.py').write_text('raise ImportError("no wheel")')
    code = 'import stand_ins, sys\ntry: stand_ins.provide()\nexcept ImportError as error: print(error)\n'
    assert run(code + 'print("xtcocotools" in sys.modules)', site, SOURCE) == ['no', 'wheel', 'False']


def test_sigmas_reach_the_evaluation_of_keypoints():
    evaluation = pytest.importorskip('xtcocotools.cocoeval')
    if not hasattr(sys.modules['xtcocotools'], 'IS_STAND_IN'):
        pytest.skip('xtcocotools itself is installed')
    assert evaluation.COCOeval(iouType='keypoints', sigmas=[0.1, 0.2]).params.kpt_oks_sigmas.tolist() == [0.1, 0.2]
    with pytest.raises(NotImplementedError, match="'keypoints_crowd'.*pip install"):
        evaluation.COCOeval(iouType='keypoints_crowd')

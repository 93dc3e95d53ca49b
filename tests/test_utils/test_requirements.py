"""Version bounds and the report on the environment, also where hardly anything can be imported."""

import os
import subprocess
import sys
import types
from importlib import metadata
from pathlib import Path

import pytest

from mmpose_sp.utils import collect_env, requirements
from mmpose_sp.utils.requirements import CORE, Requirement, check_versions

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    'version, accepted',
    [
        ('2.0.0', False),
        ('2.0.1', True),
        ('2.1.0rc4', True),
        ('2.1+cu130', True),
        ('2.10.0', False),
        ('2.2', False),
        ('', False),
    ],
)
def test_bounds(version, accepted):
    assert Requirement('mmcv', '2.0.1', '2.2', 'fix').accepts(version) is accepted


def installed(monkeypatch, **versions):
    """Pretend that these versions are installed; None: not installed."""
    real = metadata.version

    def version(name):
        found = versions[name] if name in versions else real(name)
        if found is None:
            raise metadata.PackageNotFoundError(name)
        return found

    monkeypatch.setattr(metadata, 'version', version)
    for name, found in versions.items():
        if found is None:
            monkeypatch.setitem(sys.modules, name, None)  # import fails


def test_this_environment_is_accepted():
    check_versions()


def test_every_problem_is_named_with_its_fix(monkeypatch):
    installed(monkeypatch, mmcv='2.2.0', mmdet=None)
    with pytest.raises(ImportError) as error:
        check_versions()
    message = str(error.value)
    fixes = {item.name: item.fix for item in CORE}
    assert 'mmcv 2.2.0 is installed, mmpose_sp wants >=2.0.1,<2.2' in message
    assert 'mmdet is not installed' in message
    assert fixes['mmcv'] in message
    assert fixes['mmdet'] in message
    assert fixes['mmpose'] not in message, 'what is right is not mentioned'


LITE, FORK = {'mmcv': None, 'mmcv-lite': '2.1.0'}, {'mmcv': None, 'mmcv-lite': None, 'onedl-mmcv': '2.3.6'}
FORKS = dict(FORK, mmengine=None, mmdet=None, **{'onedl-mmengine': '0.10.12', 'onedl-mmdetection': '3.5.1'})


@pytest.mark.parametrize('versions', [LITE, FORKS], ids=['mmcv-lite', 'the forks'])
def test_other_distributions_of_the_foundations_are_accepted(monkeypatch, versions):
    installed(monkeypatch, **dict(versions, mmpose='1.3.2'))
    check_versions()


@pytest.mark.parametrize(
    'versions, message',
    [
        (dict(FORKS, **{'onedl-mmcv': '2.4.0'}), 'onedl-mmcv 2.4.0 is installed, mmpose_sp wants >=2.0.1,<2.2'),
        (dict(FORKS, **{'onedl-mmdetection': '3.4.0'}), 'onedl-mmdetection 3.4.0 is installed'),
        (dict(FORKS, **{'onedl-mmengine': None}), 'mmengine is not installed'),
        (dict(LITE, **{'mmcv-lite': '2.2.0'}), 'mmcv-lite 2.2.0 is installed'),
        # mmdet and mmpose assert these at their import
        (dict(FORKS, mmdet='3.3.0'), 'mmdet 3.3.0 refuses onedl-mmcv 2.3.6, it wants mmcv <2.2. Fix: pip install --no'),
        (dict(FORKS, mmpose='1.3.1'), 'mmpose 1.3.1 refuses onedl-mmcv 2.3.6, it wants mmcv <2.3.1. Fix: pip install'),
    ],
)
def test_other_distributions_have_bounds_as_well(monkeypatch, versions, message):
    installed(monkeypatch, **{'mmpose': '1.3.2', **versions})
    with pytest.raises(ImportError) as error:
        check_versions()
    assert message in str(error.value)
    assert str(error.value).count('Fix: ') == 1


def test_old_mmpose_and_mmdet_take_old_mmcv(monkeypatch):
    installed(monkeypatch, **dict(LITE, mmpose='1.3.1', mmdet='3.3.0'))
    check_versions()


def results(capsys, *arguments):
    """Exit code and the report's lines, by requirement."""
    code = collect_env.main(list(arguments))
    return code, capsys.readouterr().out


def test_report_of_this_environment(capsys):
    code, report = results(capsys)
    assert code == 0
    assert report.count('[ok]') == len(collect_env.checks())
    assert results(capsys, '--quiet') == (0, '')


def line_of(report, name):
    """The line of a requirement and the one after it."""
    lines = report.splitlines()
    (index,) = [i for i, line in enumerate(lines) if line[5:].split()[:1] == [name]]
    return '\n'.join(lines[index : index + 2])


@pytest.mark.parametrize(
    'module, name, fix',
    [
        ('torchvision', 'torchvision', 'pip install "torchvision==0.28.*"'),
        ('mmcv.ops', 'mmcv.ops', 'python -m mmpose_sp.stand_ins'),
        ('pkg_resources', 'setuptools', 'pip install "setuptools<81"'),
        ('xtcocotools.coco', 'xtcocotools', 'pip install pycocotools'),
        ('six', 'six', 'pip install six'),
    ],
)
def test_report_of_an_import_that_fails(monkeypatch, capsys, module, name, fix):
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setattr(collect_env, 'torchvision_wanted', lambda: '0.28.* (for torch 2.13)')
    code, report = results(capsys)
    assert code == 1
    assert line_of(report, name).startswith(f'[!!] {name}')
    assert fix in line_of(report, name)


def test_report_says_whose_operators_are_in_use(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, 'mmcv._ext', types.SimpleNamespace(IS_STAND_IN=True))
    assert "found: torchvision's" in line_of(results(capsys)[1], 'mmcv.ops')
    monkeypatch.setitem(sys.modules, 'mmcv._ext', types.SimpleNamespace())
    assert 'found: compiled' in line_of(results(capsys)[1], 'mmcv.ops')


def test_report_names_the_distribution_that_is_there(monkeypatch, capsys):
    installed(monkeypatch, **dict(FORK, mmdet='3.3.0'))
    report = results(capsys)[1]
    assert 'found: onedl-mmcv 2.3.6' in line_of(report, 'mmcv')
    assert 'refuses onedl-mmcv 2.3.6' in line_of(report, 'mmdet')
    assert 'fix: pip install --no-deps onedl-mmdetection' in line_of(report, 'mmdet')


@pytest.mark.parametrize('torch, torchvision', [('2.13.0', '0.28.*'), ('2.1.2+cpu', '0.16.*')])
def test_torchvision_that_goes_with_torch(monkeypatch, torch, torchvision):
    monkeypatch.setattr(collect_env, 'find_version', lambda name: torch)
    assert collect_env.torchvision_wanted().startswith(torchvision)


def test_import_problem_is_one_line(tmp_path, monkeypatch):
    (tmp_path / 'broken_binary.py').write_text('raise ValueError("numpy.dtype size changed\\nsecond line")')
    monkeypatch.syspath_prepend(tmp_path)
    assert collect_env.import_problem('broken_binary') == 'import broken_binary: ValueError: numpy.dtype size changed'


@pytest.fixture
def broken_torch(tmp_path):
    """Environment variables of an interpreter whose torch raises and whose mmcv claims to be 2.2.0."""
    (tmp_path / 'torch.py').write_text('raise OSError("libcudart.so: cannot open shared object file")')
    info = tmp_path / 'mmcv-2.2.0.dist-info'
    info.mkdir()
    (info / 'METADATA').write_text('Metadata-Version: 2.1\nName: mmcv\nVersion: 2.2.0\n')
    return dict(os.environ, PYTHONPATH=f'{tmp_path}{os.pathsep}{ROOT}', PYTHONWARNINGS='ignore')


def python(environment, *arguments):
    return subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True)


def test_command_reports_where_the_package_cannot_be_imported(broken_torch):
    done = python(broken_torch, '-m', 'mmpose_sp.utils.collect_env')
    assert done.returncode == 1
    assert 'libcudart.so' in line_of(done.stdout, 'torch')
    assert '2.2.0 (wrong version)' in line_of(done.stdout, 'mmcv')
    assert line_of(done.stdout, 'h5py').startswith('[ok]'), 'the report goes on to its end'
    assert not done.stderr


def report_with_nothing_but(*folders):
    """The report in an interpreter that finds the standard library and what is in these folders."""
    paths = [str(folder) for folder in folders]
    code = (
        f'import sys; sys.path[:0] = {paths}; from mmpose_sp.utils import collect_env; sys.exit(collect_env.main([]))'
    )
    return python(dict(os.environ), '-I', '-S', '-c', code)


def test_command_reports_where_nothing_is_installed():
    done = report_with_nothing_but(ROOT)
    assert done.returncode == 1 and not done.stderr, done.stderr
    for name in ('numpy', 'opencv', 'pillow', 'onnxruntime'):
        assert line_of(done.stdout, name).startswith(f'[!!] {name}')
    assert 'torchvision' not in done.stdout and 'without torch' in done.stdout


def test_command_reports_where_torch_is_all_there_is(tmp_path):
    (tmp_path / 'torch.py').write_text('')
    done = report_with_nothing_but(ROOT, tmp_path)
    assert done.returncode == 1 and not done.stderr, done.stderr
    assert 'ModuleNotFoundError' in line_of(done.stdout, 'mmcv.ops')
    assert 'pip install pycocotools' in line_of(done.stdout, 'xtcocotools')


def test_report_of_the_installation_without_torch(monkeypatch, capsys):
    pytest.importorskip('onnxruntime')
    monkeypatch.setattr(collect_env, 'is_without_torch', lambda: True)
    code, report = results(capsys)
    assert code == 0 and 'without torch' in report
    installed(monkeypatch, onnxruntime='1.18.1')
    code, report = results(capsys)
    assert code == 1
    assert 'found: 1.18.1 (wrong version)' in line_of(report, 'onnxruntime')
    assert 'fix: pip install "onnxruntime>=1.19"' in line_of(report, 'onnxruntime')


def test_report_of_bounds_that_need_no_distribution(monkeypatch, capsys):
    cv2 = pytest.importorskip('cv2')
    assert f'found: {cv2.__version__} ' in line_of(results(capsys)[1], 'opencv')
    monkeypatch.setattr(cv2, '__version__', '4.13.0')
    installed(monkeypatch, numpy='2.4.0')
    report = results(capsys)[1]
    assert 'found: 4.13.0 (wrong version)' in line_of(report, 'opencv')
    assert 'fix: pip install "numpy<2.4"' in line_of(report, 'numpy')


def test_the_extra_and_the_check_have_one_bound():
    bound = f'"onnxruntime>={requirements.ONNXRUNTIME.minimum}"'
    text = (ROOT / 'pyproject.toml').read_text()
    assert text.count(bound) == text.count('"onnxruntime') == 2


@pytest.mark.parametrize(
    'statement',
    [
        'from mmpose_sp.apis import FaceLandmarker',
        'from mmpose_sp.codecs import ImageAwareLabelSmoothing',
        'import mmpose_sp.models',
        'import mmpose_sp.registration',
        'import sys; sys.modules["mmengine"] = sys; import mmpose_sp',  # by custom_imports
    ],
)
def test_import_names_the_fix(broken_torch, statement):
    done = python(broken_torch, '-c', statement)
    assert done.returncode == 1
    assert 'mmcv 2.2.0 is installed' in done.stderr
    assert dict((item.name, item.fix) for item in requirements.CORE)['mmcv'] in done.stderr  # noqa: C402


@pytest.mark.parametrize(
    'there, message, expected',
    [
        (False, 'mmpretrain.VisionTransformer is not in the mmpose::model registry', ModuleNotFoundError),
        (True, 'mmpretrain.NoTransformer is not in the mmpose::model registry', KeyError),
        (False, 'NoUNet is not in the mmpose::model registry', KeyError),
    ],
)
def test_an_extra_is_named_where_it_is_what_is_missing(monkeypatch, there, message, expected):
    monkeypatch.setattr(requirements, 'find_spec', lambda name: there or None)
    with pytest.raises(expected) as error, requirements.extras_named():
        raise KeyError(message)
    assert ("'vit'" in str(error.value)) is (expected is ModuleNotFoundError)

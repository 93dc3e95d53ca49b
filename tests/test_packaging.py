"""The wheel: what is in it, and that it works by itself, far from the clone."""

import hashlib
import os
import shutil
import sys
import venv
import zipfile
from email import message_from_bytes
from functools import partial
from pathlib import Path

import pytest
import yaml
from tools_by_path import ROOT, run_tool

setuptools = pytest.importorskip('setuptools')
if int(setuptools.__version__.split('.')[0]) < 77:
    pytest.skip('building needs setuptools >= 77', allow_module_level=True)

SOURCES = 'pyproject.toml setup.py MANIFEST.in README.md CHANGELOG.md LICENSE model-index.yml mmpose_sp configs tools'
NAME = 'face_2d_keypoint/topdown_heatmap/wflw/td-hm_lite-unet_sp-1xb16-100e_wflw-128x128.py'
UNPACKED = shutil.ignore_patterns('__pycache__', '*.pyc')


run = partial(run_tool, without=('PYTHONPATH', 'VIRTUAL_ENV'))  # a command that sees nothing of the clone


def build(source, kind, folder):
    """Build a 'wheel', 'editable' or 'sdist' of ``source`` as pip does, but with what is installed here."""
    folder.mkdir()
    code = f'from setuptools import build_meta; build_meta.build_{kind}({str(folder)!r})'
    run(sys.executable, '-c', code, cwd=source)
    (built,) = folder.iterdir()
    return built


@pytest.fixture(scope='module')
def source(tmp_path_factory):
    """A copy of what the package is made of, since builds write beside their sources."""
    folder = tmp_path_factory.mktemp('source')
    for name in SOURCES.split():
        path = ROOT / name
        if path.is_dir():
            shutil.copytree(path, folder / name, ignore=UNPACKED)
        else:
            shutil.copy2(path, folder)
    return folder


@pytest.fixture(scope='module')
def wheel(source, tmp_path_factory):
    return build(source, 'wheel', tmp_path_factory.mktemp('wheel') / 'dist')


def contents(wheel):
    """The files of a wheel with a digest of each; RECORD says the same and is left out."""
    with zipfile.ZipFile(wheel) as archive:
        return {
            name: hashlib.sha256(archive.read(name)).hexdigest()
            for name in archive.namelist()
            if not name.endswith(('/', '/RECORD'))
        }


def files(folder):
    return {path.relative_to(ROOT).as_posix() for path in (ROOT / folder).rglob('*') if path.is_file()} - {
        path.relative_to(ROOT).as_posix() for path in (ROOT / folder).rglob('__pycache__/*')
    }


def test_the_wheel_holds_package_configs_and_tools(wheel):
    held = set(contents(wheel))
    assert files('mmpose_sp') <= held
    mim = {name[len('mmpose_sp/.mim/') :] for name in held if name.startswith('mmpose_sp/.mim/')}
    assert mim == files('configs') | files('tools') - {'tools/setup_env.py', 'tools/demo.py'} | {'model-index.yml'}
    for name in ('py.typed', 'weights/lite-unet_sp_300w-part.pth', 'weights/lite-unet_sp_300w-part.md'):
        assert f'mmpose_sp/{name}' in held
    assert not [name for name in held if '__pycache__' in name or name.startswith(('tests', 'configs', 'tools'))]


def test_scripts_can_be_executed(wheel):
    with zipfile.ZipFile(wheel) as archive:
        modes = {info.filename: info.external_attr >> 16 for info in archive.infolist()}
    for path in (ROOT / 'tools').glob('*.sh'):
        assert bool(modes[f'mmpose_sp/.mim/tools/{path.name}'] & 0o111) == os.access(path, os.X_OK), path.name


def test_the_index_leads_to_every_config_of_the_wheel(wheel):
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
        index = yaml.safe_load(archive.read('mmpose_sp/.mim/model-index.yml'))
        for metafile in index['Import']:
            for model in yaml.safe_load(archive.read(f'mmpose_sp/.mim/{metafile}'))['Models']:
                assert f'mmpose_sp/.mim/{model["Config"]}' in held


def test_metadata(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith('.dist-info/METADATA')]
        metadata = message_from_bytes(archive.read(name))
    version = {}
    exec((ROOT / 'mmpose_sp/version.py').read_text(), version)
    assert metadata['Version'] == version['__version__']
    assert metadata['License-Expression'] == 'Apache-2.0 AND BSD-3-Clause'
    required = [line.split(';')[0].split('>')[0].strip() for line in metadata.get_all('Requires-Dist')]
    assert not {'torch', 'torchvision', 'mmcv', 'mmcv-lite', 'mmengine', 'mmdet', 'mmpose'} & set(required)
    base = [line for line in metadata.get_all('Requires-Dist') if 'extra ==' not in line]
    assert not {'h5py', 'matplotlib', 'scipy'} & set(base), 'the runtime extra is to be light'
    assert {'train', 'runtime', 'onnx', 'vit'} <= set(metadata.get_all('Provides-Extra'))


def test_the_sdist_builds_the_same_wheel(source, wheel, tmp_path):
    sdist = build(source, 'sdist', tmp_path / 'sdist')
    shutil.unpack_archive(str(sdist), tmp_path)
    again = build(tmp_path / sdist.name[: -len('.tar.gz')], 'wheel', tmp_path / 'dist')
    assert contents(again) == contents(wheel)


def environment(folder, wheel):
    """The interpreter of a new environment: what this one has, and ``wheel`` instead of the clone."""
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / 'bin' / 'python'
    site = Path(run(python, '-c', 'import sysconfig; print(sysconfig.get_path("purelib"))', cwd=folder).strip())
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    # Lines that are paths extend sys.path; the .pth files in those folders are not read.
    others = [path for path in sys.path if path.endswith('-packages')]
    (site / 'zz_others.pth').write_text('\n'.join(others) + '\n')
    # setuptools' own: mmengine imports distutils, which Python has no more from 3.12 on.
    for hook in [path for other in others for path in Path(other).glob('distutils-precedence.pth')][:1]:
        shutil.copyfile(str(hook), str(site / 'zzz_distutils.pth'))
    return python


@pytest.fixture(scope='module')
def installed(wheel, tmp_path_factory):
    return environment(tmp_path_factory.mktemp('installed') / 'env', wheel)


LOOK_UP = """
import sys
from mmengine.config import Config
assert 'mmpose_sp' not in sys.modules
config = Config.fromfile({file!r}, import_custom_modules=False)
assert 'mmpose_sp' not in sys.modules
print(config.model.head.type, config.codec.type)
from mmengine.config.config import Config
print(Config._get_cfg_path('mmpose_sp::{name}', '')[0])
print(Config._get_cfg_path('mmpose::_base_/default_runtime.py', '')[0])
"""


def look_up(python, folder):
    """Where ``mmpose_sp::NAME`` leads before anything imports mmpose_sp, as in mmpose's train.py."""
    file = folder / 'mine.py'
    file.write_text(f"_base_ = 'mmpose_sp::{NAME}'\n")
    lines = run(python, '-c', LOOK_UP.format(file=str(file), name=NAME), cwd=folder).splitlines()
    assert lines[-3].split() == ['StructuredPredictionHead', 'ImageAwareLabelSmoothing']
    assert lines[-1].endswith('mmpose/.mim/configs/_base_/default_runtime.py'), "mmpose's own names are left alone"
    return Path(lines[-2])


def test_names_lead_into_the_installed_wheel(installed, tmp_path):
    path = look_up(installed, tmp_path)
    assert path.as_posix().endswith(f'/site-packages/mmpose_sp/.mim/configs/{NAME}')
    assert installed.parents[1] in path.parents


def test_a_packaged_model_inherits_the_config_of_the_wheel(installed, tmp_path):
    code = (
        'from mmengine.config import Config\nfrom mmpose_sp.apis.packaged import PACKAGED, packaged_model\n'
        'for name in PACKAGED: print(Config.fromfile(packaged_model(name)[0]).codec.input_size)'
    )
    assert run(installed, '-c', code, cwd=tmp_path).splitlines()[-2:] == ['(128, 128)', '(256, 256)']


def test_names_lead_into_the_clone_of_an_editable_install(source, tmp_path):
    before = {path.name for path in source.iterdir()}
    python = environment(tmp_path / 'env', build(source, 'editable', tmp_path / 'dist'))
    assert look_up(python, tmp_path) == source / 'configs' / NAME
    assert not (source / 'mmpose_sp' / '.mim').exists()
    assert {path.name for path in source.iterdir()} - before <= {'build', 'mmpose_sp.egg-info'}


def test_a_name_that_is_wrong(installed, tmp_path):
    code = "from mmengine.config.config import Config; Config._get_cfg_path('mmpose_sp::face/none.py', '')"
    output = run(installed, '-c', code, cwd=tmp_path, ok=False)
    assert 'FileNotFoundError: mmpose_sp::face/none.py: no such config below' in output


def test_starting_python_imports_nothing_more(installed, tmp_path):
    loaded = 'import sys; print(*sorted(sys.modules), sep="\\n")'
    modules = set(run(installed, '-c', loaded, cwd=tmp_path).split())
    without = set(run(installed, '-S', '-c', loaded, cwd=tmp_path).split())
    (tmp_path / 'env').mkdir()
    venv.create(tmp_path / 'env', with_pip=False, symlinks=True)
    plain = set(run(tmp_path / 'env' / 'bin' / 'python', '-c', loaded, cwd=tmp_path).split())
    # Python 3.13 reads .pth files through this codec; the other is setuptools' own, see above.
    others = {'encodings.utf_8_sig', '_distutils_hack'}
    assert modules - plain - without - others == {'_mmpose_sp_config_names'}


def test_the_wheel_trains_a_config_by_its_name_with_the_train_script_of_mmpose(installed, tmp_path):
    script = 'import importlib.util as u; print(u.find_spec("{0}").submodule_search_locations[0] + "/.mim/tools")'
    ours, theirs = (
        Path(run(installed, '-c', script.format(package), cwd=tmp_path).strip()) for package in ('mmpose_sp', 'mmpose')
    )
    assert ROOT not in ours.parents
    converters = ours / 'dataset_converters'
    # So many test faces that each subset has one.
    few = ['--num-train', '4', '--num-test', '48', '--size', '96', '--seed', '4']
    run(installed, converters / 'synthetic_faces.py', 'raw', *few, cwd=tmp_path)
    run(installed, converters / 'wflw2coco.py', 'raw', 'data/wflw', cwd=tmp_path)
    here = 'num_workers=0, persistent_workers=False'
    (tmp_path / 'mine.py').write_text(
        f"_base_ = 'mmpose_sp::{NAME}'\n"
        f'train_dataloader = dict(batch_size=4, {here})\nval_dataloader = dict({here})\n'
        'train_cfg = dict(max_epochs=1, val_interval=1)\n'
    )
    output = run(installed, theirs / 'train.py', 'mine.py', cwd=tmp_path)
    assert 'Epoch(val)' in output
    assert (tmp_path / 'work_dirs' / 'mine' / 'epoch_1.pth').stat().st_size > 0

"""The set-up script: the wheel of mmcv is compiled once, progress is legible, done is done."""

import importlib.util
import signal
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def setup_env(tmp_path, monkeypatch):
    """The script as a module, with its cache in a temporary folder."""
    spec = importlib.util.spec_from_file_location('setup_env', ROOT / 'tools' / 'setup_env.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    monkeypatch.delenv('FORCE_CUDA', raising=False)
    return module


def write_wheel(folder):
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / 'mmcv-2.1.0-cp311-cp311-linux_x86_64.whl'
    with zipfile.ZipFile(wheel, 'w') as archive:
        archive.writestr('mmcv/__init__.py', 'x' * 1000)
    return wheel


def test_mmcv_is_compiled_once(setup_env, monkeypatch, tmp_path):
    compiled = []
    monkeypatch.setattr(setup_env, 'compile_mmcv', lambda build, lock: compiled.append(write_wheel(build / 'wheel')))
    first = setup_env.mmcv_wheel()
    assert first == setup_env.mmcv_wheel()
    assert len(compiled) == 1
    assert first.is_relative_to(tmp_path / 'cache' / 'mmpose_sp' / 'wheels')
    assert not compiled[0].exists(), 'the build folder is gone'


def test_a_damaged_wheel_is_compiled_again(setup_env, monkeypatch):
    monkeypatch.setattr(setup_env, 'compile_mmcv', lambda build, lock: write_wheel(build / 'wheel'))
    wheel = setup_env.mmcv_wheel()
    wheel.write_bytes(wheel.read_bytes()[:100])
    assert setup_env.whole_wheel(wheel.parent) is None
    assert setup_env.whole_wheel(setup_env.mmcv_wheel().parent) == wheel


def test_a_build_that_outlived_its_set_up_is_used(setup_env, monkeypatch):
    write_wheel(setup_env.wheel_folder()[1] / 'wheel')
    monkeypatch.setattr(setup_env, 'compile_mmcv', lambda build, lock: pytest.fail('compiled again'))
    assert setup_env.mmcv_wheel().exists()


def test_the_wheel_depends_on_torch_and_operators(setup_env, monkeypatch):
    name = setup_env.wheel_folder()[0].name
    assert name.startswith('mmcv2.1.0-torch2.13.0-cpu-')
    monkeypatch.setenv('FORCE_CUDA', '1')
    assert '-cuda-' in setup_env.wheel_folder()[0].name
    monkeypatch.setattr(setup_env, 'read', lambda path: 'torch==9.9.9\n')
    assert 'torch9.9.9' in setup_env.wheel_folder()[0].name


def test_progress_without_a_terminal(setup_env, capsys):
    with setup_env.BuildProgress() as progress:
        progress.live = False
        for i in range(1, 78):
            progress.line('copying mmcv/ops/nms.py\n')
            progress.line(f'  [{i}/77] c++ -MMD nms.o\n')
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 11, 'a line for each tenth'
    assert '8 of 77 files' in lines[1]
    assert 'packing the wheel' in lines[-1]


def test_nothing_is_done_twice(setup_env, monkeypatch, tmp_path):
    installs = []
    monkeypatch.setattr(setup_env, 'DONE', tmp_path / 'done')
    monkeypatch.setattr(setup_env, 'PYTHON', Path(__file__))
    monkeypatch.setattr(setup_env, 'ROOT', tmp_path)
    (tmp_path / 'setup.py').write_text('')
    monkeypatch.setattr(setup_env, 'use_right_python', lambda: None)
    monkeypatch.setattr(setup_env, 'install', lambda: installs.append(1))
    setup_env.main()
    setup_env.main()
    assert len(installs) == 1
    (tmp_path / 'setup.py').write_text('# changed')
    setup_env.main()
    assert len(installs) == 2, 'a change of what decides the environment sets it up again'


def test_an_interrupted_set_up_is_not_done(setup_env, monkeypatch, tmp_path):
    monkeypatch.setattr(setup_env, 'DONE', tmp_path / 'done')
    monkeypatch.setattr(setup_env, 'use_right_python', lambda: None)

    def interrupt():
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(setup_env, 'install', interrupt)
    with pytest.raises(KeyboardInterrupt):
        setup_env.main()
    assert not (tmp_path / 'done').exists()


def test_settings_of_pip_reach_uv(setup_env, monkeypatch):
    for name in ('UV_DEFAULT_INDEX', 'UV_INDEX_URL', 'SSL_CERT_FILE'):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv('PIP_INDEX_URL', 'https://mirror.example/simple')
    monkeypatch.setenv('PIP_CERT', '/certs.pem')
    env = setup_env.uv_environment()
    assert (env['UV_DEFAULT_INDEX'], env['SSL_CERT_FILE']) == ('https://mirror.example/simple', '/certs.pem')
    monkeypatch.setenv('UV_DEFAULT_INDEX', 'https://own.example/simple')
    assert setup_env.uv_environment()['UV_DEFAULT_INDEX'] == 'https://own.example/simple'


def test_a_failing_command_is_an_error_that_names_it(setup_env):
    with pytest.raises(setup_env.SetupError, match='false --option'):
        setup_env.run('false', '--option')


def test_another_python_is_an_error_with_the_fix(setup_env, monkeypatch):
    monkeypatch.setattr(setup_env, 'PYTHON_VERSION', (3, 99))
    with pytest.raises(setup_env.SetupError, match='apt-get install python3.99 python3.99-venv'):
        setup_env.use_right_python()

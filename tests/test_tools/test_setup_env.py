"""The set-up script: right Python, requirements before downloads, done is done, choices are kept."""

import re
import signal
import sys
import types

import pytest
from tools_by_path import ROOT, load_tool


@pytest.fixture
def setup_env(tmp_path, monkeypatch):
    """The script as a module, for a repository and a .venv in a temporary folder."""
    module = load_tool('setup_env')
    for name in ('MMCV', 'TORCH', 'FORCE_CUDA'):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(module, 'ROOT', tmp_path)
    monkeypatch.setattr(module, 'DONE', tmp_path / 'done')
    for name in ('setup.py', 'pyproject.toml'):
        (tmp_path / name).write_text('')
    return module


@pytest.fixture
def fake(setup_env, monkeypatch):
    """The script without effects: every step leaves its name and arguments in the list that this is."""
    steps = []
    monkeypatch.setattr(setup_env, 'venv_version', lambda: sys.version_info[:2])
    monkeypatch.setattr(setup_env, 'PYTHON_VERSIONS', (sys.version_info[:2],))
    monkeypatch.setattr(setup_env, 'check_requirements', lambda *choice: steps.append(('check', *choice)))
    monkeypatch.setattr(setup_env, 'make_venv', lambda: steps.append(('venv',)))
    monkeypatch.setattr(setup_env, 'install', lambda *choice: steps.append(('install', *choice)))
    monkeypatch.setattr(sys, 'argv', ['setup_env.py'])
    return steps


def test_nothing_is_done_twice(setup_env, fake, tmp_path):
    setup_env.main()
    assert fake == [('check', 'lite', 'default'), ('venv',), ('install', 'lite', 'default')]
    setup_env.main()
    assert len(fake) == 3
    (tmp_path / 'pyproject.toml').write_text('# changed')
    setup_env.main()
    assert len(fake) == 6, 'a change of what decides the environment sets it up again'


def test_an_interrupted_set_up_is_not_done_and_remembers_what_was_asked_for(setup_env, fake, monkeypatch):
    install = setup_env.install
    monkeypatch.setattr(setup_env, 'install', lambda *choice: signal.raise_signal(signal.SIGINT))
    monkeypatch.setenv('MMCV', 'compiled')
    with pytest.raises(KeyboardInterrupt):
        setup_env.main()
    monkeypatch.setattr(setup_env, 'install', install)
    monkeypatch.delenv('MMCV')
    setup_env.main()
    assert fake[-1] == ('install', 'compiled', 'default')


def test_compiled_mmcv_stays_until_asked_otherwise(setup_env, fake, monkeypatch, tmp_path):
    monkeypatch.setenv('MMCV', 'compiled')
    setup_env.main()
    monkeypatch.delenv('MMCV')
    setup_env.main()
    assert len(fake) == 3, 'nothing to do'
    (tmp_path / 'pyproject.toml').write_text('# changed')
    setup_env.main()
    assert fake[-1] == ('install', 'compiled', 'default')
    monkeypatch.setenv('MMCV', 'lite')
    setup_env.main()
    assert fake[-1] == ('install', 'lite', 'default')


def test_a_misspelt_choice_is_an_error(setup_env, monkeypatch):
    monkeypatch.setenv('MMCV', 'full')
    with pytest.raises(setup_env.SetupError, match='MMCV=full: it can be lite or compiled'):
        setup_env.choices()


def test_a_missing_compiler_is_told_before_anything_is_downloaded(setup_env, monkeypatch):
    monkeypatch.setattr(setup_env, 'output', lambda *command: '3 12')
    monkeypatch.delenv('CXX', raising=False)
    monkeypatch.setattr(setup_env.shutil, 'which', lambda name: None)
    setup_env.check_requirements('lite', 'default')
    with pytest.raises(setup_env.SetupError, match='C\\+\\+ compiler.*\n.*apt-get install g\\+\\+'):
        setup_env.check_requirements('compiled', 'default')


def test_a_full_disk_is_told_before_anything_is_downloaded(setup_env, monkeypatch):
    monkeypatch.setattr(setup_env, 'output', lambda *command: None if command[0] == setup_env.PYTHON else '3 12')
    monkeypatch.setattr(setup_env.shutil, 'disk_usage', lambda path: types.SimpleNamespace(free=3e9))
    with pytest.raises(setup_env.SetupError, match='up to 6 GB .* has 3.0 GB free'):
        setup_env.check_requirements('lite', 'default')
    setup_env.check_requirements('lite', 'cpu')


def test_another_python_hands_over_to_one_of_the_lock(setup_env, monkeypatch):
    monkeypatch.setattr(setup_env, 'PYTHON_VERSIONS', ((3, 99), (3, 98)))
    monkeypatch.setattr(setup_env, 'venv_version', lambda: None)
    monkeypatch.setattr(setup_env.shutil, 'which', lambda name: f'/bin/{name}' if name == 'python3.98' else None)
    handed = []
    monkeypatch.setattr(setup_env.os, 'execv', lambda path, arguments: handed.append(path))
    setup_env.use_right_python(chosen=False)
    assert handed == ['/bin/python3.98']
    with pytest.raises(setup_env.SetupError, match='apt-get install python3 python3-venv'):
        setup_env.use_right_python(chosen=True)


def test_the_venv_that_is_there_keeps_its_python_unless_another_is_named(setup_env, monkeypatch):
    handed = []
    monkeypatch.setattr(setup_env.os, 'execv', lambda path, arguments: handed.append(path))
    monkeypatch.setattr(setup_env, 'PYTHON_VERSIONS', (sys.version_info[:2], (3, 98)))
    monkeypatch.setattr(setup_env, 'venv_version', lambda: (3, 98))
    setup_env.use_right_python(chosen=True)
    assert handed == []
    setup_env.use_right_python(chosen=False)
    assert handed == [str(setup_env.PYTHON)]


def test_settings_of_pip_reach_uv(setup_env, monkeypatch):
    for name in ('UV_DEFAULT_INDEX', 'UV_INDEX_URL', 'SSL_CERT_FILE'):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv('PIP_INDEX_URL', 'https://mirror.example/packages')
    monkeypatch.setenv('PIP_CERT', '/certs.pem')
    env = setup_env.uv_environment()
    assert (env['UV_DEFAULT_INDEX'], env['SSL_CERT_FILE']) == ('https://mirror.example/packages', '/certs.pem')
    monkeypatch.setenv('UV_DEFAULT_INDEX', 'https://own.example/packages')
    assert setup_env.uv_environment()['UV_DEFAULT_INDEX'] == 'https://own.example/packages'


def test_a_failing_command_is_an_error_that_names_it(setup_env):
    with pytest.raises(setup_env.SetupError, match='false --option'):
        setup_env.run('false', '--option')


@pytest.mark.parametrize('name', ['lock.txt', 'uv.txt'])
def test_every_pin_has_hashes(name):
    entries = re.split(r'\n(?=\S)', (ROOT / 'requirements' / name).read_text().strip())
    assert entries
    assert [entry for entry in entries if not re.match(r'[\w.-]+==\S+( ;[^\\]*)? \\\n *--hash=sha256:', entry)] == []


def test_the_lock_without_cuda_keeps_everything_else(setup_env):
    def names(text):
        return re.findall(r'^([\w-]+)==', text, re.MULTILINE)

    gone = set(names(setup_env.LOCK.read_text())) - set(names(setup_env.lock_without_cuda()))
    assert gone >= {'torch', 'torchvision', 'triton', 'nvidia-cudnn-cu13'}
    assert all(re.match('torch|triton|nvidia|cuda', name) for name in gone)


def test_the_lock_holds_what_the_lists_ask_for():
    wanted = [
        re.split(r'[<>=# ]', line)[0]
        for path in (ROOT / 'requirements').glob('[!u]*.in')
        for line in path.read_text().splitlines()
        if re.match(r'\w', line)
    ]
    locked = re.findall(r'^([\w-]+)==', (ROOT / 'requirements' / 'lock.txt').read_text(), re.MULTILINE)
    assert len(wanted) > 10
    assert set(wanted) <= set(locked)

#!/usr/bin/env python3
"""Bring ``.venv`` in the repository root to what ``requirements/lock.txt`` says. Standard library only.

``make demo``, ``make test`` and ``make lint`` call it first. Done once, it returns at once; cut short, it goes on where
it was. uv does the work, so its cache serves every later clone; settings of pip and uv (``PIP_*``, ``UV_*``, pip's
configuration) hold here as well. Nothing is compiled, unless one asks for compiled mmcv.
"""

import argparse
import contextlib
import fcntl
import hashlib
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / '.venv'
PYTHON = VENV / 'bin' / 'python'
UV = VENV / 'bin' / 'uv'
DONE = VENV / '.setup-done'  # key of the set-up that is complete
LOCK = ROOT / 'requirements' / 'lock.txt'
BOOTSTRAP = ROOT / 'requirements' / 'uv.txt'
PYTHON_VERSIONS = ((3, 13), (3, 12), (3, 11), (3, 10))  # those that the lock is made for
GIGABYTES = {'default': 6.0, 'cpu': 2.0}  # of disk, for .venv; torch with CUDA is most of it
MMCV = ('lite', 'compiled')
# Packages that only torch with CUDA needs, by the beginning of their names.
CUDA_PACKAGES = ('nvidia-', 'cuda-', 'triton')


class SetupError(Exception):
    """Something the user has to mend; the message says how."""


def say(text):
    print('[set-up] ' + text, flush=True)


def run(*command, **kwargs):
    """Run a command; a failure becomes a SetupError that names it."""
    command = [str(part) for part in command]
    result = subprocess.run(command, cwd=str(ROOT), **kwargs)
    if result.returncode:
        raise SetupError(
            f'this command failed (exit code {result.returncode}), see its output above:\n  '
            + ' '.join(command)
            + '\nRun make again to go on from here.'
        )


def output(*command):
    """The standard output of a command, or None where it fails or is not there."""
    try:
        return subprocess.check_output([str(part) for part in command], stderr=subprocess.DEVNULL, text=True).strip()
    except (OSError, subprocess.CalledProcessError):
        return None


@contextlib.contextmanager
def locked(folder, waiting):
    """Hold ``folder`` for this process; say ``waiting`` if it is taken."""
    handle = os.open(str(folder), os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(waiting)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def venv_version():
    """(major, minor) of the Python in .venv, or None where there is no working one."""
    version = output(PYTHON, '-c', 'import sys; print(*sys.version_info[:2])')
    return version and tuple(map(int, version.split()))


def use_right_python(chosen):
    """Start again under the Python of .venv, or under one of the lock's, if this is another and none was chosen."""
    here = sys.version_info[:2]
    wanted = venv_version()
    if chosen or wanted not in PYTHON_VERSIONS:
        if here in PYTHON_VERSIONS:
            return
        names = ['python{}.{}'.format(*version) for version in PYTHON_VERSIONS]
        other = None if chosen else next(filter(None, map(shutil.which, names)), None)
    else:
        if here == wanted:
            return
        other = str(PYTHON)  # makes no new .venv: the one that is there stays
    if other is None:
        raise SetupError(
            f'requirements/lock.txt is made for Python 3.10 to 3.13, and {sys.executable} is Python '
            f'{platform.python_version()}.\nInstall one (Debian: apt-get install python3 python3-venv) or name it: '
            'make setup PYTHON=/path/to/python3.12\nFor another Python, install into an OpenMMLab environment of your '
            'own: see "Installation" in README.md.'
        )
    os.execv(other, [other, *sys.argv])


def check_requirements(mmcv, torch):
    """Everything that could stop the set-up half-way, before anything is downloaded.

    Raises:
        SetupError: If something is missing; the message says how to get it.
    """
    if venv_version() is None and output(sys.executable, '-c', 'import venv, ensurepip') is None:
        raise SetupError(f'{sys.executable} cannot make virtual environments.\nDebian: apt-get install python3-venv')
    installed = output(PYTHON, '-c', 'import torch') is not None
    free = shutil.disk_usage(str(ROOT)).free / 1e9
    if not installed and free < GIGABYTES[torch]:
        raise SetupError(
            f'.venv takes up to {GIGABYTES[torch]:.0f} GB and {ROOT} has {free:.1f} GB free.\nMake room, or take torch '
            'without CUDA: make setup TORCH=cpu'
        )
    if mmcv == 'compiled':
        if not (os.environ.get('CXX') or shutil.which('c++') or shutil.which('g++')):
            raise SetupError('MMCV=compiled needs a C++ compiler.\nDebian: apt-get install g++')
        if not (Path(sysconfig.get_paths()['include']) / 'Python.h').exists():
            raise SetupError('MMCV=compiled needs the headers of Python.\nDebian: apt-get install python3-dev')


def make_venv():
    """Create .venv if there is no working one of this Python, and put uv into it."""
    if venv_version() != sys.version_info[:2]:
        say(f'making .venv with Python {platform.python_version()}')
        run(sys.executable, '-m', 'venv', '--clear', VENV)
    version = re.search(r'^uv==(\S+)', BOOTSTRAP.read_text(), re.MULTILINE).group(1)
    if version not in (output(UV, '--version') or ''):
        run(PYTHON, '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-deps', '-r', BOOTSTRAP)


def uv_environment():
    """The environment for uv: pip's index and certificates count where uv's own are not set."""
    env = dict(os.environ)
    env.setdefault('UV_HTTP_TIMEOUT', '300')
    for option, ours in (('index-url', ('UV_DEFAULT_INDEX', 'UV_INDEX_URL')), ('cert', ('SSL_CERT_FILE',))):
        value = env.get('PIP_' + option.upper().replace('-', '_')) or output(
            PYTHON, '-m', 'pip', 'config', 'get', 'global.' + option
        )
        if value and not any(env.get(name) for name in ours):
            env[ours[0]] = value
    return env


def uv_pip(command, *what, **env):
    run(UV, 'pip', command, '--python', PYTHON, *what, env=dict(uv_environment(), **env))


def lock_without_cuda():
    """The entries of the lock as text, less torch, torchvision and what only their CUDA builds need."""
    entries = re.split(r'\n(?=\S)', LOCK.read_text())
    return '\n'.join(
        entry for entry in entries if not entry.startswith((*CUDA_PACKAGES, 'torch==', 'torchvision==', '#'))
    )


def install_lock(torch):
    say('installing what requirements/lock.txt lists (torch is large: minutes on a slow line, once)')
    options = ('--no-deps', '--require-hashes', '--only-binary', ':all:')
    if torch == 'default':
        uv_pip('install', *options, '-r', LOCK)
        return
    # Builds of torch without CUDA come from an index of PyTorch's own, which uv knows; their hashes are others.
    pins = re.findall(r'^torch(?:vision)?==\S+', LOCK.read_text(), re.MULTILINE)
    uv_pip('install', '--no-deps', '--torch-backend', torch, *pins)
    rest = VENV / 'lock-without-cuda.txt'
    rest.write_text(lock_without_cuda())
    uv_pip('install', *options, '-r', rest)


def install_compiled_mmcv():
    """mmcv with its operators, in place of mmcv-lite; uv keeps the wheel it builds, for every later set-up."""
    version = re.search(r'^mmcv-lite==(\S+)', LOCK.read_text(), re.MULTILINE).group(1)
    say(f'mmcv {version} with its operators: compiled once, 7 to 10 minutes on two cores, and kept in the cache of uv')
    cuda = {} if os.environ.get('FORCE_CUDA') == '1' else dict(FORCE_CUDA='0', CUDA_VISIBLE_DEVICES='')
    uv_pip('uninstall', '--quiet', 'mmcv-lite', 'mmcv')  # their files are the same ones
    uv_pip(
        'install',
        # not --reinstall-package, with which uv compiles again what it has
        *('--no-deps', '--no-binary', 'mmcv', f'mmcv=={version}'),
        *(
            '--config-settings-package',
            f'mmcv:operators={"cpu" if cuda else "cuda"}',
        ),  # a wheel of its own in the cache
        MMCV_WITH_OPS='1',
        **cuda,
    )


def install(mmcv, torch):
    """Everything, in order; each step is quick where it was done before."""
    install_lock(torch)
    if mmcv == 'compiled':
        install_compiled_mmcv()
    uv_pip('install', '--quiet', '--no-deps', '--no-build-isolation', '--editable', ROOT)
    run(PYTHON, '-m', 'mmpose_sp.stand_ins', stdout=subprocess.DEVNULL)
    say('checking the environment')
    run(PYTHON, '-m', 'mmpose_sp.utils.collect_env', '--quiet')


def read_state():
    """What the last set-up wrote: mmcv, torch, key."""
    return dict(line.split('=') for line in DONE.read_text().split()) if DONE.exists() else {}


def write_state(mmcv, torch, key):
    partial = DONE.with_suffix('.part')
    partial.write_text(f'mmcv={mmcv}\ntorch={torch}\nkey={key}\n')
    os.replace(str(partial), str(DONE))


def choices():
    """(mmcv, torch): by MMCV= and TORCH=, else what .venv has, else mmcv-lite and torch as it comes."""
    state = read_state()
    chosen = []
    for name, values in (('mmcv', MMCV), ('torch', tuple(GIGABYTES))):
        value = os.environ.get(name.upper()) or state.get(name, values[0])
        if value not in values:
            raise SetupError(f'{name.upper()}={value}: it can be {" or ".join(values)}.')
        chosen.append(value)
    return tuple(chosen)


def setup_key(mmcv, torch):
    """Changes with anything that decides what .venv holds, and with where it lies."""
    digest = hashlib.sha256(f'{ROOT} {mmcv} {torch}'.encode())
    for path in (LOCK, BOOTSTRAP, ROOT / 'setup.py', ROOT / 'pyproject.toml', Path(__file__).resolve()):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def is_done(mmcv, torch):
    return read_state().get('key') == setup_key(mmcv, torch) and venv_version() == sys.version_info[:2]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--this-python', action='store_true', help='make .venv anew if it has another Python than this')
    use_right_python(parser.parse_args().this_python)
    if is_done(*choices()):
        return
    with locked(ROOT, 'another set-up is running in this folder: waiting for it'):
        mmcv, torch = choices()
        if is_done(mmcv, torch):
            return
        start = time.monotonic()
        check_requirements(mmcv, torch)
        make_venv()
        write_state(mmcv, torch, 'unfinished')  # a set-up that goes on later knows what was asked for
        install(mmcv, torch)
        write_state(mmcv, torch, setup_key(mmcv, torch))
        say(f'done in {time.monotonic() - start:.0f} s')


if __name__ == '__main__':
    # A closed terminal or a stopped CI ends uv too, as Ctrl-C does.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit('[set-up] stopped'))
    try:
        main()
    except SetupError as error:
        sys.exit(f'[set-up] {error}')
    except KeyboardInterrupt:
        sys.exit('\n[set-up] stopped. Run make again: it goes on from here.')

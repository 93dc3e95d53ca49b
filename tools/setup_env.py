#!/usr/bin/env python3
"""Bring ``.venv`` in the repository root to what ``requirements/`` says. Standard library only.

``make demo``, ``make test`` and ``make lint`` call it first. Done once, it returns at once; cut
short, it goes on where it was. The one slow step, compiling mmcv, is done once per user: its wheel
is kept in ``$XDG_CACHE_HOME/mmpose_sp`` (``~/.cache/mmpose_sp``). Settings of pip and uv (``PIP_*``,
``UV_*``, pip's configuration) hold here as well.
"""

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
import tarfile
import tempfile
import threading
import time
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / '.venv'
PYTHON = VENV / 'bin' / 'python'
UV = VENV / 'bin' / 'uv'
DONE = VENV / '.setup-done'  # key of the set-up that is complete
MMCV_DONE = VENV / '.setup-mmcv'  # key of the mmcv wheel that is installed
REQUIREMENTS = ROOT / 'requirements'
PYTHON_VERSION = (3, 11)  # what the lock is made for: numpy 1 and xtcocotools have wheels for it
UV_VERSION = '0.13.9'
MMCV_VERSION = '2.1.0'


class SetupError(Exception):
    """Something the user has to mend; the message says how."""


def say(text):
    print('[set-up] ' + text, flush=True)


def run(*command, **kwargs):
    """Run a command; a failure becomes a SetupError that names it."""
    command = [str(part) for part in command]
    result = subprocess.run(command, **kwargs)
    if result.returncode:
        raise SetupError(
            f'this command failed (exit code {result.returncode}), see its output above:\n  '
            + ' '.join(command)
            + '\nRun make again to go on from here.'
        )


def works(*command):
    """Whether a command exists and succeeds."""
    try:
        return (
            subprocess.run(
                [str(part) for part in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            ).returncode
            == 0
        )
    except OSError:
        return False


@contextlib.contextmanager
def locked(folder, waiting):
    """Hold ``folder`` for this process and those it passes the yielded handle to; say ``waiting`` if it is taken."""
    handle = os.open(str(folder), os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(waiting)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield handle
    finally:
        os.close(handle)


def write_atomically(path, text):
    partial = path.with_name(f'{path.name}.{os.getpid()}')
    partial.write_text(text)
    os.replace(str(partial), str(path))


def read(path):
    return path.read_text() if path.exists() else ''


def setup_key():
    """Changes with anything that decides what .venv holds, and with where it lies."""
    digest = hashlib.sha256(f'{ROOT} {sys.version_info[:2]}'.encode())
    for path in (
        REQUIREMENTS / 'lock.txt',
        REQUIREMENTS / 'openmmlab.txt',
        ROOT / 'setup.py',
        Path(__file__).resolve(),
    ):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def use_right_python():
    """Start again under the Python of the lock if this is another one."""
    if sys.version_info[:2] == PYTHON_VERSION:
        return
    name = 'python{}.{}'.format(*PYTHON_VERSION)
    other = shutil.which(name)
    if other is None:
        raise SetupError(
            f'requirements/lock.txt is made for {name}, and {sys.executable} is Python '
            f'{platform.python_version()}.\nInstall it (Debian: apt-get install {name} {name}-venv '
            f'{name}-dev) or name it: make PYTHON=/path/to/{name} test\nFor another Python, '
            'install into an OpenMMLab environment of your own: see "Installation" in README.md.'
        )
    os.execv(other, [other, *sys.argv])


def make_venv():
    """Create .venv if there is no working one, and put uv into it."""
    if not works(PYTHON, '-m', 'pip', '--version'):
        if not works(sys.executable, '-c', 'import venv, ensurepip'):
            raise SetupError('this Python cannot make virtual environments.\nDebian: apt-get install python3-venv')
        say('making .venv')
        run(sys.executable, '-m', 'venv', '--clear', VENV)
    if not works(UV, '--version') or UV_VERSION not in subprocess.check_output([str(UV), '--version'], text=True):
        say(f'installing uv {UV_VERSION} into .venv')
        run(PYTHON, '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', f'uv=={UV_VERSION}')


def uv_environment():
    """The environment for uv: pip's index and certificates count where uv's own are not set."""
    env = dict(os.environ)
    env.setdefault('UV_HTTP_TIMEOUT', '300')
    for option, ours in (('index-url', ('UV_DEFAULT_INDEX', 'UV_INDEX_URL')), ('cert', ('SSL_CERT_FILE',))):
        value = env.get('PIP_' + option.upper().replace('-', '_'))
        if not value:
            value = subprocess.run(
                [str(PYTHON), '-m', 'pip', 'config', 'get', 'global.' + option],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            ).stdout.strip()
        if value and not any(env.get(name) for name in ours):
            env[ours[0]] = value
    return env


def uv_install(*what):
    run(UV, 'pip', 'install', '--python', PYTHON, '--no-deps', *what, env=uv_environment(), cwd=str(ROOT))


def wheel_folder():
    """(folder of the mmcv wheel in the user's cache, build folder beside it); the name is its key."""
    torch = re.search(r'^torch==(\S+)', read(REQUIREMENTS / 'lock.txt'), re.MULTILINE).group(1)
    ops = 'cuda' if os.environ.get('FORCE_CUDA') == '1' else 'cpu'
    python = sys.implementation.cache_tag
    key = f'mmcv{MMCV_VERSION}-torch{torch}-{ops}-{python}-{sysconfig.get_platform()}'
    cache = Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache') / 'mmpose_sp'
    return cache / 'wheels' / key, cache / 'build' / key


def whole_wheel(folder):
    """The wheel in ``folder`` if there is one and it is undamaged."""
    for wheel in folder.glob('mmcv-*.whl'):
        with contextlib.suppress(OSError, zipfile.BadZipFile), zipfile.ZipFile(str(wheel)) as archive:
            if archive.testzip() is None:
                return wheel
    return None


def mmcv_wheel():
    """The mmcv wheel of this machine: from the cache, or compiled into it."""
    folder, build = wheel_folder()
    wheel = whole_wheel(folder)
    if wheel:
        return wheel
    build.mkdir(parents=True, exist_ok=True)
    with locked(build, 'another set-up is compiling mmcv: waiting for its wheel') as lock:
        wheel = whole_wheel(folder)
        if wheel is None:
            made = whole_wheel(build / 'wheel')  # left by a set-up that was killed and its build was not
            if made is None:
                compile_mmcv(build, lock)
                made = whole_wheel(build / 'wheel')
            folder.mkdir(parents=True, exist_ok=True)
            wheel = folder / made.name
            os.replace(str(made), str(wheel))
            say(f'kept {wheel}')
        shutil.rmtree(str(build), ignore_errors=True)
    return wheel


def check_compiler():
    if not (os.environ.get('CXX') or shutil.which('c++') or shutil.which('g++')):
        raise SetupError('mmcv has to be compiled and there is no C++ compiler.\nDebian: apt-get install g++')
    if not (Path(sysconfig.get_paths()['include']) / 'Python.h').exists():
        raise SetupError(
            'mmcv has to be compiled and the headers of Python are missing.\nDebian: apt-get install python3-dev'
        )


def mmcv_source(build):
    """Download and unpack mmcv's source package into ``build``, once."""
    source = build / 'source'
    if not source.exists():
        run(
            PYTHON,
            '-m',
            'pip',
            'download',
            '--quiet',
            '--disable-pip-version-check',
            '--no-deps',
            '--no-build-isolation',
            '--no-binary',
            'mmcv',
            '-d',
            build / 'download',
            f'mmcv=={MMCV_VERSION}',
            stderr=subprocess.DEVNULL,
        )
        (archive,) = (build / 'download').glob('mmcv-*.tar.gz')
        with tempfile.TemporaryDirectory(dir=str(build)) as unpacked:
            with tarfile.open(str(archive)) as files:
                files.extractall(unpacked)
            os.replace(os.path.join(unpacked, f'mmcv-{MMCV_VERSION}'), str(source))
    return source


def build_jobs():
    """One compiler per core, as far as memory goes (2 GB each)."""
    memory = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30
    return max(1, min(os.cpu_count() or 1, int(memory // 2)))


def compile_mmcv(build, lock):
    """Compile mmcv with its operators into ``build/wheel``; object files outlive an interruption.

    The build holds ``lock`` itself, so that no other starts in this folder even if this process is killed.
    """
    check_compiler()
    source = mmcv_source(build)
    env = dict(os.environ, MMCV_WITH_OPS='1', PATH=f'{PYTHON.parent}{os.pathsep}{os.environ["PATH"]}')
    env.setdefault('MAX_JOBS', str(build_jobs()))
    env.setdefault('FORCE_CUDA', '0')
    if env['FORCE_CUDA'] != '1':
        env['CUDA_VISIBLE_DEVICES'] = ''  # mmcv would want nvcc wherever it sees a GPU
    say(
        f'compiling mmcv {MMCV_VERSION} with its operators: the one slow step, about 7 minutes on '
        f'two cores (here: {env["MAX_JOBS"]} jobs), done once'
    )
    log = build / 'build.log'
    shutil.rmtree(str(build / 'wheel'), ignore_errors=True)
    command = [
        str(PYTHON),
        '-m',
        'pip',
        'wheel',
        '-v',
        '--disable-pip-version-check',
        '--no-deps',
        '--no-build-isolation',
        '-w',
        str(build / 'wheel'),
        str(source),
    ]
    with open(str(log), 'w') as record, BuildProgress() as progress:
        process = subprocess.Popen(
            command,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors='replace',
            start_new_session=True,
            pass_fds=(lock,),
        )
        try:
            for line in process.stdout:
                record.write(line)
                progress.line(line)
            code = process.wait()
        except BaseException:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()
            raise
    if code:
        tail = ''.join(log.read_text(errors='replace').splitlines(True)[-25:])
        raise SetupError(
            f'compiling mmcv failed. The end of {log}:\n{tail}\nWith too little memory, try: MAX_JOBS=1 make test'
        )


class BuildProgress:
    """Turns ninja's ``[n/77]`` lines into one live line, or into a line now and then without a terminal."""

    STEP = re.compile(r'^\s*\[(\d+)/(\d+)\]')

    def __init__(self):
        self.start = time.monotonic()
        self.live = sys.stdout.isatty()
        self.done, self.total = 0, 0
        self.printed = -1  # tenths of the work
        self.ended = threading.Event()

    def __enter__(self):
        if self.live:
            threading.Thread(target=self.tick, daemon=True).start()
        return self

    def __exit__(self, *error):
        self.ended.set()
        if self.live:
            print(flush=True)

    def tick(self):
        """Keep the clock of the live line going: one file can take half a minute."""
        while not self.ended.wait(1):
            print(f'\r{self.text()}\033[K', end='', flush=True)

    def line(self, text):
        """Take one line of the build's output."""
        step = self.STEP.match(text)
        if not step:
            return
        self.done, self.total = int(step.group(1)), int(step.group(2))
        tenth = 10 * self.done // self.total
        if not self.live and tenth != self.printed:
            self.printed = tenth
            print(self.text(), flush=True)

    def text(self):
        minutes = (time.monotonic() - self.start) / 60
        if not self.total:
            return f'[set-up] mmcv: getting ready, {minutes:.1f} min so far'
        bar = '#' * (20 * self.done // self.total)
        if self.done == self.total:
            left = 'packing the wheel'
        elif self.done < 5:
            left = 'too early to say how long'
        else:
            left = f'about {minutes / self.done * (self.total - self.done):.0f} min left'
        return f'[set-up] mmcv [{bar:<20}] {self.done} of {self.total} files, {minutes:.1f} min so far, {left}'


def install():
    """Everything, in order; each step is quick where it was done before."""
    make_venv()
    say('installing what requirements/lock.txt lists (torch is large: minutes on a slow line, once)')
    uv_install('-r', REQUIREMENTS / 'lock.txt')
    wheel_key = wheel_folder()[0].name
    if read(MMCV_DONE) != wheel_key or not works(
        PYTHON, '-c', f'import importlib.metadata as m; assert m.version("mmcv") == "{MMCV_VERSION}"'
    ):
        uv_install('--quiet', '--reinstall-package', 'mmcv', mmcv_wheel())
        write_atomically(MMCV_DONE, wheel_key)
    say('installing mmengine, mmdet, mmpose and mmpose_sp itself')
    uv_install('--quiet', '-r', REQUIREMENTS / 'openmmlab.txt')
    uv_install('--quiet', '--no-build-isolation', '--editable', ROOT)
    say('checking the environment')
    run(PYTHON, '-m', 'mmpose_sp.utils.collect_env', '--quiet', cwd=str(ROOT))


def main():
    use_right_python()
    key = setup_key()
    if read(DONE) == key and PYTHON.exists():
        return
    with locked(ROOT, 'another set-up is running in this folder: waiting for it'):
        if read(DONE) == key and PYTHON.exists():
            return
        start = time.monotonic()
        install()
        write_atomically(DONE, key)
        say(f'done in {time.monotonic() - start:.0f} s')


if __name__ == '__main__':
    # A closed terminal or a stopped CI ends the build's processes too, as Ctrl-C does.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit('[set-up] stopped'))
    try:
        main()
    except SetupError as error:
        sys.exit(f'[set-up] {error}')
    except KeyboardInterrupt:
        sys.exit('\n[set-up] stopped. Run make again: it goes on from here.')

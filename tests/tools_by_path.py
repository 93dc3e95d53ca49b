"""Tools as modules (they are files to run, and no folder of theirs is on the path) and as processes; real data."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TOOLS = ROOT / 'tools'
CONFIGS = ROOT / 'configs/face_2d_keypoint/topdown_heatmap'


def load_tool(path):
    """The tool at ``path`` below tools/ (with or without .py) as a module, loaded once."""
    path = (TOOLS / path).with_suffix('.py')
    name = f'tool_{path.relative_to(TOOLS).with_suffix("").as_posix().replace("/", "_")}'
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module  # before it runs: dataclasses and pickles look it up
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
    return sys.modules[name]


def run_tool(*command, ok=True, cwd=ROOT, python=sys.executable, without=('VIRTUAL_ENV',)):
    """Run a command with this interpreter (PYTHON) and, but for GPUs, this environment; returns its output.

    Args:
        without: Variables of the environment that it does not see.
    """
    env = {key: value for key, value in os.environ.items() if key not in without}
    env.update(PYTHON=python, OMP_NUM_THREADS='1', CUDA_VISIBLE_DEVICES='', PYTHONWARNINGS='ignore')
    options = dict(stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=1200)
    done = subprocess.run([str(part) for part in command], env=env, cwd=str(cwd), **options)
    assert (done.returncode == 0) == ok, done.stdout[-3000:]
    return done.stdout


def data_folder(*parts):
    """A folder of real faces, which no clone has; without any the test is skipped."""
    root = os.environ.get('MMPOSE_SP_DATA')
    if not root:
        pytest.skip('needs real data: set MMPOSE_SP_DATA')
    return Path(root, *parts)

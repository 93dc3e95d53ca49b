"""``--help`` of every tool and of every command imports nothing heavy, so it answers at once."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mmpose_sp.cli import COMMANDS

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
HEAVY = {'torch', 'mmengine', 'mmcv', 'mmdet', 'mmpose', 'matplotlib', 'scipy', 'onnxruntime', 'onnx', 'gradio'}
SCRIPTS = sorted(
    str(path.relative_to(ROOT))
    for path in (ROOT / 'tools').rglob('*.py')
    if "if __name__ == '__main__':" in path.read_text()
)


def imported_by(code):
    """Standard output of a fresh interpreter that runs ``code``, and which heavy modules it has imported at its end."""
    report = (
        f'import atexit, sys\natexit.register(lambda: print("\\nIMPORTED", *sorted({HEAVY!r} & set(sys.modules))))\n'
    )
    environment = dict(os.environ, PYTHONPATH=str(ROOT), COLUMNS='100')
    done = subprocess.run([sys.executable, '-c', report + code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    text, _, modules = done.stdout.rpartition('\nIMPORTED')
    return text, modules.split()


@pytest.mark.parametrize('script', SCRIPTS)
def test_help_of_a_tool(script):
    text, heavy = imported_by(
        f'import os.path, runpy\nscript = {str(ROOT / script)!r}\n'
        'sys.argv[:] = [script, "--help"]\nsys.path.insert(0, os.path.dirname(script))\n'
        'runpy.run_path(script, run_name="__main__")'
    )
    assert text.startswith('usage: ')
    assert heavy == []


@pytest.mark.parametrize('command', COMMANDS)
def test_help_of_a_command(command):
    words = [*command.split(), '--help']
    text, heavy = imported_by(f'from mmpose_sp.cli import main\nsys.exit(main({words!r}))')
    assert text.startswith(f'usage: mmpose-sp {command} ')
    assert heavy == []

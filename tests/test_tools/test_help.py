"""``--help`` of every tool and of every command imports nothing heavy, so it answers at once."""

import pytest
from forked import forked
from tools_by_path import ROOT

from mmpose_sp.cli import COMMANDS

HEAVY = {'torch', 'mmengine', 'mmcv', 'mmdet', 'mmpose', 'matplotlib', 'scipy', 'onnxruntime', 'onnx', 'gradio'}
SCRIPTS = sorted(
    str(path.relative_to(ROOT))
    for path in (ROOT / 'tools').rglob('*.py')
    if "if __name__ == '__main__':" in path.read_text()
)
HELP = f"""
import os.path, runpy, sys
try:
    CALL
finally:
    print('\\nIMPORTED', *sorted({HEAVY!r} & set(sys.modules)))
"""
TOOL = """sys.argv[:] = [SCRIPT, '--help']
    sys.path.insert(0, os.path.dirname(SCRIPT))
    runpy.run_path(SCRIPT, run_name='__main__')"""
COMMAND = 'from mmpose_sp.cli import main; sys.exit(main(WORDS))'
CALLS = {name: TOOL.replace('SCRIPT', repr(str(ROOT / name))) for name in SCRIPTS}
CALLS.update({name: COMMAND.replace('WORDS', repr([*name.split(), '--help'])) for name in COMMANDS})


@pytest.fixture(scope='module')
def helps():
    programs = [HELP.replace('CALL', call) for call in CALLS.values()]
    return dict(zip(CALLS, forked(programs, warm='import cv2, numpy, tqdm, PIL.Image')))


@pytest.mark.parametrize('name', CALLS)
def test_help(name, helps):
    text, status = helps[name]
    text, _, heavy = text.rpartition('\nIMPORTED')
    assert status == 0 and heavy.split() == []
    assert text.startswith('usage: ' if name.startswith('tools/') else f'usage: mmpose-sp {name} ')

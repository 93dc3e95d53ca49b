"""tools/annotate.py: from the command line to a page, and errors in one line."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import cv2
import numpy as np
import pytest
from tools_by_path import load_tool

from mmpose_sp.datasets.synthetic import render_face

ROOT = Path(__file__).resolve().parents[2]
annotate = load_tool('annotate')


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / 'photos'
    folder.mkdir()
    cv2.imwrite(str(folder / 'rendered.png'), render_face(np.random.default_rng(2), 256).image)
    return folder


@pytest.mark.slow
def test_a_page_with_the_packaged_model_until_it_is_ended(photos):
    environment = dict(os.environ, PYTHONUNBUFFERED='1', PYTHONPATH=str(ROOT))
    command = [sys.executable, 'tools/annotate.py', str(photos), '--device', 'cpu', '--format', 'pts']
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as tool:
        url = re.search(r'1 pictures: (http://127.0.0.1:\d+/)', tool.stdout.readline())[1]
        with urlopen(f'{url}picture/0') as answer:
            (face,) = json.load(answer)['faces']
        tool.send_signal(signal.SIGTERM)
        assert '0 of 1 pictures accepted' in tool.stdout.read()
    assert tool.returncode == 0 and len(face['landmarks']) == 68
    assert json.loads((photos / 'annotations.journal').read_text().splitlines()[1])['picture'] == 'rendered.png'


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (['missing'], 'missing: no such folder'),
        (['.'], 'no picture in this folder'),
        (['photos', '--joint', 'off'], 'not joined'),
        (['photos', '--out', 'photos'], 'photos'),
        (['photos', '--out', 'other.json'], 'other.json: not a COCO-style landmark file'),
        (['photos', '--format', 'pts', '--out', 'other.json'], 'other.json'),
        (['photos', '--port', '700000'], 'port'),
    ],
)
def test_errors_are_one_line(photos, monkeypatch, capsys, options, message):
    monkeypatch.chdir(photos.parent)
    (photos.parent / 'other.json').write_text('[]')
    assert annotate.main([*options, '--device', 'cpu']) == 2
    error = capsys.readouterr().err
    assert message in error and error.count('\n') == 1

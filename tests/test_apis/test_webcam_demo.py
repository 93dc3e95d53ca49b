"""tools/webcam_demo.py on a video file, and without camera or display."""

import cv2
import pytest
from api_helpers import LITE
from test_inputs import write_video
from tools_by_path import load_tool

demo = load_tool('webcam_demo')


@pytest.fixture
def run(checkpoint, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    write_video(tmp_path / 'clip.avi', frames=6)
    return lambda *options: demo.main([str(LITE), str(checkpoint), '--device', 'cpu', *options])


def frames_of(path):
    capture = cv2.VideoCapture(str(path))
    return capture.get(cv2.CAP_PROP_FRAME_COUNT), capture.get(cv2.CAP_PROP_FPS), capture.read()[1].shape


@pytest.mark.parametrize('name', ['out.mp4', 'sub/out.avi'])
def test_a_video_is_drawn(run, tmp_path, capsys, name):
    assert run('--input', 'clip.avi', '--whole-image', '--no-show', '--out', name) == 0
    assert frames_of(tmp_path / name) == (6, 10, (80, 96, 3))
    assert '6 frames, 6 faces' in capsys.readouterr().out


def test_frames_without_a_face_are_written_too(run, tmp_path, capsys):
    assert run('--input', 'clip.avi', '--no-show', '--out', 'out.avi', '--max-frames', '2') == 0
    assert frames_of(tmp_path / 'out.avi')[0] == 2
    assert '2 frames, 0 faces' in capsys.readouterr().out


def test_without_a_display(run, capsys, monkeypatch):
    monkeypatch.setattr(demo.sys, 'platform', 'linux')
    monkeypatch.delenv('DISPLAY', raising=False)
    monkeypatch.delenv('WAYLAND_DISPLAY', raising=False)
    assert run('--input', 'clip.avi') == 2
    assert 'no display' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (['--input', '98'], 'camera 98'),
        (['--input', 'missing.mp4'], 'missing.mp4'),
        (['--input', '.'], 'no picture'),
        (['--input', 'clip.avi', '--out', 'out.gif'], 'out.gif'),
    ],
)
def test_errors_are_one_line(run, capsys, options, message):
    assert run('--no-show', *(options if '--out' in options else [*options, '--out', 'out.mp4'])) == 2
    error = capsys.readouterr().err
    assert message in error and 'Traceback' not in error


def test_keys_switch_layers():
    assert demo.toggled(['boundaries', 'confidence'], ord('3')) == ['boundaries', 'ellipses', 'confidence']
    assert demo.toggled(['boundaries', 'confidence'], ord('2')) == ['confidence']
    assert demo.toggled(['confidence'], 255) == ['confidence']


def test_showing_nothing_is_refused(run):
    with pytest.raises(SystemExit):
        run('--no-show')

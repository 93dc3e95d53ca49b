"""tools/gradio_demo.py: what the page shows, without gradio; and the page in a browser, where both are installed."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest
from headless import headless_browser, wait_for
from tools_by_path import load_tool

from mmpose_sp.apis import FaceLandmarker, FaceResult
from mmpose_sp.apis.views import display_size, place_score_map

ROOT = Path(__file__).resolve().parents[2]
gradio_demo = load_tool('gradio_demo')


def a_face() -> FaceResult:
    """Two landmarks; map pixel (x, y) lies at image px (4 x + 11.5, 4 y + 21.5)."""
    maps = np.zeros((2, 8, 8), np.float32)
    maps[1, 5, 3] = 1
    landmarks, confidence = np.array([[10.0, 20], [23.5, 41.5]]), np.array([0.5, 0.25])
    covariance, box = np.stack([np.diag([4.0, 1])] * 2), np.array([10.0, 20, 40, 50])
    return FaceResult(landmarks, confidence, covariance, box, 1.0, np.array([[4.0, 0, 11.5], [0, 4, 21.5]]), maps)


@pytest.fixture(scope='module')
def landmarker():
    return FaceLandmarker.from_packaged(device='cpu')


@pytest.fixture(scope='module')
def examples(tmp_path_factory):
    return gradio_demo.write_examples(tmp_path_factory.mktemp('examples'))


def test_a_moved_face_scales_with_its_picture():
    face = a_face().moved(np.array([[2.0, 0, 1], [0, 3, -1]]))
    np.testing.assert_allclose(face.landmarks[0], [21, 59])
    np.testing.assert_allclose(face.covariance[0], np.diag([16.0, 9]))
    np.testing.assert_allclose(face.box, [21, 59, 81, 149])
    np.testing.assert_allclose(face.heatmap_to_image, [[8, 0, 24], [0, 12, 63.5]])


@pytest.mark.parametrize('size, shown', [((100, 50), (512, 256)), ((600, 700), (600, 700)), ((2560, 40), (1280, 20))])
def test_display_size_maps_corner_to_corner(size, shown):
    resized, matrix = display_size(np.zeros((size[1], size[0], 3), np.uint8))
    assert resized.shape[1::-1] == shown
    np.testing.assert_allclose(matrix @ [size[0] - 0.5, size[1] - 0.5, 1], np.array(shown) - 0.5)


def test_a_score_map_peaks_at_its_landmark_in_the_picture():
    placed = place_score_map([a_face()], 1, (64, 80))
    y, x = np.unravel_index(placed.argmax(), placed.shape)
    assert placed.shape == (80, 64)
    assert abs(x - 23.5) <= 0.5
    assert abs(y - 41.5) <= 0.5


def test_text_names_the_chosen_landmark():
    text = gradio_demo.describe([a_face()], 1)
    assert '1 face found' in text
    assert 'mean confidence 0.38; landmark 1 alone: 0.25' in text


def test_views_are_the_picture_and_a_close_up(landmarker, examples):
    views, text = gradio_demo.look(landmarker, examples[-1], ['confidence', 'ellipses'], 30, False)
    assert [image.shape[:2] + (caption,) for image, caption in views] == [(512, 512, 'picture'), (640, 640, 'face 1')]
    assert '1 face found' in text


def test_no_layer_shows_the_picture_itself_in_rgb(landmarker, examples):
    views, _ = gradio_demo.look(landmarker, examples[-1], [], None, False)
    np.testing.assert_array_equal(views[0][0], cv2.imread(examples[-1])[..., ::-1])


def test_no_face_is_said_and_the_whole_image_is_explicit(landmarker, tmp_path):
    path = str(tmp_path / 'blank.png')
    cv2.imwrite(path, np.full((200, 300, 3), 120, np.uint8))
    views, text = gradio_demo.look(landmarker, path, ['confidence'], 3, False)
    assert 'No face found' in text
    assert len(views) == 1
    assert len(gradio_demo.look(landmarker, path, ['confidence'], 3, True)[0]) == 2


@pytest.mark.parametrize('content', [b'', b'no picture', b'\x89PNG\r\n\x1a\n'])
def test_bad_files_get_a_message_without_the_folder(content, landmarker, tmp_path):
    path = tmp_path / 'bad.png'
    path.write_bytes(content)
    views, text = gradio_demo.look(landmarker, str(path), [], None, False)
    assert views == []
    assert 'cannot be used' in text
    assert 'bad.png' in text
    assert str(tmp_path) not in text


def test_without_gradio_the_extra_is_named(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, 'gradio', None)
    monkeypatch.setenv('GRADIO_ANALYTICS_ENABLED', 'False')
    assert gradio_demo.main([]) == 2
    assert "pip install 'mmpose_sp[web]'" in capsys.readouterr().err


OWN_HOSTS = '127.0.0.1:7860', 'localhost:7860', '[::1]:7860', '192.168.0.7', 'faces.example.org'


@pytest.mark.parametrize('host', [*OWN_HOSTS, 'evil.example.com:7860', 'localhost.evil.com', '127.0.0.1.nip.io', ''])
def test_a_foreign_host_is_refused(host):
    """DNS rebinding: the name in the request is the attacker's."""
    reached, sent = [], []

    async def app(scope, receive, send):
        reached.append(scope)

    async def send(message):
        sent.append(message)

    layer = gradio_demo.LocalOnly(app, allowed=['faces.example.org'])
    asyncio.run(layer({'type': 'http', 'headers': [(b'host', host.encode())]}, None, send))
    assert bool(reached) == (host in OWN_HOSTS)
    assert reached or sent[0]['status'] == 421


def test_uploads_go_at_sigterm(monkeypatch, tmp_path):
    folders = []

    class Page:
        def launch(self, **options):
            folders.append(Path(os.environ['GRADIO_TEMP_DIR']))
            (folders[0] / 'upload.png').write_bytes(b'a face')
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(60)

    monkeypatch.setitem(sys.modules, 'gradio', ModuleType('gradio'))
    starlette = ModuleType('starlette.middleware')
    starlette.Middleware = lambda *args, **options: None
    monkeypatch.setitem(sys.modules, 'starlette', ModuleType('starlette'))
    monkeypatch.setitem(sys.modules, 'starlette.middleware', starlette)
    monkeypatch.setattr(gradio_demo, 'build_page', lambda *args: Page())
    monkeypatch.setattr(gradio_demo, 'write_examples', lambda folder: [])
    before = signal.getsignal(signal.SIGTERM)
    try:
        assert gradio_demo.main(['--device', 'cpu']) == 0
    finally:
        signal.signal(signal.SIGTERM, before)
    assert not folders[0].exists()


def test_in_a_browser(tmp_path):
    pytest.importorskip('gradio', reason='gradio is not installed: pip install -e .[web]')
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    log = tmp_path / 'log.txt'
    with headless_browser(tmp_path / 'profile') as browser, open(log, 'w') as file:
        server = subprocess.Popen(
            [sys.executable, 'tools/gradio_demo.py', '--device', 'cpu', '--port', str(port)],
            cwd=ROOT,
            stdout=file,
            stderr=file,
            env=dict(os.environ, PYTHONUNBUFFERED='1'),
        )
        try:
            wait_for(lambda: 'Running on' in log.read_text() or server.poll() is not None)
            assert server.poll() is None, log.read_text()
            browser.get(f'http://127.0.0.1:{port}/')
            found = lambda: ' '.join(item.text for item in browser.find_elements('id', 'found'))  # noqa: E731
            wait_for(lambda: 'pick an example' in found())
            wait_for(lambda: browser.find_elements('css selector', 'input[type=file]'))
            picture = gradio_demo.write_examples(tmp_path)[0]
            browser.find_element('css selector', 'input[type=file]').send_keys(picture)
            wait_for(lambda: '1 face found' in found())
            wait_for(lambda: len(browser.find_elements('css selector', '#views img')) >= 2)
        finally:
            server.terminate()
            server.wait(20)

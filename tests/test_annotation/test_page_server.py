"""What the server of the page answers, and what it refuses."""

import json
import threading
from http.client import HTTPConnection

import cv2
import numpy as np
import pytest

from mmpose_sp.annotation.page_server import LARGEST_REQUEST, page_server


@pytest.fixture
def folder(opened):
    return opened()


@pytest.fixture
def connection(folder):
    server = page_server(folder)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    made = HTTPConnection('127.0.0.1', server.server_address[1])
    yield made
    made.close()
    server.shutdown()
    server.server_close()


def ask(connection, path, content=None, kind='application/json', **headers):
    body = content if content is None or isinstance(content, bytes) else json.dumps(content).encode()
    headers = {'Content-Type': kind, **headers} if body is not None else headers
    connection.request('GET' if body is None else 'POST', path, body, headers)
    answer = connection.getresponse()
    return answer, answer.read()


def test_the_page_loads_nothing_from_elsewhere(connection):
    answer, page = ask(connection, '/')
    assert answer.status == 200 and b'<canvas' in page
    assert b'http://' not in page and b'https://' not in page
    assert answer.headers['Content-Security-Policy'].startswith("default-src 'none'")


def test_it_is_served_to_this_machine_alone(folder):
    server = page_server(folder)
    assert server.server_address[0] == '127.0.0.1' and server.server_address[1] > 0
    server.server_close()


def test_pictures_come_upright_and_as_they_are(connection, folder):
    answer, content = ask(connection, '/image/0')
    shown = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR).astype(int)
    assert answer.headers['Content-Type'] == 'image/jpeg' and shown.shape == (200, 240, 3)
    rows = [image.mean(axis=(1, 2)) for image in (shown, folder.image(0))]
    np.testing.assert_allclose(*rows, atol=4)


def test_answers_are_those_of_the_folder(connection, folder):
    assert json.loads(ask(connection, '/picture/0')[1]) == folder.look(0)
    moved = json.loads(ask(connection, '/move', {'index': 0, 'face': 0, 'landmark': 8, 'place': [60.0, 130.0]})[1])
    assert moved == folder.look(0) and moved['faces'][0]['corrected'] == [8]
    assert json.loads(ask(connection, '/undo', {'index': 0})[1])['faces'][0]['corrected'] == []
    accepted, _ = ask(connection, '/accept', {'index': 0})
    overview = json.loads(ask(connection, '/folder')[1])
    assert accepted.status == 200 and [row['accepted'] for row in overview['pictures']] == [True, False, False, False]


@pytest.mark.parametrize(
    ('path', 'content', 'status', 'message'),
    [
        ('/nothing', None, 404, 'nothing'),
        ('/nothing', {}, 404, 'nothing'),
        ('/picture/x', None, 400, 'x'),
        ('/picture/7', None, 400, 'picture 7'),
        ('/picture/3', None, 400, 'd.jpg'),
        ('/image/3', None, 400, 'd.jpg'),
        ('/image/..%2F..%2Fetc', None, 400, 'invalid'),
        ('/move', b'{', 400, ''),
        ('/move', [1], 400, ''),
        ('/move', {'index': 0, 'face': 0, 'landmark': 99, 'place': [1, 1]}, 400, 'landmark 99'),
        ('/move', {'index': 0, 'face': 0, 'landmark': 9, 'place': 'here'}, 400, 'finite'),
        ('/move', {'index': 0, 'stranger': 1}, 400, 'stranger'),
        ('/add', {'index': 2, 'box': [1, 2, 3]}, 400, 'shape'),
        ('/move', b'x' * (LARGEST_REQUEST + 1), 413, 'too long'),
    ],
)
def test_what_cannot_be_is_a_message(connection, path, content, status, message):
    ask(connection, '/picture/0')
    answer, found = ask(connection, path, content)
    assert answer.status == status and message in json.loads(found)['error']


def test_foreign_names_and_forms_of_other_pages_are_refused(connection, folder):
    for host, status in (('evil.example.com', 421), ('localhost:8000', 200), ('127.0.0.1', 200)):
        assert ask(connection, '/folder', Host=host)[0].status == status
    folder.look(0)
    refused, _ = ask(connection, '/accept', {'index': 0}, kind='text/plain')
    assert refused.status == 415 and not folder.look(0)['accepted']
    assert ask(connection, '/accept', {'index': 0}, Host='evil.example.com')[0].status == 421
    assert not folder.look(0)['accepted']

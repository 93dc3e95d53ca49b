"""The page over an annotated folder, by the standard library's server: one HTML file, and JSON for what it asks."""

import json
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Callable, Dict, Tuple

import cv2

from mmpose_sp.utils.own_host import is_own_host

from .annotated_folder import AnnotatedFolder

PAGE = Path(__file__).with_name('annotation_page.html')
POLICY = "default-src 'none'; img-src 'self'; connect-src 'self'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
LARGEST_REQUEST = 2**16  # bytes
JPEG_QUALITY = 95


def page_server(folder: AnnotatedFolder, port: int = 0) -> ThreadingHTTPServer:
    """A server of this machine alone; ``serve_forever()`` runs it, ``server_address`` says where.

    Args:
        folder: What the page shows.
        port: 0 takes a free one.

    Raises:
        OSError: The port is taken.
    """
    server = ThreadingHTTPServer(('127.0.0.1', port), partial(_Handler, folder))
    server.daemon_threads = True
    return server


class _Handler(BaseHTTPRequestHandler):
    """``GET /``, ``/folder``, ``/picture/<i>`` and ``/image/<i>``; ``POST /<action>`` with the arguments as JSON."""

    protocol_version = 'HTTP/1.1'  # one connection for all steps of a drag
    disable_nagle_algorithm = True  # or each answer waits for the browser's acknowledgement of its headers

    def __init__(self, folder: AnnotatedFolder, *args: Any) -> None:
        self.folder = folder
        super().__init__(*args)

    def do_GET(self) -> None:
        what, _, index = self.path.strip('/').partition('/')
        answers: Dict[str, Callable[[], Tuple[bytes, str]]] = {
            '': lambda: (PAGE.read_bytes(), 'text/html; charset=utf-8'),
            'folder': lambda: _json(self.folder.overview()),
            'picture': lambda: _json(self.folder.look(int(index))),
            'image': lambda: (_jpeg(self.folder, int(index)), 'image/jpeg'),
        }
        self._answer(answers.get(what))

    def do_POST(self) -> None:
        actions: Dict[str, Callable[..., Dict[str, Any]]] = {
            'drag': self.folder.drag,
            'move': self.folder.move,
            'add': self.folder.add_face,
            'remove': self.folder.remove_face,
            'undo': self.folder.undo,
            'redo': self.folder.redo,
            'accept': self.folder.accept,
        }
        try:
            length = int(self.headers.get('Content-Length', ''))
        except ValueError:
            length = LARGEST_REQUEST + 1
        if length > LARGEST_REQUEST:
            self.close_connection = True  # what was not read would be taken for the next request
            self._send(413, *_json({'error': 'this request is too long'}))
            return
        body = self.rfile.read(length)
        # Pages of others can send what a form can, but JSON only after asking a server that does not answer.
        if self.headers.get_content_type() != 'application/json':
            self._send(415, *_json({'error': 'requests must be application/json'}))
            return
        action = actions.get(self.path.strip('/'))
        self._answer((lambda: _json(action(**json.loads(body)))) if action else None)

    def _answer(self, answer: Any) -> None:
        """Send what ``answer()`` gives; what is wrong becomes a message for the page."""
        if not is_own_host(self.headers.get('Host', '')):
            self._send(421, *_json({'error': 'another host was asked for'}))
        elif not answer:
            self._send(404, *_json({'error': f'there is no {self.path}'}))
        else:
            try:
                content, kind = answer()
            except (OSError, ValueError, TypeError, cv2.error) as error:
                self._send(400, *_json({'error': str(error)}))
            else:
                self._send(200, content, kind)

    def _send(self, status: int, content: bytes, kind: str) -> None:
        self.send_response(status)
        for name, value in {
            'Content-Type': kind,
            'Content-Length': str(len(content)),
            'Content-Security-Policy': POLICY,
            'Cross-Origin-Resource-Policy': 'same-origin',
            'X-Content-Type-Options': 'nosniff',
            'Cache-Control': 'no-cache',
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: Any) -> None:
        """Say nothing: a drag is many requests."""


def _json(content: Any) -> Tuple[bytes, str]:
    return json.dumps(content).encode(), 'application/json'


def _jpeg(folder: AnnotatedFolder, index: int) -> bytes:
    return cv2.imencode('.jpg', folder.image(index), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].tobytes()

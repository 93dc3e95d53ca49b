"""A page to try the model in a browser: upload a picture or pick an example, see what was found in it.

    python tools/gradio_demo.py                      # the model that comes with mmpose_sp
    python tools/gradio_demo.py CONFIG CHECKPOINT --port 8000

The page is served from this machine alone: nothing is reported, no share link is made, the browser is told to load
nothing from elsewhere, requests under a foreign name are refused, and uploaded pictures are deleted at the end (Ctrl-C,
SIGTERM). It shows what is found; landmarks are corrected on the page of tools/annotate.py.
"""

import argparse
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import List, Optional, Sequence, Tuple

import cv2
import numpy as np

from mmpose_sp import visualization as vis
from mmpose_sp.apis.arguments import (
    add_device_argument,
    add_model_arguments,
    add_pixel_argument,
    complete_model_arguments,
)
from mmpose_sp.apis.base_landmarker import BaseLandmarker
from mmpose_sp.apis.drawing import LAYERS
from mmpose_sp.apis.results import FaceResult
from mmpose_sp.apis.views import display_size, draw_view
from mmpose_sp.utils.images import read_image, set_max_pixels
from mmpose_sp.utils.own_host import is_own_host

CLOSE_UP, MAX_CLOSE_UPS = 640, 8
POLICY = b"default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:"
NO_FACE = (
    '**No face found.** Faces from some 20 px on are found, best upright ones. If the picture is one face, tick '
    '"the whole picture is one face".'
)


def describe(faces: Sequence[FaceResult], landmark: Optional[int]) -> str:
    """What was found, as Markdown."""
    if not faces:
        return NO_FACE
    lines = [f'**{len(faces)} face{"s" * (len(faces) > 1)} found.**']
    for number, face in enumerate(faces, start=1):
        chosen = '' if landmark is None else f'; landmark {landmark} alone: {face.confidence[landmark]:.2f}'
        lines.append(f'Face {number}: mean confidence {face.confidence.mean():.2f}{chosen}')
    return '\n\n'.join(lines)


def look(
    landmarker: BaseLandmarker, path: Optional[str], layers: Sequence[str], landmark: Optional[int], whole_image: bool
) -> Tuple[List[Tuple[np.ndarray, str]], str]:
    """What the page shows of a picture: RGB views with captions, the whole and its faces, and a text."""
    if not path:
        return [], 'Upload a picture or pick an example.'
    try:
        image = read_image(path)
        (result,) = landmarker.iterate(image, whole_image=whole_image, score_maps=landmark is not None)
    except (OSError, ValueError, TypeError, cv2.error) as error:
        return [], f'**This file cannot be used.** {str(error).replace(str(path), Path(path).name)}'
    shown, matrix = display_size(image)
    moved = [face.moved(matrix) for face in result.faces]
    views = [(draw_view(shown, moved, layers, landmark, landmarker.boundaries), 'picture')]
    for number, face in enumerate(result.faces[:MAX_CLOSE_UPS], start=1):
        close, matrix = vis.crop_around(image, face.landmarks, CLOSE_UP, padding=1.4)
        view = draw_view(close, [face.moved(matrix)], layers, landmark, landmarker.boundaries)
        views.append((view, f'face {number}'))
    return views, describe(result.faces, landmark)


def write_examples(folder: Path) -> List[str]:
    """NASA's public-domain photo of Eileen Collins, where scikit-image is installed, and two rendered faces."""
    from mmpose_sp.datasets.synthetic import render_face

    pictures = {f'rendered_{seed}': render_face(np.random.default_rng(seed), 512).image for seed in (0, 2)}
    try:
        from skimage.data import astronaut

        pictures = {'astronaut': astronaut()[..., ::-1], **pictures}
    except ImportError:
        pass
    return [vis.write_image(str(folder / f'{name}.png'), image) for name, image in pictures.items()]


def build_page(landmarker: BaseLandmarker, examples: List[str]):
    """The page, a ``gradio.Blocks``."""
    import gradio as gr

    layers = [layer for layer in LAYERS if layer != 'ellipses' or landmarker.has_posterior]
    with gr.Blocks(title='mmpose_sp', analytics_enabled=False) as page:
        gr.Markdown('# Facial landmarks by structured prediction')
        with gr.Row():
            with gr.Column(scale=1):
                # not gr.Image: it decodes the file itself, and raises where read_image has something to say
                photo = gr.File(label='Picture', type='filepath', height=140)
                gr.Examples(examples, photo, label='Examples')
                shown = gr.CheckboxGroup(layers, value=['boundaries', 'confidence'], label='Show (ellipses: 95%)')
                landmark = gr.Dropdown(
                    [('none', None)] + [(str(i), i) for i in range(landmarker.num_landmarks)],
                    value=None,
                    label='Score map of landmark',
                )
                whole = gr.Checkbox(False, label='The whole picture is one face (no detection)')
            with gr.Column(scale=2):
                text = gr.Markdown('Upload a picture or pick an example.', elem_id='found')
                views = gr.Gallery(label='Found', columns=2, object_fit='contain', format='png', elem_id='views')
        inputs = [photo, shown, landmark, whole]
        gr.on([item.change for item in inputs], lambda *values: look(landmarker, *values), inputs, [views, text])
    return page


class LocalOnly:
    """ASGI layer that refuses foreign Host headers and tells the browser to load nothing from elsewhere."""

    def __init__(self, app, allowed: Sequence[str] = ()) -> None:
        self.app = app
        self.allowed = tuple(allowed)

    async def __call__(self, scope, receive, send) -> None:
        if scope['type'] in ('http', 'websocket'):
            host = dict(scope['headers']).get(b'host', b'').decode('latin-1')
            if not is_own_host(host, self.allowed):
                if scope['type'] == 'websocket':
                    await send({'type': 'websocket.close', 'code': 1008})
                    return
                await send(
                    {'type': 'http.response.start', 'status': 421, 'headers': [(b'content-type', b'text/plain')]}
                )
                await send({'type': 'http.response.body', 'body': b'Another host was asked for; see --allow-host.'})
                return

        async def with_policy(message):
            if message['type'] == 'http.response.start':
                message['headers'] = [*message.get('headers', ()), (b'content-security-policy', POLICY)]
            await send(message)

        await self.app(scope, receive, with_policy)


def parse_args(argv: Optional[List[str]] = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_model_arguments(parser)
    parser.add_argument('--host', default='127.0.0.1', help='address to serve at (default: %(default)s)')
    parser.add_argument('--port', type=int, default=7860, help='(default: %(default)s)')
    parser.add_argument(
        '--allow-host',
        nargs='+',
        default=[],
        metavar='NAME',
        help='names under which the page may be asked for, besides addresses and localhost: behind a proxy',
    )
    add_pixel_argument(parser)
    add_device_argument(parser)
    args = parser.parse_args(argv)
    complete_model_arguments(parser, args)
    args.prog = parser.prog
    return args


def main(argv: Optional[List[str]] = None) -> int:
    """Serve the page until Ctrl-C or SIGTERM; returns the exit status."""
    args = parse_args(argv)
    if args.max_pixels:
        set_max_pixels(args.max_pixels)
    os.environ['GRADIO_ANALYTICS_ENABLED'] = 'False'  # read when gradio is imported
    try:
        import gradio  # noqa: F401
        from starlette.middleware import Middleware
    except ImportError as error:
        print(f"{args.prog}: error: {error}; the page needs gradio: pip install 'mmpose_sp[web]'", file=sys.stderr)
        return 2
    from mmpose_sp.apis import FaceLandmarker

    with tempfile.TemporaryDirectory() as folder:
        os.environ['GRADIO_TEMP_DIR'] = folder  # uploads and results
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # or they would stay
        try:
            page = build_page(FaceLandmarker(args.config, args.checkpoint, args.device), write_examples(Path(folder)))
            page.launch(
                server_name=args.host,
                server_port=args.port,
                share=False,
                max_file_size='100mb',
                app_kwargs=dict(middleware=[Middleware(LocalOnly, allowed=args.allow_host)]),
            )
        except (OSError, ValueError, TypeError) as error:
            print(f'{args.prog}: error: {error}', file=sys.stderr)
            return 2
        except KeyboardInterrupt:
            pass
    return 0


if __name__ == '__main__':
    sys.exit(main())

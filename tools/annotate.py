"""Annotate the faces of a folder of pictures in the browser: a landmark is dragged, and the rest of the face follows.

    python tools/annotate.py photos/                              # photos/annotations.json, mmpose's COCO layout
    python tools/annotate.py photos/ --model accurate --format pts     # a .pts file (iBUG) beside each picture
    python tools/annotate.py photos/ CONFIG CHECKPOINT --out annotations/train.json

The model finds the faces, and its joint posterior moves the other landmarks in closed form (docs/joint.md). Pictures
that are accepted (Enter) are written at once. Every step is kept in a journal beside the output, so the same command
goes on where it was stopped, with undo and redo. The page is served to this machine alone. It is the page that
corrects; tools/gradio_demo.py is the one that shows what a model finds.
"""

import argparse
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import List, Optional

from mmpose_sp.annotation.annotation_output import OUTPUTS
from mmpose_sp.apis.arguments import (
    add_device_argument,
    add_joint_argument,
    add_model_arguments,
    add_pixel_argument,
    complete_model_arguments,
)
from mmpose_sp.utils.images import set_max_pixels


def parse_args(argv: Optional[List[str]] = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('folder', type=Path, help='of pictures; sub-folders are left out')
    add_model_arguments(parser)
    parser.add_argument('--format', choices=list(OUTPUTS), default='coco', help='(default: %(default)s)')
    parser.add_argument(
        '--out',
        type=Path,
        metavar='PATH',
        help='coco: the file to write (default: FOLDER/annotations.json); pts: the folder (default: FOLDER)',
    )
    parser.add_argument('--port', type=int, default=0, help='of the page (default: a free one)')
    add_joint_argument(parser)
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
    from mmpose_sp.annotation.annotated_folder import AnnotatedFolder
    from mmpose_sp.annotation.page_server import page_server
    from mmpose_sp.apis import FaceLandmarker

    try:
        landmarker = FaceLandmarker(args.config, args.checkpoint, args.device, joint=args.joint)
        folder = AnnotatedFolder(args.folder, landmarker, args.format, args.out)
        server = page_server(folder, args.port)
    except (OSError, ValueError, TypeError, OverflowError) as error:
        print(f'{args.prog}: error: {error}', file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    for note in folder.notes:
        print(f'note: {note}')
    print(f'{len(folder.pictures)} pictures: http://127.0.0.1:{server.server_address[1]}/ (Ctrl-C ends it)', flush=True)
    with server, suppress(KeyboardInterrupt):
        server.serve_forever()
    print(folder.summary())
    return 0


if __name__ == '__main__':
    sys.exit(main())

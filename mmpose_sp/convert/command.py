"""The command line that the converters share."""

import argparse
import signal
import sys
from pathlib import Path

from tqdm import tqdm

from mmpose_sp.faces.annotation_files import AnnotationError


def progress(items, desc: str):
    return tqdm(items, desc=desc, unit='face', dynamic_ncols=True)


def argument_parser(description: str, src_help: str, dst: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('src', type=Path, metavar='SRC', help=src_help)
    parser.add_argument('dst', type=Path, metavar='DST', help=f'folder to write to; the configs expect {dst}')
    parser.add_argument(
        '--strict',
        action='store_true',
        help='a set that differs from the published counts is an error, not a warning',
    )
    parser.add_argument(
        '--val-fraction',
        type=float,
        metavar='F',
        help='hold out this share of the training faces (whole photos) for validation: further '
        'files *_train_part.json and *_val.json; model selection must never use the test set',
    )
    parser.add_argument('--val-list', metavar='FILE', help='... or hold out the images named in FILE, one a line')
    parser.add_argument('--seed', type=int, default=0, help='seed of --val-fraction (default: %(default)s)')
    return parser


def add_image_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--link',
        choices=('hard', 'symlink', 'copy'),
        default='hard',
        help='how images reach DST/images; hard links fall back to copies (default: %(default)s)',
    )
    parser.add_argument('--verify', action='store_true', help='decode every image (slower), not only its header')


def run(main) -> None:
    """Call ``main()``; bad input ends as one message and exit code 1, an interruption as 130."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that clean-up runs
    try:
        main()
    except AnnotationError as error:
        sys.exit(f'ERROR: {error}\nNothing was written.')
    except OSError as error:  # a full disk, missing permissions
        sys.exit(f'ERROR: {error}')
    except KeyboardInterrupt:
        print('\ninterrupted, nothing was written', file=sys.stderr)
        sys.exit(130)

"""Arguments that several tools have. Light: what they are about is imported after the arguments."""

import argparse

from .packaged import packaged_model


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``config`` and ``checkpoint``; complete them after parsing by :func:`complete_model_arguments`."""
    parser.add_argument('config', nargs='?', help='config of the model (default: the one that comes with mmpose_sp)')
    parser.add_argument('checkpoint', nargs='?', help='its weights')


def complete_model_arguments(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Put the packaged model where none is given; end the program where a config comes without its checkpoint."""
    if args.config is None:
        try:
            args.config, args.checkpoint = map(str, packaged_model())
        except FileNotFoundError as error:
            parser.error(str(error))
    elif args.checkpoint is None and not args.config.endswith('.onnx'):
        parser.error(f'{args.config}: a config needs its checkpoint')

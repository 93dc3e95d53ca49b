"""Arguments that several tools have. Light: what they are about is imported after the arguments."""

import argparse

from .packaged import DEFAULT, PACKAGED, packaged_model


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``config``, ``checkpoint`` and ``--model``; complete them by :func:`complete_model_arguments`."""
    parser.add_argument('config', nargs='?', help='config of the model (default: one that comes with mmpose_sp)')
    parser.add_argument('checkpoint', nargs='?', help='its weights')
    add_packaged_argument(parser)


def add_packaged_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--model``, the name of a packaged model; None if it is left out."""
    parser.add_argument(
        '--model', choices=list(PACKAGED), help=f'which of the models that come with mmpose_sp (default: {DEFAULT})'
    )


def complete_model_arguments(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Put the packaged model where none is given; end the program where a config comes without its checkpoint."""
    if args.config is None:
        try:
            args.config, args.checkpoint = map(str, packaged_model(args.model or DEFAULT))
        except FileNotFoundError as error:
            parser.error(str(error))
    elif args.model is not None:
        parser.error(f'{args.config}: either a config or --model {args.model}')
    elif args.checkpoint is None and not args.config.endswith('.onnx'):
        parser.error(f'{args.config}: a config needs its checkpoint')

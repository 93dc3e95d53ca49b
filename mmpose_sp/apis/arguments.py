"""Arguments that several tools have. Light: what they are about is imported after the arguments."""

import argparse
from typing import Any, Dict

from mmpose_sp.faces import JOINT
from mmpose_sp.utils.dict_action import DictAction

from .drawing import LAYERS
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


def add_device_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--device``."""
    parser.add_argument('--device', default='auto', help='auto, cpu, cuda:0, ...')


def add_config_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--cfg-options``."""
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, help='changes of the config, as key=value')


def add_pixel_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--max-pixels``, for :func:`mmpose_sp.utils.images.set_max_pixels`; None if it is left out."""
    parser.add_argument(
        '--max-pixels',
        type=int,
        metavar='N',
        help='the most pixels of a picture that is decoded (default: 179 million; the memory it takes is 6 times that)',
    )


def add_joint_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--joint``; None if it is left out."""
    parser.add_argument(
        '--joint',
        choices=JOINT,
        help='off: each landmark alone; prior: joined by a shape prior; offset: with the offset of the annotations '
        'that the model was trained on (default: what the weights know)',
    )


def add_trained_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``config``, ``checkpoint``, ``--device`` and ``--cfg-options``, where no packaged model can serve."""
    parser.add_argument('config')
    parser.add_argument('checkpoint')
    add_device_argument(parser)
    add_config_options(parser)


def add_detection_arguments(parser: argparse.ArgumentParser, boxes: argparse._ActionsContainer) -> None:
    """Add what says where the faces are and which of them count; ``boxes`` gets the ways that exclude each other."""
    boxes.add_argument('--whole-image', action='store_true', help='every picture is one face, without detection')
    boxes.add_argument(
        '--detector',
        default='yunet',
        metavar='NAME',
        help="'yunet' (the default), 'haar' (OpenCV's cascade), or the config of an mmdet detector",
    )
    parser.add_argument('--detector-weights', metavar='FILE', help='checkpoint of the mmdet detector')
    parser.add_argument(
        '--min-confidence',
        type=float,
        metavar='C',
        help='drop detected faces of a lower mean confidence (default: 0.65 for --model fast, 0.5 accurate, else 0)',
    )
    parser.add_argument(
        '--refine',
        type=int,
        default=1,
        metavar='N',
        help='crop detected faces anew by their landmarks N times (default: 1)',
    )
    parser.add_argument(
        '--rotations',
        type=int,
        nargs='+',
        default=[0],
        metavar='DEGREES',
        help='turn the picture so far to look for faces; 0 90 180 270 finds lying and upside-down ones (default: 0)',
    )
    parser.add_argument(
        '--draw',
        nargs='+',
        choices=LAYERS,
        default=['boundaries', 'confidence'],
        help='what the pictures show (default: boundaries confidence)',
    )
    add_device_argument(parser)


def detection_options(args: argparse.Namespace) -> Dict[str, Any]:
    """What :func:`add_detection_arguments` has read, as arguments of a landmarker of either kind."""
    names = ('detector', 'min_confidence', 'refine', 'rotations')
    return {name: getattr(args, name) for name in names}


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

"""Export a model to ONNX, from the bytes of a face crop to its landmarks.

    python tools/deployment/export_onnx.py CONFIG CHECKPOINT OUT.onnx --flip-test

One input, any number of crops; normalisation, network, decoding and, on demand, the flip test are inside of the graph.
mmpose_sp.runtime.Landmarker runs it with OpenCV and onnxruntime alone. Without CONFIG a packaged model (--model NAME)
is exported anew, to the file that is packaged.
"""

import argparse
from pathlib import Path
from typing import Optional, Sequence

from mmpose_sp.apis.arguments import add_config_options, add_joint_argument, add_packaged_argument
from mmpose_sp.apis.packaged import DEFAULT, PACKAGED


def parse_args(argv: Optional[Sequence[str]] = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', nargs='?')
    parser.add_argument('checkpoint', nargs='?')
    parser.add_argument('out', nargs='?', help='file to write, .onnx')
    parser.add_argument(
        '--flip-test', action='store_true', help='average with the mirrored crop: a little more accurate, half as fast'
    )
    add_joint_argument(parser)
    add_config_options(parser)
    add_packaged_argument(parser)
    args = parser.parse_args(argv)
    if args.config is None:
        packaged = PACKAGED[args.model or DEFAULT]
        args.config, args.checkpoint, args.out = (str(packaged.with_suffix(end)) for end in ('.py', '.pth', '.onnx'))
        args.flip_test = True  # as its config says
    elif args.out is None or args.model is not None:
        parser.error('give CONFIG, CHECKPOINT and OUT.onnx, or none of them for a packaged model (--model NAME)')
    if not args.out.endswith('.onnx'):
        parser.error(f'{args.out}: name the file .onnx')
    args.parser = parser
    return args


def main(argv: Optional[Sequence[str]] = None) -> None:
    args = parse_args(argv)
    from mmpose_sp.apis.model_loading import load_config, load_model
    from mmpose_sp.apis.onnx_export import CropLandmarker, export, metadata

    try:
        config = load_config(args.config, args.cfg_options)
        model = load_model(config, args.checkpoint, 'cpu')
        landmarker = CropLandmarker(model, args.flip_test, joint=args.joint)
        notes = metadata(config, model, landmarker, args.checkpoint)
    except (OSError, ValueError, TypeError) as error:
        args.parser.error(str(error))
    export(landmarker, args.out, notes)
    print(f'written: {args.out}, {Path(args.out).stat().st_size / 1e6:.2f} MB')


if __name__ == '__main__':
    main()

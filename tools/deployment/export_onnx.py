"""Export a model to ONNX, from the bytes of a face crop to its landmarks.

    python tools/deployment/export_onnx.py CONFIG CHECKPOINT OUT.onnx --flip-test

One input, any number of crops; normalisation, network, decoding and, on demand, the flip test are inside of the graph.
mmpose_sp.runtime.Landmarker runs it with OpenCV and onnxruntime alone. Without CONFIG and CHECKPOINT a packaged model
(--model NAME) is exported, to OUT.onnx or, without that, anew to the file in the package. --int8 lets convolutions
compute with 8-bit integers, whose ranges training faces of the config tell: faster and a little less accurate.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Optional, Sequence

from mmpose_sp.apis.arguments import add_config_options, add_joint_argument, add_packaged_argument
from mmpose_sp.apis.packaged import DEFAULT, INT8, PACKAGED

if TYPE_CHECKING:
    import numpy as np
    from mmengine.config import Config


def parse_args(argv: Optional[Sequence[str]] = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', nargs='?')
    parser.add_argument('checkpoint', nargs='?')
    parser.add_argument('out', nargs='?', help='file to write, .onnx')
    parser.add_argument(
        '--flip-test', action='store_true', help='average with the mirrored crop: a little more accurate, half as fast'
    )
    parser.add_argument(
        '--int8', type=int, nargs='?', const=120, metavar='N', help='8-bit convolutions, by N training faces (120)'
    )
    add_joint_argument(parser)
    add_config_options(parser)
    add_packaged_argument(parser)
    args = parser.parse_args(argv)
    if args.checkpoint is None and (args.config is None or args.config.endswith('.onnx')):
        packaged = PACKAGED[args.model or DEFAULT]
        args.out = args.config
        args.config, args.checkpoint, kept = (
            str(packaged.with_name(packaged.name + end)) for end in ('.py', '.pth', INT8 if args.int8 else '.onnx')
        )
        if args.out is None:
            if args.joint or args.cfg_options or args.flip_test:
                parser.error('the file in the package stays as it is: name another, OUT.onnx')
            args.out, args.flip_test = kept, not args.int8  # as its config says; the other file is for speed
    elif args.out is None or args.model is not None:
        parser.error('give CONFIG, CHECKPOINT and OUT.onnx, or --model NAME and OUT.onnx for a packaged model')
    if not args.out.endswith('.onnx'):
        parser.error(f'{args.out}: name the file .onnx')
    args.parser = parser
    return args


def training_crops(config: 'Config', count: int) -> 'np.ndarray':
    """(N, H, W, 3) uint8: training faces as the test pipeline cuts them, evenly spread."""
    import numpy as np
    from mmengine.runner import Runner

    from mmpose_sp.apis.predicted_samples import loader_of

    loader = dict(loader_of(config, 'train', count), num_workers=0, persistent_workers=False)
    faces = Runner.build_dataloader(loader).dataset
    return np.stack([face['inputs'].permute(1, 2, 0).numpy() for face in faces])


def main(argv: Optional[Sequence[str]] = None) -> None:
    args = parse_args(argv)
    from mmengine.registry import init_default_scope

    from mmpose_sp.apis.model_loading import load_config, load_model
    from mmpose_sp.apis.onnx_export import CropLandmarker, export, metadata, quantise

    try:
        config = load_config(args.config, args.cfg_options)
        init_default_scope(config.get('default_scope', 'mmpose'))
        model = load_model(config, args.checkpoint, 'cpu')
        landmarker = CropLandmarker(model, args.flip_test, joint=args.joint)
        notes = metadata(config, model, landmarker, args.checkpoint)
        crops = training_crops(config, args.int8) if args.int8 else None
    except (OSError, ValueError, TypeError) as error:
        args.parser.error(str(error))
    export(landmarker, args.out, notes)
    if crops is not None:
        quantise(args.out, crops)
    print(f'written: {args.out}, {Path(args.out).stat().st_size / 1e6:.2f} MB')


if __name__ == '__main__':
    main()

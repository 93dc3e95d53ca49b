"""The label smoothing of a face, step by step (Fig. 1 a-g), and its spread beside annotators (Fig. A2).

    python tools/analysis_tools/smoothing_pipeline.py --annotation data/wflw/annotations/face_landmarks_wflw_test.json
    python tools/analysis_tools/smoothing_pipeline.py --annotation face.pts --image face.jpg --landmarks 8 36 48 \\
        --annotators ann.pts bob.pts carl.pts
"""

import argparse
from pathlib import Path

import numpy as np

from mmpose_sp.faces import scheme_of_count, transform_points
from mmpose_sp.faces.annotation_files import load_face
from mmpose_sp.utils.images import read_image
from mmpose_sp.visualization import crop_around


def parse_args(argv=None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--annotation', required=True, help='.pts file, or COCO-style .json of the converters')
    parser.add_argument('--image', help='the image (needed with .pts)')
    parser.add_argument('--image-root', help='folder of the images of a .json (default: ../images beside it)')
    parser.add_argument('--index', type=int, default=0, help='which face of the .json (default: 0)')
    parser.add_argument('--landmarks', type=int, nargs='+', help='landmarks to show (default: one per kind of edge)')
    parser.add_argument('--annotators', nargs='+', default=[], help='annotations of the same image by other people')
    parser.add_argument('--gamma', type=float, default=0.01, help='scale of the covariance (default: 0.01)')
    parser.add_argument('--edge-weight', type=float, default=0.01, help='weight of the edges in M (default: 0.01)')
    parser.add_argument('--patch-radius', type=int, default=4, help='k, heatmap px (default: 4)')
    parser.add_argument(
        '--spread-scale',
        type=float,
        default=100.0,
        help='Fig. A2 is drawn with the variance times this; 1 shows the real spread (default: 100)',
    )
    parser.add_argument('--out-dir', default='work_dirs/smoothing_pipeline')
    args = parser.parse_args(argv)
    args.parser = parser
    return args


def main(argv=None) -> None:
    args = parse_args(argv)
    from mmpose_sp.codecs import ImageAwareLabelSmoothing
    from mmpose_sp.visualization import plot_spread, plot_stages

    try:
        face = load_face(args.annotation, args.image, args.index, args.image_root)
        image = read_image(face.image)
        scheme = scheme_of_count(len(face.landmarks))
        options = dict(gamma=args.gamma, edge_weight=args.edge_weight, patch_radius=args.patch_radius)
        codec = ImageAwareLabelSmoothing((256, 256), (64, 64), scheme.name, **options)
        crop, matrix = crop_around(image, face.landmarks, codec.input_size[0])
        landmarks = transform_points(face.landmarks, matrix)
        if not np.isfinite(landmarks).all():
            raise ValueError(f'{args.annotation}: landmarks without annotation; pick a fully annotated face (--index)')
        selected = args.landmarks or scheme.shown
        others = [load_face(path, args.image, args.index).landmarks for path in args.annotators]
        for path, other in zip(args.annotators, others):
            if len(other) != len(landmarks):
                raise ValueError(f'{path}: {len(other)} landmarks, the annotation has {len(landmarks)}')
        annotations = np.stack([transform_points(other, matrix) for other in others]) if others else None
        out = Path(args.out_dir)
        written = [
            plot_stages(crop, landmarks, codec, selected, str(out / 'stages.png')),
            plot_spread(crop, landmarks, codec, selected, str(out / 'spread.png'), annotations, args.spread_scale),
        ]
    except (OSError, ValueError) as error:
        args.parser.error(str(error))
    print('written: ' + ', '.join(written))


if __name__ == '__main__':
    main()

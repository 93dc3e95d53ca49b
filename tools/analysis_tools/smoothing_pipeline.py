"""The label smoothing of a face, step by step (Fig. 1 a-g), and its spread beside annotators (Fig. A2).

    python tools/analysis_tools/smoothing_pipeline.py --annotation data/wflw/annotations/face_landmarks_wflw_test.json
    python tools/analysis_tools/smoothing_pipeline.py --annotation face.pts --image face.jpg --landmarks 8 36 48 \\
        --annotators ann.pts bob.pts carl.pts
    python tools/analysis_tools/smoothing_pipeline.py --statistics \\
        --annotation data/300w/annotations/face_landmarks_300w_part_val.json

``--statistics`` draws nothing: over all faces of the file it prints, for both choices of edges and several radii, how
the long axis of the label's Gaussian lies to the edge, and how wide the Gaussian is.
"""

import argparse
from pathlib import Path

import numpy as np

from mmpose_sp.faces import scheme_of_count, transform_points
from mmpose_sp.faces.annotation_files import load_face
from mmpose_sp.utils.images import read_image
from mmpose_sp.visualization import crop_around

RADII = (4, 6, 8, 12)  # of the patches that --statistics compares


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
    parser.add_argument('--edges', default='union', choices=('union', 'own'), help='see the codec (default: union)')
    parser.add_argument('--heatmap-size', type=int, default=64, help='px of the map, 1/4 of the crop (default: 64)')
    parser.add_argument('--statistics', action='store_true', help='print how the covariances lie to the edges')
    parser.add_argument('--out-dir', default='work_dirs/smoothing_pipeline')
    args = parser.parse_args(argv)
    args.parser = parser
    return args


def statistics(args: argparse.Namespace) -> str:
    """The table of ``--statistics``: medians over landmarks on edges of all faces that are annotated wholly."""
    from mmpose_sp.codecs import ImageAwareLabelSmoothing, edge_alignment
    from mmpose_sp.faces import crop_of_box, crop_to_image, invert
    from mmpose_sp.faces.annotation_files import read_annotations, tight_box

    faces = [face.landmarks for face in read_annotations(args.annotation) if np.isfinite(face.landmarks).all()]
    if not faces:
        raise ValueError(f'{args.annotation}: no face of which every landmark is annotated')
    scheme = scheme_of_count(len(faces[0]))
    side = args.heatmap_size
    size = (4 * side, 4 * side)
    inputs = [
        transform_points(face, invert(crop_to_image(*crop_of_box(tight_box(face), size), size))) for face in faces
    ]
    lines = [
        f'{len(faces)} faces, map of {side} x {side} px; gamma {args.gamma:g}, edge weight {args.edge_weight:g}',
        'edges  radius  angle (median)  over 45 degrees  axis ratio  std along x across, map px',
    ]
    for edges in ('union', 'own'):
        for radius in RADII:
            options = dict(gamma=args.gamma, edge_weight=args.edge_weight, patch_radius=radius, edges=edges)
            codec = ImageAwareLabelSmoothing(size, (side, side), scheme.name, **options)
            encoded = [codec.encode(landmarks[None]) for landmarks in inputs]
            found = [
                edge_alignment(face['label_covariances'][0], face['keypoint_labels'][0], codec.boundaries)
                for face in encoded
            ]
            angle = np.concatenate([face.angle for face in found])
            std = np.concatenate([face.std for face in found])[np.isfinite(angle)]
            angle = angle[np.isfinite(angle)]
            along, across = np.median(std, axis=0)
            lines.append(
                f'{edges:5}  {radius:6}  {np.median(angle):14.1f}  {100 * np.mean(angle > 45):14.0f}%'
                f'  {np.median(std[:, 0] / std[:, 1]):10.2f}  {along:.3f} x {across:.3f}'
            )
    return '\n'.join(lines)


def main(argv=None) -> None:
    args = parse_args(argv)
    if args.statistics:
        try:
            print(statistics(args))
        except (OSError, ValueError) as error:
            args.parser.error(str(error))
        return
    from mmpose_sp.codecs import ImageAwareLabelSmoothing
    from mmpose_sp.visualization import plot_spread, plot_stages

    try:
        face = load_face(args.annotation, args.image, args.index, args.image_root)
        image = read_image(face.image)
        scheme = scheme_of_count(len(face.landmarks))
        options = dict(gamma=args.gamma, edge_weight=args.edge_weight, patch_radius=args.patch_radius)
        options['edges'] = args.edges
        side = args.heatmap_size
        codec = ImageAwareLabelSmoothing((4 * side, 4 * side), (side, side), scheme.name, **options)
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

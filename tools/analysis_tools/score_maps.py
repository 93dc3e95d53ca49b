"""Score maps of one landmark over training, side by side (Fig. 4, A1).

    python tools/analysis_tools/score_maps.py --annotation data/wflw/annotations/face_landmarks_wflw_test.json \\
        --faces 0 7 --landmarks 60 16 --model STAR star.py star/epoch_1.pth star/epoch_5.pth \\
        --model Ours sp.py sp/epoch_1.pth sp/epoch_2.pth

One row per face and landmark, one column per checkpoint. The green cross is the annotation, the red one the arg max.
Train with ``--cfg-options default_hooks.checkpoint.interval=1 default_hooks.checkpoint.max_keep_ckpts=-1`` to keep the
checkpoints of all epochs.
"""

import argparse
import re
from pathlib import Path
from typing import List, NamedTuple, Sequence

import cv2
import numpy as np
from tqdm import tqdm

from mmpose_sp.apis.arguments import add_device_argument
from mmpose_sp.faces import compose, invert, map_grid, transform_points
from mmpose_sp.faces.annotation_files import AnnotatedFace, load_face, tight_box
from mmpose_sp.utils.images import read_image
from mmpose_sp.visualization import GREEN, RED, contact_sheet, overlay_heatmap, write_image

SHOWN = ('scores', 'posterior')


class Column(NamedTuple):
    """One checkpoint of a model, and what stands under its pictures."""

    caption: str
    config: str
    checkpoint: str


def columns_of(models: Sequence[Sequence[str]]) -> List[Column]:
    """One column per checkpoint of ``[LABEL, CONFIG, CHECKPOINT, ...]``.

    Raises:
        ValueError: No checkpoint.
        FileNotFoundError: A file that is not there.
    """
    columns = []
    for label, *files in models:
        if len(files) < 2:
            raise ValueError(f'--model {label} {" ".join(files)}: give LABEL CONFIG CHECKPOINT [CHECKPOINT ...]')
        for path in files:
            if not Path(path).is_file():
                raise FileNotFoundError(f'--model {label}: {path}: no such file')
        columns += [Column(f'{label}, {checkpoint_name(path)}', files[0], path) for path in files[1:]]
    return columns


def checkpoint_name(path: str) -> str:
    """'epoch 5' for ``.../epoch_5.pth`` and ``best_NME_epoch_5.pth``; the stem for others."""
    match = re.search(r'(epoch|iter)_(\d+)$', Path(path).stem)
    return f'{match[1]} {match[2]}' if match else Path(path).stem


def peak(scores: np.ndarray) -> np.ndarray:
    """(x, y) of the arg max of a map (h, w)."""
    row, column = np.unravel_index(scores.argmax(), scores.shape)
    return np.array([column, row], dtype=np.float64)


def draw_tile(
    image: np.ndarray,
    scores: np.ndarray,
    heatmap_to_image: np.ndarray,
    landmark: np.ndarray,
    size: int = 256,
    shown: str = 'scores',
    eps: float = 1.0,
) -> np.ndarray:
    """The crop that the network saw, its score map over it, the annotation and the arg max.

    Args:
        image: uint8 BGR picture.
        scores: (h, w) of one landmark.
        heatmap_to_image: (2, 3) affine map from heatmap px to image px.
        landmark: (2,) annotation in image px.
        size: Side of the tile.
        shown: 'scores' (F, scaled to its range) or 'posterior' (softmax).
    """
    from scipy.special import softmax

    height, width = scores.shape
    tile_from_heatmap = map_grid((size, size), (width, height)).matrix
    tile_from_image = compose(tile_from_heatmap, invert(heatmap_to_image))
    crop = cv2.warpAffine(image, tile_from_image, (size, size), borderValue=(114, 114, 114))
    tile = overlay_heatmap(crop, softmax(scores / eps) if shown == 'posterior' else scores, 0.75)
    for point, colour in (
        (transform_points(landmark, tile_from_image), GREEN),
        (transform_points(peak(scores), tile_from_heatmap), RED),
    ):
        if np.isfinite(point).all():
            centre = tuple(int(round(v)) for v in np.clip(point, -size, 2 * size))
            cv2.drawMarker(tile, centre, (0, 0, 0), cv2.MARKER_CROSS, size // 11, 5)
            cv2.drawMarker(tile, centre, colour, cv2.MARKER_CROSS, size // 12, 2)
    return tile


def predict_column(column: Column, faces: Sequence[AnnotatedFace], device: str):
    """The score maps of all faces by one checkpoint: FaceResult of each."""
    from mmpose_sp.apis import FaceLandmarker

    landmarker = FaceLandmarker(column.config, column.checkpoint, device)
    if landmarker.num_landmarks != len(faces[0].landmarks):
        raise ValueError(
            f'{column.config} is for {landmarker.num_landmarks} landmarks, the annotation has {len(faces[0].landmarks)}'
        )
    boxes = [tight_box(face.landmarks)[None] for face in faces]
    results = landmarker([face.image for face in faces], bboxes=boxes, errors='raise', progress=False, score_maps=True)
    return [result.faces[0] for result in results], landmarker.codec.eps


def parse_args(argv=None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        '--model',
        nargs='+',
        action='append',
        required=True,
        metavar='LABEL CONFIG CHECKPOINT',
        help='a name, a config, and its checkpoints in order; repeat to compare',
    )
    parser.add_argument('--annotation', required=True, help='.pts file, or COCO-style .json of the converters')
    parser.add_argument('--image', help='the image (needed with .pts)')
    parser.add_argument('--image-root', help='folder of the images of a .json (default: ../images beside it)')
    parser.add_argument('--faces', type=int, nargs='+', default=[0], help='which faces of the .json (default: 0)')
    parser.add_argument(
        '--landmarks', type=int, nargs='+', required=True, help='landmark of each face (one for all is fine)'
    )
    parser.add_argument('--show', choices=SHOWN, default='scores', help='F itself, or softmax(F / eps)')
    add_device_argument(parser)
    parser.add_argument('--size', type=int, default=256, help='side of each picture (default: 256)')
    parser.add_argument('--out', default='work_dirs/score_maps.png')
    args = parser.parse_args(argv)
    if len(args.landmarks) == 1:
        args.landmarks *= len(args.faces)
    if len(args.landmarks) != len(args.faces):
        parser.error(f'{len(args.faces)} --faces but {len(args.landmarks)} --landmarks')
    args.parser = parser
    return args


def main(argv=None) -> None:
    args = parse_args(argv)
    try:
        columns = columns_of(args.model)
        faces = [load_face(args.annotation, args.image, index, args.image_root) for index in args.faces]
        for face, landmark in zip(faces, args.landmarks):
            if not 0 <= landmark < len(face.landmarks):
                raise ValueError(f'landmark {landmark} does not exist: 0 to {len(face.landmarks) - 1}')
        images = [read_image(face.image) for face in faces]
        tiles = [[None] * len(columns) for _ in faces]
        for number, column in enumerate(tqdm(columns, desc='score maps', unit='checkpoint')):
            results, eps = predict_column(column, faces, args.device)
            for row, (result, face, landmark) in enumerate(zip(results, faces, args.landmarks)):
                tiles[row][number] = draw_tile(
                    images[row],
                    result.score_maps[landmark],
                    result.heatmap_to_image,
                    face.landmarks[landmark],
                    args.size,
                    args.show,
                    eps,
                )
        captions = [f'{column.caption}, landmark {landmark}' for landmark in args.landmarks for column in columns]
        sheet = contact_sheet(
            [tile for row in tiles for tile in row],
            captions,
            len(columns),
            (args.size,) * 2,
            f'{args.show}: annotation green, arg max red',
        )
        write_image(args.out, sheet)
    except (OSError, ValueError, TypeError) as error:
        args.parser.error(str(error))
    print(f'written: {args.out}')


if __name__ == '__main__':
    main()

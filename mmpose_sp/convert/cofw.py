"""Convert COFW (29 points, colour) to the files that mmpose's COFWDataset reads.

SRC is the folder with ``COFW_train_color.mat`` and ``COFW_test_color.mat``. Written are::

    DST/images/000001.jpg ...           train, then test, numbered as mmpose's own converter does
    DST/annotations/cofw_{train,test}.json

Every face keeps its official box (``rect``; also ``bbox``, as in mmpose) and its 29 occlusion flags
(``occluded``; COCO visibility is 2 where a landmark is visible and 1 where it is occluded).

Example:
    python tools/dataset_converters/cofw2coco.py ~/downloads/cofw data/cofw
"""

import contextlib
from pathlib import Path
from typing import Iterator, List

import numpy as np

from mmpose_sp.faces.annotation_files import AnnotationError
from mmpose_sp.faces.benchmarks import COFW

from .coco_writing import CocoWriter
from .command import argument_parser, progress
from .output import Output
from .raw_faces import RawFace
from .reports import Problems, check_counts, report_faces
from .splits import add_held_out

SUFFIXES = {'train': 'Tr', 'test': 'T'}  # of the variables: IsTr, phisTr, bboxesTr / IsT, phisT, bboxesT
REDO = 'the file is damaged or was not loaded completely; download and unpack it again'


def open_mat(path: Path):
    """Open a MATLAB v7.3 file, which is HDF5."""
    try:
        import h5py
    except ImportError as error:
        raise AnnotationError('reading COFW needs h5py: pip install h5py') from error
    try:
        return h5py.File(path, 'r')
    except OSError as error:
        raise AnnotationError(f'{path}: no readable MATLAB v7.3 (HDF5) file ({error}); {REDO}.') from error


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Whatever h5py stumbles over in a damaged file, or one of other types, is told of the file."""
    try:
        yield
    except AnnotationError:
        raise
    except (OSError, RuntimeError, KeyError, AttributeError, ValueError, TypeError) as error:
        raise AnnotationError(f'{path}: {error}; {REDO}.') from error


def rows(array: np.ndarray, width: int, count: int, origin: str) -> np.ndarray:
    """(count, width) from either layout; (width, count) first: h5py shows MATLAB transposed."""
    if array.dtype.kind not in 'fiu':
        raise AnnotationError(f'{origin}: {array.dtype} values, expected numbers; {REDO}.')
    if array.shape == (width, count):
        return array.T
    if array.shape == (count, width):
        return array
    raise AnnotationError(f'{origin}: shape {array.shape}, expected {width} x {count}; {REDO}.')


def to_rgb(array: np.ndarray, origin: str) -> np.ndarray:
    """(H, W, 3) uint8 from a frame as h5py shows it: (W, H) or (3, W, H)."""
    if array.dtype != np.uint8:
        raise AnnotationError(f'{origin}: {array.dtype} pixels, expected uint8; {REDO}.')
    frame = array.T
    if frame.ndim == 2:
        frame = frame[..., None]
    if frame.ndim != 3 or frame.shape[2] not in (1, 3) or 0 in frame.shape:
        raise AnnotationError(f'{origin}: frame of shape {array.shape}, expected W x H or 3 x W x H; {REDO}.')
    return np.ascontiguousarray(np.broadcast_to(frame, (*frame.shape[:2], 3)))


def to_face(phi: np.ndarray, box: np.ndarray, file_name: str, size, origin: str) -> RawFace:
    """RawFace from 29 x, 29 y, 29 occlusion flags and a box x, y, w, h; MATLAB counts from 1."""
    points, occluded = phi[: 2 * COFW.num_landmarks].reshape(2, -1).T - 1, phi[2 * COFW.num_landmarks :]
    if not np.isin(occluded, (0, 1)).all():
        raise AnnotationError(f'{origin}: occlusion flags other than 0 and 1; {REDO}.')
    if not np.isfinite(box).all() or (box[2:] <= 0).any():
        raise AnnotationError(f'{origin}: box {box.tolist()}, expected x, y, width, height; {REDO}.')
    x1, y1 = box[:2] - 1  # boxes and landmarks share one frame
    return RawFace(
        file_name,
        size,
        points,
        file_name,
        origin,
        visible=2 - occluded,
        rect=(x1, y1, x1 + box[2], y1 + box[3]),
        rect_is_bbox=True,
        extra={'occluded': [int(o) for o in occluded]},
    )


def read_split(path: Path, name: str, first: int, out: Output, image_format: str) -> List[RawFace]:
    """Faces of one ``.mat`` file, numbered from ``first``; their frames become image files."""
    suffix = SUFFIXES[name]
    faces, problems, owners = [], Problems(), {}
    with open_mat(path) as mat:
        with reading(path):
            missing = [v for v in (f'Is{suffix}', f'phis{suffix}', f'bboxes{suffix}') if v not in mat]
            if missing:
                raise AnnotationError(
                    f'{path}: no variable {missing[0]} (it holds {", ".join(mat)}); is it COFW color {name}?'
                )
            references = mat[f'Is{suffix}'][()].ravel()
            phis = rows(mat[f'phis{suffix}'][()], 3 * COFW.num_landmarks, len(references), f'{path}: phis{suffix}')
            boxes = rows(mat[f'bboxes{suffix}'][()], 4, len(references), f'{path}: bboxes{suffix}')
        for i, reference in enumerate(progress(references, f'COFW {name}')):
            origin, file_name = f'{path}: face {i + 1}', f'{first + i:06d}.{image_format}'
            with problems.collect():
                with reading(path):
                    cell = mat[reference]
                    owner = owners.setdefault(cell.name, i + 1)
                    if owner != i + 1:
                        raise AnnotationError(f'{origin}: has the frame of face {owner}; {REDO}.')
                    frame = to_rgb(cell[()], origin)
                    face = to_face(phis[i], boxes[i], file_name, frame.shape[1::-1], origin)
                out.pixels(frame, file_name)
                faces.append(face)
    problems.raise_if_any()
    return faces


def main(argv=None) -> None:
    parser = argument_parser(__doc__, 'folder with COFW_train_color.mat and COFW_test_color.mat', 'data/cofw')
    parser.add_argument(
        '--format',
        choices=('jpg', 'png'),
        default='jpg',
        dest='image_format',
        help='of the frames: JPEG of quality 95, as in mmpose, or lossless (default: %(default)s)',
    )
    args = parser.parse_args(argv)
    paths = {name: args.src / COFW.download['split'].format(name) for name in COFW.splits}
    if not any(path.is_file() for path in paths.values()):
        raise AnnotationError(f'{paths["train"]} is missing; SRC is the folder that holds the two .mat files.')
    with Output(args.dst, COFW.annotation_file) as out:
        splits, first = {}, 1
        for name, path in paths.items():
            splits[name] = []
            if path.is_file():
                splits[name] = read_split(path, name, first, out, args.image_format)
                first += len(splits[name])
        found = {name: len(faces) for name, faces in splits.items()}
        complete = check_counts('COFW', found, COFW.published, args.strict)
        report_faces(splits)
        add_held_out(splits, args)
        CocoWriter('COFW (colour) converted from the official .mat files', complete).write(splits, out, COFW)

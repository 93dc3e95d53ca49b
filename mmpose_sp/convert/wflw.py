"""Convert WFLW (98 points) to the files that mmpose's WFLWDataset reads.

SRC is the folder with ``WFLW_images`` and ``WFLW_annotations``, as unpacked. Written are::

    DST/images/<class>/<name>.jpg
    DST/annotations/face_landmarks_wflw_{train,test}.json
    DST/annotations/face_landmarks_wflw_test_{largepose,expression,illumination,makeup}.json
    DST/annotations/face_landmarks_wflw_test_{occlusion,blur}.json

The six subsets come from the attribute flags of the test list and are compared with the official
subset lists where those are present. Every face keeps its official box (``rect``) and its flags
(``attributes``).

Example:
    python tools/dataset_converters/wflw2coco.py ~/downloads/wflw data/wflw
"""

from collections import Counter
from pathlib import Path
from typing import Dict, List, NamedTuple

import numpy as np

from mmpose_sp.faces.annotation_files import AnnotationError, read_lines, to_floats
from mmpose_sp.faces.benchmarks import WFLW

from .coco_writing import CocoWriter
from .command import add_image_options, argument_parser, progress
from .output import Output
from .raw_faces import RawFace, image_size
from .reports import Problems, check_counts, report_faces, warn
from .splits import add_held_out

# Columns of a line: coordinates (subset lists have no others), the corners of the box, the flags, the image.
BOX = 2 * WFLW.num_landmarks
FLAGS = BOX + 4
IMAGE = FLAGS + len(WFLW.subsets)


class Line(NamedTuple):
    origin: str
    numbers: np.ndarray  # every field but the image name
    image: str


def read_list(path: Path, num_numbers: int) -> List[Line]:
    """Lines of an official list: ``num_numbers`` numbers and an image name.

    Raises:
        AnnotationError: empty file, wrong number of fields, a field that is not a number.
    """
    lines, problems = [], Problems()
    for number, text in enumerate(read_lines(path), 1):
        if not text:
            continue
        with problems.collect():
            fields = text.split(None, num_numbers)  # image names may contain spaces
            origin = f'{path}:{number}'
            if len(fields) != num_numbers + 1:
                raise AnnotationError(
                    f'{origin}: {len(fields)} fields, expected {num_numbers + 1} ({WFLW.num_landmarks} '
                    'landmarks ... image name); is it the right list?'
                )
            lines.append(Line(origin, to_floats(fields[:-1], origin), fields[-1]))
    problems.raise_if_any()
    if not lines:
        raise AnnotationError(f'{path}: empty list; unpack the annotations again.')
    return lines


def to_face(line: Line, size) -> RawFace:
    """RawFace of a line of the train or test list. WFLW counts pixels from 0 already."""
    rect, flags = line.numbers[BOX:FLAGS], line.numbers[FLAGS:IMAGE]
    if not np.isin(flags, (0, 1)).all():
        raise AnnotationError(f'{line.origin}: attribute flags {flags.tolist()}, expected 0 or 1.')
    if not np.isfinite(rect).all() or not (rect[2:] > rect[:2]).all():
        raise AnnotationError(f'{line.origin}: box {rect.tolist()}, expected x_min y_min x_max y_max.')
    points = line.numbers[:BOX].reshape(-1, 2)
    attributes = {name: int(flag) for name, flag in zip(WFLW.subsets, flags)}
    return RawFace(line.image, size, points, line.image, line.origin, rect=rect, extra={'attributes': attributes})


def read_split(src: Path, name: str, out: Output, verify: bool) -> List[RawFace]:
    """Faces of the ``train`` or ``test`` list; none if there is no such list."""
    path = src / WFLW.download['split'].format(name)
    if not path.is_file():
        warn(f'{path} is missing, WFLW {name} is not converted')
        return []
    faces, problems, sizes = [], Problems(), {}
    for line in progress(read_list(path, IMAGE), f'WFLW {name}'):
        with problems.collect():
            if line.image not in sizes:
                image = src / WFLW.download['images'] / line.image
                sizes[line.image] = image_size(image, verify)
                out.image(image, line.image)
            faces.append(to_face(line, sizes[line.image]))
    problems.raise_if_any()
    return faces


def check_subset(path: Path, faces: List[RawFace]) -> bool:
    """Whether an official subset list holds the same faces; if not, warn: the flags count."""
    listed = Counter((line.image, line.numbers.round(2).tobytes()) for line in read_list(path, BOX))
    flagged = Counter((face.file_name, face.keypoints.ravel().round(2).tobytes()) for face in faces)
    if listed == flagged:
        return True
    only_listed, only_flagged = listed - flagged, flagged - listed
    example = next(iter(only_listed or only_flagged))[0]
    warn(
        f'{path}: {sum(only_listed.values())} faces stand only there, '
        f'{sum(only_flagged.values())} only in the flags of the test list (e.g. {example}); the '
        'subset is written by the flags'
    )
    return False


def subsets_of(faces: List[RawFace]) -> Dict[str, List[RawFace]]:
    return {name: [face for face in faces if face.extra['attributes'][name]] for name in WFLW.subsets}


def main(argv=None) -> None:
    parser = argument_parser(__doc__, 'folder with WFLW_images and WFLW_annotations', 'data/wflw')
    add_image_options(parser)
    args = parser.parse_args(argv)
    lists = [args.src / WFLW.download['split'].format(name) for name in WFLW.splits]
    if not any(path.is_file() for path in lists):
        raise AnnotationError(f'{lists[0]} is missing; SRC is the folder that holds WFLW_images and WFLW_annotations.')
    with Output(args.dst, WFLW.annotation_file, args.link) as out:
        splits = {name: read_split(args.src, name, out, args.verify) for name in WFLW.splits}
        subsets = subsets_of(splits['test'])
        found = {name: len(faces) for name, faces in {**splits, **subsets}.items()}
        complete = check_counts('WFLW', found, WFLW.published, args.strict)
        report_faces(splits)
        add_held_out(splits, args)
        for name, faces in subsets.items():
            splits[f'test_{name}'] = faces
            path = args.src / WFLW.download['subset'].format(name)
            if path.is_file():
                check_subset(path, faces)
        CocoWriter('WFLW converted from the official lists', complete).write(splits, out, WFLW)

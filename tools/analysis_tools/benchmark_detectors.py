"""What the detectors that come with mmpose_sp find, and what their boxes do to the landmarks: docs/detectors.md.

Needs a folder in the layout of 300-W with ``afw`` and the faces of --names. Prints one row after the other as Markdown.

Example:
    python tools/analysis_tools/benchmark_detectors.py ~/downloads/300w                     # who finds what
    python tools/analysis_tools/benchmark_detectors.py ~/downloads/300w --landmarks fast    # what follows from it
"""

import argparse
import os
import time
from pathlib import Path
from typing import Callable, Dict, Iterable, List, Optional, Sequence, Tuple

import numpy as np

from mmpose_sp.apis.base_landmarker import Detector
from mmpose_sp.apis.detectors import HaarFaceDetector, haar_mapping
from mmpose_sp.apis.packaged import PACKAGED
from mmpose_sp.apis.yunet import YuNetFaceDetector, yunet_mapping
from mmpose_sp.peers.measure import boxes_around, errors_of
from mmpose_sp.peers.photos import Photo, matching, names_of, placed, read_photos, shrunk, turned

LISTS = Path(__file__).resolve().parents[1] / 'dataset_converters' / '300w_part'
DETECTORS: Dict[str, Callable[[], Detector]] = {
    'yunet': lambda: YuNetFaceDetector(yunet_mapping('300w')),
    'haar': lambda: HaarFaceDetector(haar_mapping('300w')),
}
CANVAS = 640, 480  # px of the pictures with a small face
ANGLES = (30, 60, 90, -90, 180)
ALL_TURNS = (0, 90, 180, 270)


def parse_args(argv: Optional[List[str]] = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('data', type=Path, help='folder in the layout of 300-W')
    parser.add_argument('--names', default=str(LISTS / 'test.txt'), help='list of faces (default: the 217 test faces)')
    parser.add_argument('--detectors', nargs='+', choices=list(DETECTORS), default=list(DETECTORS))
    parser.add_argument(
        '--every', type=int, default=2, help='which faces are shrunk (default: every 2nd); half as many are turned'
    )
    parser.add_argument('--landmarks', choices=list(PACKAGED), help='errors of this model behind the detectors instead')
    return parser.parse_args(argv)


def search(detector: Detector, photos: Iterable[Photo]) -> Tuple[str, str, str]:
    """Percentage of annotated faces found, other boxes for each picture, and median CPU ms."""
    found, others, spent = [], [], []
    for photo in photos:
        start = time.process_time()
        boxes, _ = detector(photo.image)
        spent.append(time.process_time() - start)
        found.append(matching(photo, boxes) is not None)
        others.append(len(boxes) - found[-1])
    return f'{100 * np.mean(found):.1f}', f'{np.mean(others):.2f}', f'{1e3 * np.median(spent):.1f}'


def print_found(names: Sequence[str], photos: List[Photo], afw: List[Photo], every: int) -> None:
    """A table of pictures: one row for each kind, a column for each detector."""
    some, rng = photos[::every], np.random.default_rng(0)
    small = {side: [placed(shrunk(photo, side), CANVAS, rng) for photo in some] for side in (60, 30, 20)}
    kinds = {
        f'test list, {len(photos)} faces': photos,
        f'AFW, {len(afw)} faces': afw,
        **{f'faces of {side} px in {CANVAS[0]} x {CANVAS[1]} px': faces for side, faces in small.items()},
        'enlarged, faces of 600 to 1000 px': [enlarged(photo, 4) for photo in some[::2]],
        **{f'turned by {angle} degrees': [turned(photo, angle) for photo in some[::2]] for angle in ANGLES},
    }
    detectors = [DETECTORS[name]() for name in names]
    print(f'| | {" | ".join(f"{name}: found, % | other boxes | ms" for name in names)} |')
    print(f'|:--|{":-:|" * 3 * len(names)}')
    for kind, faces in kinds.items():
        cells = [cell for detector in detectors for cell in search(detector, faces)]
        print(f'| {kind} | {" | ".join(cells)} |', flush=True)


def enlarged(photo: Photo, factor: float) -> Photo:
    """The whole picture, so many times as large."""
    matrix = np.array([[factor, 0, (factor - 1) / 2], [0, factor, (factor - 1) / 2]])
    height, width = photo.image.shape[:2]
    return photo.warped(matrix, (round(width * factor), round(height * factor)))


def print_errors(name: str, photos: List[Photo]) -> None:
    """NME of a packaged model with boxes of the annotation and of the detectors; confidences; turned faces."""
    from mmpose_sp.runtime import Landmarker

    def row(title: str, faces: Sequence[Photo], given: bool = False, **options: object) -> None:
        landmarker = Landmarker.from_packaged(name, **{'min_confidence': 0, **options})
        points, sure, others, spent = np.full((len(faces), 68, 2), np.nan), [], [], []
        for one, photo in zip(points, faces):
            start = time.process_time()
            found = landmarker(photo.image, bboxes=photo.box[None] if given else None)[0].faces
            spent.append(time.process_time() - start)
            which = matching(photo, boxes_around([face.landmarks for face in found]))
            for index, face in enumerate(found):
                (sure if index == which else others).append(float(face.confidence.mean()))
            if which is not None:
                one[:] = found[which].landmarks
        errors = errors_of(points, faces)
        seen = np.isfinite(errors)
        print(
            f'| {title} | {100 * seen.mean():.1f} | {errors[seen].mean():.3f} | {100 * (errors > 5).mean():.1f} '
            f'| {min(sure):.2f} | {max(others, default=0):.2f} | {1e3 * np.median(spent):.1f} |',
            flush=True,
        )

    print('| boxes | found, % | NME | FR | least confidence | greatest of other boxes | ms |')
    print('|:--|:-:|:-:|:-:|:-:|:-:|:-:|')
    row('annotated', photos, given=True)
    for refine in (0, 1):
        row(f'yunet, `refine={refine}`', photos, refine=refine)
    row('haar, `refine=1`', photos, detector='haar')
    for angle in ANGLES:
        faces = [turned(photo, angle) for photo in photos[::4]]
        row(f'turned by {angle} degrees', faces)
        row(f'turned by {angle} degrees, `rotations={ALL_TURNS}`', faces, rotations=ALL_TURNS)


def main(argv: Optional[List[str]] = None) -> None:
    args = parse_args(argv)
    if hasattr(os, 'sched_setaffinity'):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    photos = list(read_photos(args.data, names_of(args.data, args.names)))
    if args.landmarks:
        print_errors(args.landmarks, photos)
    else:
        print_found(args.detectors, photos, list(read_photos(args.data, names_of(args.data, 'afw'))), args.every)


if __name__ == '__main__':
    main()

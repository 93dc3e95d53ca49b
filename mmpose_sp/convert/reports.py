"""What a conversion says: problems together, counts against the published ones, duplicates, landmarks outside."""

import contextlib
import sys
from typing import Dict, List, Mapping, Sequence

import numpy as np

from mmpose_sp.faces.annotation_files import AnnotationError, some_of, tight_box
from mmpose_sp.faces.coordinates import outside_image, overlap

from .raw_faces import RawFace, find_duplicates


class Problems:
    """Collects what is wrong with single faces, so that one run tells all of it."""

    def __init__(self):
        self.messages: List[str] = []

    @contextlib.contextmanager
    def collect(self):
        try:
            yield
        except AnnotationError as error:
            self.messages.append(str(error))

    def raise_if_any(self) -> None:
        if self.messages:
            shown = '\n  '.join(self.messages[:10])
            more = len(self.messages) - 10
            raise AnnotationError(
                shown
                if len(self.messages) == 1
                else f'{len(self.messages)} problems:\n  {shown}' + (f'\n  ... and {more} more' if more > 0 else '')
            )


def warn(message: str) -> None:
    print(f'WARNING: {message}', file=sys.stderr, flush=True)


def check_counts(dataset: str, found: Dict[str, int], published: Mapping[str, int], strict: bool) -> bool:
    """Compare face counts with the published ones; True if all agree.

    A set of another size is converted, but never silently: results on it must not be reported as
    results on the benchmark.

    Raises:
        AnnotationError: they differ and ``strict`` is set, or there is no face at all.
    """
    if not sum(found.values()):
        raise AnnotationError(f'no face of {dataset} was found; is SRC the folder that was unpacked?')
    if all(found.get(k, 0) == n for k, n in published.items()):
        print(f'{dataset}: the published counts agree (' + ', '.join(f'{k} {n:,}' for k, n in published.items()) + ')')
        return True
    width = max(map(len, published))
    table = '\n'.join(
        f'   {"  " if found.get(k, 0) == n else "!!"} {k:<{width}}  found {found.get(k, 0):>6,}   published {n:>6,}'
        for k, n in published.items()
    )
    text = (
        f'this is NOT {dataset} as published. Results on it are not results on {dataset}; '
        f'name the part you used.\n{table}'
    )
    if strict:
        raise AnnotationError(text)
    bar = '#' * 100
    print(f'{bar}\nWARNING: {text}\n{bar}', file=sys.stderr, flush=True)
    return False


def _fit(points: np.ndarray, box: np.ndarray) -> float:
    """Intersection over union of the box around points (K, 2) with a box x1 y1 x2 y2."""
    return float(overlap(box, tight_box(points)[None])[0])


def check_boxes(faces: Sequence[RawFace]) -> None:
    """Compare the landmarks of a list with the official boxes, where there are any; those apart from theirs are told.

    Raises:
        AnnotationError: most fit their boxes better with x and y swapped.
    """
    boxed = [(face, np.array(face.rect)) for face in faces if face.rect is not None]
    fits = [_fit(face.keypoints, box) for face, box in boxed]
    swapped = [face.origin for fit, (face, box) in zip(fits, boxed) if _fit(face.keypoints[:, ::-1], box) > fit]
    if len(swapped) > len(boxed) / 2:
        raise AnnotationError(
            f'{len(swapped)} of {len(boxed)} faces fit their boxes better with x and y of the landmarks swapped: '
            f'{some_of(swapped)}. Take the list as it was published.'
        )
    apart = [face.origin for fit, (face, _) in zip(fits, boxed) if fit == 0]
    if apart:
        warn(f'{len(apart)} faces lie outside of their official box: {some_of(apart)}')


def report_faces(splits: Dict[str, Sequence[RawFace]]) -> None:
    """Tell about duplicates, landmarks outside their image, and photos that splits share."""
    faces = [face for split in splits.values() for face in split]
    pairs = find_duplicates(faces)
    if pairs:
        warn(
            f'{len(pairs)} faces stand there twice (same landmarks, same image size), both are '
            'kept: ' + some_of([f'{b.origin} = {a.origin}' for a, b in pairs])
        )
    names = list(splits)
    for i, a in enumerate(names):
        for b in names[i + 1 :]:
            shared = sorted({f.photo for f in splits[a]} & {f.photo for f in splits[b]})
            if shared:
                warn(f'{len(shared)} photos are in both {a} and {b}: {some_of(shared)}')
    for split in splits.values():
        check_boxes(split)
    outside = sum(int(outside_image(face.keypoints, face.size).sum()) for face in faces)
    if outside:
        print(f'note: {outside:,} landmarks of {len(faces):,} faces lie outside their image, kept as annotated')

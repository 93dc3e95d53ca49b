"""Writing converted faces: COCO-style annotations, and an output that is written whole or not."""

import contextlib
import json
import os
import shutil
import signal
import tempfile
import threading
from pathlib import Path
from typing import Dict, List, NamedTuple, Sequence

import numpy as np
from PIL import Image

from mmpose_sp.faces.annotation_files import AnnotationError

from .raw_faces import RawFace

PIXEL_STD = 200.0  # mmpose's face annotations store scales in units of 200 px
BOX_PADDING = 1.2  # ... and boxes of 1.2 times the landmarks' extent


class Box(NamedTuple):
    bbox: List[float]  # x, y, width, height; px
    center: List[float]  # px
    scale: float  # units of 200 px


def landmark_box(points: np.ndarray) -> Box:
    """Boxes of a face from its landmarks, by the rule of mmpose's own WFLW and 300W annotations.

    ``center`` and ``scale`` come from the extent rounded outward to whole pixels, ``bbox`` is the
    exact extent enlarged 1.2 times about its own centre.

    Args:
        points: (K, 2) x, y in image px, all of them finite.
    """
    low, high = points.min(axis=0), points.max(axis=0)
    outer_low, outer_high = np.floor(low), np.ceil(high)
    size = BOX_PADDING * (high - low)
    return Box(
        _round([*((low + high - size) / 2), *size]),
        _round((outer_low + outer_high) / 2),
        float((outer_high - outer_low).max() / PIXEL_STD),
    )


def _round(values) -> List[float]:
    return [round(float(v), 6) for v in values]


class CocoWriter:
    """Numbers images and faces once for all files of a conversion: a subset keeps its ids."""

    def __init__(self, description: str, complete: bool):
        self.info = {
            'description': description,
            'complete': complete,
            'coordinates': 'pixel indices, 0-based',
        }
        self.image_ids: Dict[str, int] = {}
        self.face_ids: Dict[int, int] = {}

    def __call__(self, faces: Sequence[RawFace]) -> Dict:
        images = {}
        annotations = []
        for face in faces:
            image_id = self.image_ids.setdefault(face.file_name, len(self.image_ids) + 1)
            images[image_id] = {
                'id': image_id,
                'file_name': face.file_name,
                'width': face.size[0],
                'height': face.size[1],
            }
            annotations.append(self._annotation(face, image_id))
        category = {
            'supercategory': 'person',
            'id': 1,
            'name': 'face',
            'keypoints': [],
            'skeleton': [],
        }
        return {
            'info': self.info,
            'categories': [category],
            'images': list(images.values()),
            'annotations': annotations,
        }

    def _annotation(self, face: RawFace, image_id: int) -> Dict:
        visible = face.visible if face.visible is not None else np.ones(len(face.keypoints))
        box = landmark_box(face.keypoints)
        bbox = box.bbox
        if face.rect_is_bbox:
            x1, y1, x2, y2 = face.rect
            bbox = _round([x1, y1, x2 - x1, y2 - y1])
        annotation = {
            'id': self.face_ids.setdefault(id(face), len(self.face_ids) + 1),
            'image_id': image_id,
            'category_id': 1,
            'iscrowd': 0,
            'bbox': bbox,
            'area': round(bbox[2] * bbox[3], 6),
            'center': box.center,
            'scale': box.scale,
            'num_keypoints': len(face.keypoints),
            'keypoints': [v for (x, y), flag in zip(face.keypoints, visible) for v in (*_round((x, y)), int(flag))],
        }
        if face.rect is not None:
            annotation['rect'] = _round(face.rect)
        annotation.update(face.extra)
        return annotation


class Output:
    """All or nothing: files gather in a hidden folder in ``dst`` while the ``with`` block runs.

    If it ends well, they move to their places. On any exception, Ctrl-C included, the hidden folder
    is removed and ``dst`` is as it was.

    Args:
        dst: folder to write to.
        link: 'hard' (falls back to 'copy' where the file system refuses), 'symlink' or 'copy'.
    """

    def __init__(self, dst: Path, link: str = 'hard'):
        self.dst, self.link = Path(dst), link
        self.files: Dict[str, None] = {}  # names below dst, in order

    def __enter__(self) -> 'Output':
        missing = [p for p in (self.dst, *self.dst.parents) if not p.exists()]
        try:
            self.dst.mkdir(parents=True, exist_ok=True)
            self.staging = Path(tempfile.mkdtemp(prefix='.converting-', dir=self.dst))
        except OSError as error:
            raise AnnotationError(f'{self.dst}: cannot be written ({error.strerror}); choose another DST.') from error
        self.created = missing  # innermost first
        return self

    def __exit__(self, kind, error, trace) -> None:
        with _undisturbed():
            try:
                if kind is None:
                    self._publish()
            finally:
                shutil.rmtree(self.staging, ignore_errors=True)
                if kind is not None:
                    with contextlib.suppress(OSError):
                        for folder in self.created:
                            folder.rmdir()

    def _publish(self) -> None:
        # annotations move last: where they are, their images are
        for name in sorted(self.files, key=lambda n: n.endswith('.json')):
            (self.dst / name).parent.mkdir(parents=True, exist_ok=True)
            os.replace(self.staging / name, self.dst / name)

    def _stage(self, name: str) -> Path:
        path = self.staging / name
        path.parent.mkdir(parents=True, exist_ok=True)
        self.files[name] = None
        return path

    def image(self, source: Path, file_name: str) -> None:
        """Bring an image file to ``images/<file_name>``; where SRC lies in DST it may be there."""
        name, source = f'images/{file_name}', Path(source).absolute()
        target = self.dst / name
        if name in self.files or (
            target.parent.exists() and target.parent.resolve() / target.name == source.parent.resolve() / source.name
        ):
            return
        path = self._stage(name)
        if self.link == 'symlink':
            path.symlink_to(source.resolve())
            return
        if self.link == 'hard':
            try:
                os.link(source.resolve(), path)
                return
            except OSError:
                self.link = 'copy'
                print('note: no hard links between SRC and DST, images are copied')
        shutil.copyfile(source, path)

    def pixels(self, array: np.ndarray, file_name: str) -> None:
        """Write RGB pixels (H, W, 3) uint8 to ``images/<file_name>`` (.jpg or .png)."""
        options = {'quality': 95, 'subsampling': 0} if file_name.endswith('.jpg') else {}
        Image.fromarray(array).save(self._stage(f'images/{file_name}'), **options)

    def json(self, content: Dict, name: str) -> None:
        path = self._stage(f'annotations/{name}')
        path.write_text(json.dumps(content), encoding='utf-8')
        print(
            f'{self.dst / "annotations" / name}: {len(content["annotations"]):,} faces in '
            f'{len(content["images"]):,} images'
        )


@contextlib.contextmanager
def _undisturbed():
    """Disregard Ctrl-C and SIGTERM in a short block that must not stop half-way."""
    if threading.current_thread() is not threading.main_thread():  # signals never arrive here
        yield
        return
    before = {s: signal.signal(s, signal.SIG_IGN) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)

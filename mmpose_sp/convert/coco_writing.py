"""Converted faces as COCO-style annotations."""

from typing import Dict, List, NamedTuple, Sequence

import numpy as np

from mmpose_sp.faces import FaceScheme

from .output import Output
from .raw_faces import RawFace
from .reports import warn

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
        self.info = dict(description=description, complete=complete, coordinates='pixel indices, 0-based')
        self.image_ids: Dict[str, int] = {}
        self.face_ids: Dict[int, int] = {}

    def __call__(self, faces: Sequence[RawFace]) -> Dict:
        images = {}
        annotations = []
        for face in faces:
            image_id = self.image_ids.setdefault(face.file_name, len(self.image_ids) + 1)
            width, height = face.size
            images[image_id] = dict(id=image_id, file_name=face.file_name, width=width, height=height)
            annotations.append(self._annotation(face, image_id))
        category = dict(supercategory='person', id=1, name='face', keypoints=[], skeleton=[])
        return dict(info=self.info, categories=[category], images=list(images.values()), annotations=annotations)

    def write(self, splits: Dict[str, List[RawFace]], out: Output, scheme: FaceScheme, optional: str = '') -> None:
        """Write the list of each split that has a face; of others, but for the ``optional`` one, it is said."""
        for name, faces in splits.items():
            file = scheme.annotation_file.format(name)
            if faces:
                out.json(self(faces), file)
            elif name != optional:
                warn(f'{scheme.name.upper()} {name} is empty, {file} is not written')

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

"""What an annotated folder is written as: one mmpose-COCO file, or iBUG's ``.pts`` files. Both read what they wrote."""

import json
from abc import ABC, abstractmethod
from collections import Counter
from itertools import count, takewhile
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence

import numpy as np

from mmpose_sp.convert.coco_writing import CocoWriter
from mmpose_sp.convert.raw_faces import RawFace, image_size
from mmpose_sp.faces.annotation_files import (
    AnnotationError,
    pts_text,
    read_annotations,
    read_pts,
    some_of,
    tight_box,
)
from mmpose_sp.faces.coordinates import outside_image

from .corrected_faces import CorrectedFace

Faces = Mapping[str, Sequence[CorrectedFace]]  # file name of a picture -> its faces
Contents = Dict[Path, Optional[bytes]]  # file -> what it shall hold, None where it shall not be


def raw_faces(picture: Path, faces: Sequence[CorrectedFace]) -> List[RawFace]:
    """The faces of a picture as the converters write them.

    Raises:
        AnnotationError: A face that no annotator can have meant, which the dataset classes would refuse.
    """
    if not faces:
        return []
    size, raw = image_size(picture), []
    for number, face in enumerate(faces, start=1):
        points, origin = np.array(face.landmarks), f'{picture.name}, face {number}'
        if outside_image(points, size).all():
            raise AnnotationError(f'{origin}: all landmarks lie outside of the picture; remove the face.')
        raw.append(
            RawFace(picture.name, size, points, picture.name, origin, visible=face.visible, extra=dict(face.extra))
        )
    return raw


class AnnotationOutput(ABC):
    """Where the annotations of a folder go.

    Args:
        folder: Of the pictures.
        target: File or folder to write; beside the pictures by default.
        num_landmarks: K.
    """

    def __init__(self, folder: Path, target: Optional[Path], num_landmarks: int) -> None:
        self.folder, self.num_landmarks = folder, num_landmarks
        self.target = self.usual_target(folder) if target is None else target

    @staticmethod
    @abstractmethod
    def usual_target(folder: Path) -> Path:
        """The default."""

    @property
    @abstractmethod
    def journal(self) -> Path:
        """File for the steps of the work."""

    @abstractmethod
    def files(self, names: Sequence[str]) -> List[Path]:
        """The files that are there and hold annotations of these pictures.

        Raises:
            AnnotationError: Two pictures would have one file.
        """

    @abstractmethod
    def read(self, names: Sequence[str]) -> Dict[str, List[CorrectedFace]]:
        """What is there already for some of these pictures; each landmark counts as put by a hand, one that is not
        annotated is NaN.

        Raises:
            AnnotationError: Files that are something else, or of other pictures.
        """

    @abstractmethod
    def contents(self, faces: Faces, changed: Sequence[str], complete: bool) -> Contents:
        """What the files of the pictures ``changed`` shall hold.

        Args:
            faces: Of all pictures that are accepted.
            changed: Pictures whose annotation is another one, or that have none any more.
            complete: All pictures of the folder are accepted.
        """

    def _given(self, landmarks: np.ndarray, where: str, **fields: Any) -> CorrectedFace:
        """A face that was read."""
        if len(landmarks) != self.num_landmarks:
            raise AnnotationError(
                f'{where}: {len(landmarks)} landmarks, the model has {self.num_landmarks}: choose a model of these '
                'landmarks, or another --out'
            )
        known = np.flatnonzero(np.isfinite(landmarks).all(axis=1))
        if not known.size:
            raise AnnotationError(f'{where}: no landmark is annotated')
        corrections = {int(index): (float(landmarks[index, 0]), float(landmarks[index, 1])) for index in known}
        box = tuple(map(float, tight_box(landmarks)))
        return CorrectedFace(box, tuple((float(x), float(y)) for x, y in landmarks), corrections, **fields)


class CocoOutput(AnnotationOutput):
    """One file in mmpose's COCO layout, image names relative to the folder of the pictures."""

    OURS = 'id', 'image_id', 'category_id', 'iscrowd', 'bbox', 'area', 'center', 'scale', 'num_keypoints', 'keypoints'

    @staticmethod
    def usual_target(folder: Path) -> Path:
        return folder / 'annotations.json'

    @property
    def journal(self) -> Path:
        return self.target.with_name(f'{self.target.name}.journal')

    def files(self, names: Sequence[str]) -> List[Path]:
        return [self.target] if self.target.exists() else []

    def read(self, names: Sequence[str]) -> Dict[str, List[CorrectedFace]]:
        if not self.target.exists():
            return {}
        annotated = read_annotations(self.target, '.')
        strangers = sorted({str(face.image) for face in annotated} - set(names))
        if strangers:
            raise AnnotationError(
                f'{self.target} annotates pictures that are not in {self.folder} ({some_of(strangers)}) and would lose '
                'them: choose another --out'
            )
        found: Dict[str, List[CorrectedFace]] = {}
        for face, row in zip(annotated, json.loads(self.target.read_text())['annotations']):
            where = f'{self.target}: annotation {row.get("id")}'
            extra = {key: value for key, value in row.items() if key not in self.OURS}
            visible = tuple(int(flag) or 1 for flag in row['keypoints'][2::3])  # what was not annotated will be
            given = self._given(face.landmarks, where, visible=visible, extra=extra)
            found.setdefault(str(face.image), []).append(given)
        return found

    def contents(self, faces: Faces, changed: Sequence[str], complete: bool) -> Contents:
        raw = [face for name in sorted(faces) for face in raw_faces(self.folder / name, faces[name])]
        if not raw:  # datasets refuse a file without a face
            return {self.target: None}
        content = CocoWriter('faces annotated by hand with mmpose_sp', complete)(raw)
        return {self.target: json.dumps(content).encode()}


class PtsOutput(AnnotationOutput):
    """``photo.pts`` of a picture's first face, ``photo.face2.pts`` ... of others, in the folder ``target``."""

    @staticmethod
    def usual_target(folder: Path) -> Path:
        return folder

    @property
    def journal(self) -> Path:
        return self.target / 'annotations.journal'

    def _file(self, name: str, number: int) -> Path:
        return self.target / f'{Path(name).stem}{"" if number == 1 else f".face{number}"}.pts'

    def _files(self, name: str) -> List[Path]:
        """Of the faces of a picture that are there, in order."""
        there = takewhile(Path.exists, (self._file(name, number) for number in count(1)))
        return list(there)

    def files(self, names: Sequence[str]) -> List[Path]:
        stems = Counter(Path(name).stem for name in names)
        twice = [name for name in names if stems[Path(name).stem] > 1]
        if twice:
            raise AnnotationError(f'{some_of(twice)} would have one .pts file: rename one, or take --format coco')
        return [file for name in names for file in self._files(name)]

    def read(self, names: Sequence[str]) -> Dict[str, List[CorrectedFace]]:
        files = {name: self._files(name) for name in names}
        return {
            name: [self._given(read_pts(file), str(file)) for file in found] for name, found in files.items() if found
        }

    def contents(self, faces: Faces, changed: Sequence[str], complete: bool) -> Contents:
        contents: Contents = {}
        for name in changed:
            raw = raw_faces(self.folder / name, faces.get(name, ()))
            contents.update(dict.fromkeys(self._files(name)))
            for number, face in enumerate(raw, start=1):
                contents[self._file(name, number)] = pts_text(face.keypoints).encode()
        return contents


OUTPUTS = {'coco': CocoOutput, 'pts': PtsOutput}

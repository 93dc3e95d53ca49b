"""A folder of pictures that is annotated by hand, helped by a model whose landmarks are joined."""

import hashlib
import threading
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np

from mmpose_sp.apis.base_landmarker import BaseLandmarker
from mmpose_sp.apis.boxes import check_boxes
from mmpose_sp.apis.journal import Journal
from mmpose_sp.apis.results import FaceResult
from mmpose_sp.apis.sources import open_source
from mmpose_sp.convert.raw_faces import image_size
from mmpose_sp.faces import ellipse_radius
from mmpose_sp.faces.annotation_files import AnnotationError, some_of, tight_box
from mmpose_sp.faces.coordinates import far_outside
from mmpose_sp.utils.atomic import atomic_path
from mmpose_sp.utils.images import read_image

from .annotation_output import OUTPUTS, raw_faces
from .corrected_faces import CorrectedFace, History

KEPT = 1024  # faces whose joint covariance stays in memory


class AnnotatedFolder:
    """The pictures, what was found in them, what was corrected, and the files that come of it.

    Every step is in a journal beside the output before it counts, so that the same call goes on where a process ended,
    with undo and redo. The output holds the pictures that were accepted and is written whenever one of them changes,
    whole or not at all. Annotations that are there at the first call are read: they count as put by hand and accepted.

    Args:
        folder: Its pictures, without sub-folders, are annotated.
        landmarker: With ``joint`` other than 'off'.
        form: 'coco' or 'pts', see :data:`~mmpose_sp.annotation.annotation_output.OUTPUTS`.
        target: File ('coco') or folder ('pts') to write; ``annotations.json`` in the folder, or the folder itself.

    Attributes:
        pictures: File names, sorted.
        notes: What somebody should know before the work begins.

    Raises:
        FileNotFoundError: No such folder, or no picture in it.
        ValueError: The landmarks are not joined; output or journal are something else, of other landmarks, or changed
            by somebody else since.
        OSError: Output or journal cannot be read or written.
    """

    def __init__(self, folder: Path, landmarker: BaseLandmarker, form: str = 'coco', target: Optional[Path] = None):
        self.folder, self.landmarker = Path(folder), landmarker
        if getattr(landmarker, 'joint', 'off') == 'off':
            raise ValueError(
                'the landmarks of this model are not joined, so that a correction would move no other one: '
                'tools/posterior.py fits a joint posterior to a checkpoint'
            )
        if not self.folder.is_dir():
            raise FileNotFoundError(f'{folder}: no such folder')
        source = open_source(self.folder)
        self.pictures = [Path(frame.name).name for frame in source.frames]
        self.histories = {name: History() for name in self.pictures}
        self.notes: List[str] = [source.left_out] if source.left_out else []
        self.output = OUTPUTS[form](self.folder, target and Path(target), landmarker.num_landmarks)
        self._found: Dict[Tuple[str, Tuple[float, ...]], FaceResult] = {}  # by picture and box
        self._network, self._store_lock = threading.RLock(), threading.RLock()
        files = self.output.files(self.pictures)
        begun = self.output.journal.exists()
        given = {} if begun else self.output.read(self.pictures)
        self.journal = Journal(
            self.output.journal,
            {'annotation of': landmarker.dataset_name, 'landmarks': landmarker.num_landmarks, 'format': form},
        )
        self._known = {digest for record in self.journal.records for digest in record.get('known', ())}
        if begun:
            self._go_on(files)
        else:
            self._begin(files, given)

    def _begin(self, files: Sequence[Path], given: Dict[str, List[CorrectedFace]]) -> None:
        """A new journal over annotations that are there, if any."""
        self._know(file.read_bytes() for file in files)
        for name, faces in given.items():
            faces = [self._completed(name, face) for face in faces]
            self._record(name, faces=[face.record() for face in faces], accepted=True)
        if given:
            self.notes.append(f'{len(given)} pictures have annotations, which are kept until they are corrected')

    def _go_on(self, files: Sequence[Path]) -> None:
        """Come back to where the journal ends; the output may lack its last steps."""
        strange = [file for file in files if hashlib.sha256(file.read_bytes()).hexdigest() not in self._known]
        if strange:
            raise AnnotationError(
                f'{some_of(strange)}: changed by somebody else since; remove {self.output.journal} to begin with what '
                'the file holds, or move the file away to write it again'
            )
        gone = set()
        for record in self.journal.records:
            if record.get('picture') in self.histories:
                self.histories[record['picture']].replay(record)
            elif 'picture' in record:
                gone.add(record['picture'])
        if gone:
            self.notes.append(f'{some_of(sorted(gone))}: annotated, but no longer in the folder, so left out')
        self._write([name for name in self.pictures if self.histories[name].accepted])

    def overview(self) -> Dict[str, Any]:
        """For the page: the pictures and what they have in common."""
        return {
            'folder': str(self.folder),
            'target': str(self.output.target),
            'pictures': [{'name': name, 'accepted': self.histories[name].accepted} for name in self.pictures],
            'curves': [{'indices': curve.indices, 'closed': curve.closed} for curve in self.landmarker.boundaries],
            'ellipse': float(ellipse_radius(0.95, self.landmarker.tail_weight)),
        }

    def summary(self) -> str:
        """One line: how far the work is, and where it lies."""
        accepted = [history for history in self.histories.values() if history.accepted]
        faces = sum(len(history.faces) for history in accepted)
        where = f'{faces} faces in {self.output.target}' if faces else 'nothing to write'
        return f'{len(accepted)} of {len(self.pictures)} pictures accepted: {where}; steps in {self.output.journal}'

    def look(self, index: int) -> Dict[str, Any]:
        """A picture with its faces, for the page; finds them at the first look."""
        name = self._name(index)
        history = self.histories[name]
        if not history.steps:
            with self._network:
                if not history.steps:  # another request may have found them meanwhile
                    faces = [self._keep(name, face) for face in self._find(name)]
                    self._record(name, faces=[face.record() for face in faces])
        width, height = image_size(self.folder / name)
        return {
            'index': index,
            'name': name,
            'width': width,
            'height': height,
            'accepted': history.accepted,
            'undo': history.position > 0,
            'redo': history.position + 1 < len(history.steps),
            'faces': [self._shown(*both) for both in zip(history.faces, self._found_in(name, history.faces))],
        }

    def image(self, index: int) -> np.ndarray:
        """The picture, uint8 BGR (H, W, 3)."""
        return read_image(self.folder / self._name(index))

    def drag(self, index: int, face: int, landmark: int, place: Optional[Sequence[float]]) -> Dict[str, Any]:
        """A face as it would be with a landmark at a place (x, y) image px; nothing is kept.

        Raises:
            ValueError: No such picture, face, landmark or place.
        """
        corrected, found = self._corrected(index, face, landmark, place)
        return self._shown(corrected, found)

    def move(self, index: int, face: int, landmark: int, place: Optional[Sequence[float]]) -> Dict[str, Any]:
        """Put a landmark at a place (x, y) image px, or (None) where the others say; those that no hand has put follow.

        Raises:
            ValueError: No such picture, face, landmark or place, or one far outside of the picture.
        """
        name = self._name(index)
        corrected, _ = self._corrected(index, face, landmark, place)
        size = image_size(self.folder / name)
        if place is not None and far_outside(np.array(place, dtype=float), size):
            raise ValueError(f'landmark {landmark} would lie far outside of the picture')
        faces = list(self.histories[name].faces)
        faces[face] = corrected
        return self._change(index, faces)

    def add_face(self, index: int, box: Sequence[float]) -> Dict[str, Any]:
        """A face that was not found, in a box x1 y1 x2 y2 around it, image px; its landmarks are looked for there.

        Raises:
            ValueError: No such picture, or a box outside of it or without area.
        """
        name = self._name(index)
        check_boxes(box, *image_size(self.folder / name), name)
        with self._network:
            (found,) = self._find(name, [box])
            (found,) = self._find(name, [tight_box(found.landmarks)])  # the box that the models know
            face = self._keep(name, found)
        return self._change(index, [*self.histories[name].faces, face])

    def remove_face(self, index: int, face: int) -> Dict[str, Any]:
        """Take a face out of a picture.

        Raises:
            ValueError: No such picture or face.
        """
        self._face(index, face)
        faces = self.histories[self._name(index)].faces
        return self._change(index, [*faces[:face], *faces[face + 1 :]])

    def undo(self, index: int) -> Dict[str, Any]:
        """Take the last step back, if there is one."""
        return self._step(index, -1)

    def redo(self, index: int) -> Dict[str, Any]:
        """Do a step again that was taken back, if there is one."""
        return self._step(index, 1)

    def accept(self, index: int, accepted: bool = True) -> Dict[str, Any]:
        """Say that a picture is right (or not), so that it is (or is not) part of the output.

        Raises:
            ValueError: No such picture, or an annotation that no dataset would take; says which face.
        """
        name = self._name(index)
        seen = self.look(index)
        if accepted:
            raw_faces(self.folder / name, self.histories[name].faces)
        if bool(accepted) != seen['accepted']:
            self._record(name, accepted=bool(accepted))
            self._write([name])
        return self.look(index)

    def _name(self, index: int) -> str:
        if not isinstance(index, int) or not 0 <= index < len(self.pictures):
            raise ValueError(f'picture {index!r}: there are 0 to {len(self.pictures) - 1}')
        return self.pictures[index]

    def _face(self, index: int, face: int) -> CorrectedFace:
        faces = self.histories[self._name(index)].faces
        if not isinstance(face, int) or not 0 <= face < len(faces):
            raise ValueError(f'{self._name(index)}: face {face!r}: it has {len(faces)}')
        return faces[face]

    def _corrected(
        self, index: int, face: int, landmark: int, place: Optional[Sequence[float]]
    ) -> Tuple[CorrectedFace, FaceResult]:
        """A face with another correction, and as it was found."""
        before = self._face(index, face)
        (found,) = self._found_in(self._name(index), [before])
        return before.corrected(found, landmark, place), found

    def _completed(self, name: str, face: CorrectedFace) -> CorrectedFace:
        """A face that was read, with the landmarks that its file lacks."""
        if np.isfinite(face.landmarks).all():
            return face
        landmark, place = next(iter(face.corrections.items()))
        (found,) = self._found_in(name, [face])
        return face.corrected(found, landmark, place)

    def _shown(self, face: CorrectedFace, found: FaceResult) -> Dict[str, Any]:
        """A face for the page."""
        result = face.result(found)
        return {
            'landmarks': result.landmarks.tolist(),
            'confidence': result.confidence.tolist(),
            'covariance': np.asarray(result.covariance).tolist(),
            'corrected': sorted(face.corrections),
            'quality': result.quality,
        }

    def _find(self, name: str, boxes: Optional[Sequence] = None) -> List[FaceResult]:
        """Run the model on a picture, in its detector's boxes or in given ones."""
        (result,) = self.landmarker.iterate(read_image(self.folder / name), boxes, errors='raise', progress=False)
        return result.faces

    def _keep(self, name: str, result: FaceResult) -> CorrectedFace:
        """The face that was found, whose joint covariance stays in memory."""
        face = CorrectedFace.of_result(result)
        self._found[name, face.box] = result
        return face

    def _found_in(self, name: str, faces: Sequence[CorrectedFace]) -> List[FaceResult]:
        """Faces of a picture as the model found them, before they were corrected."""
        keys = [(name, face.box) for face in faces]
        found = {key: self._found[key] for key in keys if key in self._found}
        missing = [key for key in keys if key not in found]
        if missing:
            with self._network:
                found.update(zip(missing, self._find(name, [box for _, box in missing])))
                self._found.update(found)
                while len(self._found) > max(KEPT, len(found)):
                    self._found.pop(next(iter(self._found)))
        return [found[key] for key in keys]

    def _change(self, index: int, faces: List[CorrectedFace]) -> Dict[str, Any]:
        name = self._name(index)
        if self.histories[name].accepted:
            raw_faces(self.folder / name, faces)
        self._record(name, faces=[face.record() for face in faces])
        self._write([name] if self.histories[name].accepted else [])
        return self.look(index)

    def _step(self, index: int, by: int) -> Dict[str, Any]:
        name = self._name(index)
        history = self.histories[name]
        position = history.position + by
        if 0 <= position < len(history.steps):
            self._record(name, position=position)
            self._write([name] if history.accepted else [])
        return self.look(index)

    def _record(self, name: str, **record: Any) -> None:
        """Keep a step; it counts when it is on the disk."""
        with self._store_lock:
            self.journal.add({'picture': name, **record})
            self.histories[name].replay(record)

    def _know(self, contents: Any) -> None:
        """Remember what the output holds or will hold, so that changes by others are noticed."""
        digests = sorted({hashlib.sha256(content).hexdigest() for content in contents} - self._known)
        if digests:
            self.journal.add({'known': digests})
            self._known.update(digests)

    def _write(self, changed: Sequence[str]) -> None:
        """Bring the output to what was accepted."""
        if not changed:
            return
        with self._store_lock:
            accepted = {name: history.faces for name, history in self.histories.items() if history.accepted}
            contents = self.output.contents(accepted, changed, complete=len(accepted) == len(self.pictures))
            self._know(content for content in contents.values() if content is not None)
            for file, content in contents.items():
                if content is None:
                    file.unlink(missing_ok=True)
                elif not file.exists() or file.read_bytes() != content:
                    with atomic_path(str(file)) as temporary:
                        Path(temporary).write_bytes(content)

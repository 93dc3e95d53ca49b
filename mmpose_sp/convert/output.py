"""The folder that a conversion writes: brought to what the conversion says, or left as it was."""

import contextlib
import errno
import itertools
import json
import os
import shutil
import signal
import tempfile
import threading
from io import BytesIO
from pathlib import Path
from typing import Dict, Iterator, List, Set

import numpy as np
from PIL import Image

from mmpose_sp.faces.annotation_files import AnnotationError
from mmpose_sp.utils.atomic import publish

STAGING = '.converting-'
NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Output:
    """All or nothing: files gather in a hidden folder in ``dst`` while the ``with`` block runs.

    If it ends well, they move to their places, and lists that an earlier conversion of the same kind left and this one
    has none of are removed: they would name pictures that show other faces now. Pictures and files of others stay; a
    list of theirs in the place of one of ours, such as mmpose's own of that name, is renamed to ``NAME.json.bak``.
    On any exception, Ctrl-C included, the hidden folder is removed and ``dst`` is as it was; what a killed process left
    is removed by the next conversion. At a kill while files move, ``dst`` has some of the new lists or none, never an
    old list beside new pictures.

    Args:
        dst: folder to write to.
        annotation_file: pattern of the lists' names, ``{}`` for the split.
        link: 'hard' (falls back to 'copy' where the file system refuses), 'symlink' or 'copy'.

    Raises:
        AnnotationError: ``dst`` cannot be written to, is full, or another process converts to it.
    """

    def __init__(self, dst: Path, annotation_file: str, link: str = 'hard'):
        self.dst, self.link = Path(dst), link
        self.pattern = annotation_file.format('*')
        self.files: Dict[str, None] = {}  # names below dst, in order
        self.descriptions: Set[str] = set()  # of the lists

    def __enter__(self) -> 'Output':
        self._on_exit = contextlib.ExitStack()
        missing = [p for p in (self.dst, *self.dst.parents) if not p.exists()]
        try:
            self.dst.mkdir(parents=True, exist_ok=True)
            if self._on_exit.enter_context(_locked(self.dst)):
                for leftover in self.dst.glob(f'{STAGING}*'):
                    shutil.rmtree(leftover, ignore_errors=True)
            self.staging = Path(tempfile.mkdtemp(prefix=STAGING, dir=self.dst))
        except OSError as error:
            self._on_exit.close()
            raise AnnotationError(f'{self.dst}: cannot be written ({error.strerror}); choose another DST.') from error
        self.created = missing  # innermost first
        return self

    def __exit__(self, kind, error, trace) -> None:
        with _undisturbed(), self._on_exit:
            try:
                if kind is None:
                    self._publish()
            finally:
                shutil.rmtree(self.staging, ignore_errors=True)
                if kind is not None:
                    with contextlib.suppress(OSError):
                        for folder in self.created:
                            folder.rmdir()
        if isinstance(error, OSError) and error.errno in NO_SPACE:
            raise AnnotationError(f'{self.dst}: {error.strerror}; make room, or choose another DST.') from error

    def _publish(self) -> None:
        lists = {name for name in self.files if name.endswith('.json')}
        earlier = self._earlier_lists()
        stale = [path for path in earlier if f'annotations/{path.name}' not in lists]
        for path in sorted(self.dst / name for name in lists):
            if path not in earlier and os.path.lexists(path):
                _set_aside(path)
        for path in (*stale, *(self.dst / name for name in lists)):
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
        try:
            for name in sorted(self.files, key=lambda n: n in lists):  # where a list is, its pictures are
                (self.dst / name).parent.mkdir(parents=True, exist_ok=True)
                (publish if name in lists else os.replace)(str(self.staging / name), str(self.dst / name))
        except OSError as error:
            raise OSError(
                f'{self.dst}: {error}. Its lists are gone, as pictures may have changed: convert again'
            ) from error
        for path in stale:
            print(f'removed: {path}, of an earlier conversion')

    def _earlier_lists(self) -> List[Path]:
        """Lists of this kind by name and content."""
        starts = [f'{{"info": {{"description": {json.dumps(text)},'.encode() for text in self.descriptions]
        found = []
        for path in sorted((self.dst / 'annotations').glob(self.pattern)):
            with open(path, 'rb') as file:
                head = file.read(max(map(len, starts), default=0))
            if any(head.startswith(start) for start in starts):
                found.append(path)
        return found

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
        jpeg = file_name.endswith('.jpg')
        encoded = BytesIO()  # encoders that write themselves do not say that the disk is full
        Image.fromarray(array).save(
            encoded, 'JPEG' if jpeg else 'PNG', **(dict(quality=95, subsampling=0) if jpeg else {})
        )
        self._stage(f'images/{file_name}').write_bytes(encoded.getvalue())

    def json(self, content: Dict, name: str) -> None:
        path = self._stage(f'annotations/{name}')
        self.descriptions.add(content['info']['description'])
        path.write_text(json.dumps(content), encoding='utf-8')
        print(
            f'{self.dst / "annotations" / name}: {len(content["annotations"]):,} faces in '
            f'{len(content["images"]):,} images'
        )


def _set_aside(path: Path) -> None:
    """Rename a file of somebody else to a free name."""
    names = (path.with_name(f'{path.name}.bak{count or ""}') for count in itertools.count())
    free = next(name for name in names if not os.path.lexists(name))
    path.rename(free)
    print(f'kept: {free}, which this conversion did not make and found as {path.name}')


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[bool]:
    """Keep other conversions out of a folder; whether the system can. The lock ends with the process, however it ends.

    Raises:
        AnnotationError: another one is at work there.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        yield False
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        locked = True
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AnnotationError(f'{folder}: another conversion is writing there; wait for it.') from None
        except OSError:  # a file system without locks of folders, such as NFS
            locked = False
        yield locked
    finally:
        os.close(handle)


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

"""Writing files so that nothing half-written stays behind."""

import os
import tempfile
from contextlib import contextmanager
from typing import Iterator


@contextmanager
def atomic_path(path: str) -> Iterator[str]:
    """Give a temporary path beside ``path``; move it to ``path`` on success, remove it on an
    exception.

    The folder of ``path`` is made if needed, and an existing file is replaced only by a complete
    one. The temporary name keeps the suffix, because many writers pick the format by it.
    """
    path = os.path.abspath(os.path.expanduser(path))
    os.makedirs(os.path.dirname(path), exist_ok=True)
    handle, temporary = tempfile.mkstemp(
        prefix='.partial-', suffix=os.path.splitext(path)[1], dir=os.path.dirname(path)
    )
    os.close(handle)
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)  # mkstemp makes the file private
        publish(temporary, path)
    finally:
        if os.path.exists(temporary):
            os.remove(temporary)


def publish(temporary: str, path: str) -> None:
    """Move a complete file to its name, on the disk as well: a power cut leaves either the old one or the new one."""
    _sync(temporary)
    os.replace(temporary, path)
    _sync(os.path.dirname(path) or '.')


def _sync(path: str) -> None:
    if os.name == 'nt' and os.path.isdir(path):
        return  # Windows opens no folders
    handle = os.open(path, os.O_RDONLY if os.name != 'nt' else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

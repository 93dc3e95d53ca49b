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
        os.replace(temporary, path)
    finally:
        if os.path.exists(temporary):
            os.remove(temporary)

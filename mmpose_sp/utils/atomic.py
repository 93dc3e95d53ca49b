"""Writing files so that nothing half-written stays behind."""

import errno
import os
import shutil
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Iterator, Union

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@contextmanager
def atomic_path(path: str) -> Iterator[str]:
    """Give a temporary path beside ``path``; move it to ``path`` on success, remove it on an
    exception.

    The folder of ``path`` is made if needed, and an existing file is replaced only by a complete
    one. The temporary name keeps the suffix, because many writers pick the format by it. A symlink
    stays, and the file that it names is replaced; a pipe or a device is written to, from a
    temporary file of the system's folder for these.

    Raises:
        OSError: Of the system, such as a full disk, with the name ``path``.
    """
    check_target(path)
    path = os.path.abspath(os.path.expanduser(path))
    # A link to an open pipe, such as /dev/stdout may be, resolves to a name that cannot be opened.
    target = None if is_special(path) else os.path.realpath(path)
    handle, temporary = tempfile.mkstemp(
        prefix='.partial-', suffix=os.path.splitext(path)[1], dir=target and os.path.dirname(target)
    )
    os.close(handle)
    try:
        yield temporary
        if target is None:
            with open(temporary, 'rb') as content, open(path, 'wb') as special:
                shutil.copyfileobj(content, special)
            return
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)  # mkstemp makes the file private
        publish(temporary, target)
    except OSError as error:
        if error.errno is not None and error.filename in (None, temporary):
            raise OSError(error.errno, error.strerror, path) from error  # the name that a user knows
        raise
    finally:
        if os.path.exists(temporary):
            os.remove(temporary)


def write_text(path: Union[str, 'os.PathLike[str]'], text: str) -> None:
    """Write a text file, whole or not at all; raises as :func:`atomic_path`."""
    with atomic_path(os.fspath(path)) as temporary, open(temporary, 'w', encoding='utf-8') as file:
        file.write(text)


def save_figure(figure: 'Figure', path: Union[str, 'os.PathLike[str]'], dpi: int) -> None:
    """Write a figure of matplotlib in the format of the suffix, whole or not at all; raises as :func:`atomic_path`."""
    with atomic_path(os.fspath(path)) as temporary:
        figure.savefig(temporary, dpi=dpi)


def check_target(path: str) -> None:
    """Make the folder of ``path``, for a tool to call before the work whose end is to write there.

    Raises:
        OSError: The folder cannot be made, or not be written to, or ``path`` is itself a folder.
    """
    path = os.path.abspath(os.path.expanduser(path))
    folder = os.path.dirname(os.path.realpath(path))
    if not is_special(path):
        os.makedirs(folder, exist_ok=True)
    if os.path.isdir(path):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    if not os.access(path if is_special(path) else folder, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)


def is_special(path: str) -> bool:
    """Whether ``path`` is a pipe or a device: no file may take its place, and none lies well beside it."""
    return os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path)


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

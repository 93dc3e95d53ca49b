"""The records of a long run, kept line by line, so that a run that was stopped goes on."""

import json
import os
from pathlib import Path
from typing import Any, Dict, List, Union


class Journal:
    """A file of JSON lines. A line that a kill or a full disk cut off is left out when the file is read again.

    Args:
        path: The file; it is there while the run is not finished.
        run: What makes it this run and no other. The first line holds it, what JSON does not know as a string.

    Attributes:
        records: All records, those of the run that was stopped first.

    Raises:
        ValueError: The file belongs to another run, or is no journal; or another process is writing it.
        OSError: It cannot be read or written.
    """

    def __init__(self, path: Union[str, Path], run: Dict[str, Any]) -> None:
        self.path = Path(path)
        run = json.loads(json.dumps(run, default=str))
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.records: List[Any] = []
        self._file = open(self.path, 'a+b')  # noqa: SIM115  open until finish()
        self._lock()
        self._file.seek(0)
        whole, end, _ = self._file.read().rpartition(b'\n')
        self._file.truncate(len(whole + end))
        try:
            first, *self.records = [json.loads(line) for line in whole.splitlines()] or [run]
        except ValueError as error:
            raise ValueError(f'{path}: not a journal of mmpose_sp ({error}); remove it to start anew') from error
        changed = sorted(key for key in {*first, *run} if first.get(key) != run.get(key))
        if changed:
            raise ValueError(
                f'{path}: left by a run that was stopped and differs in {", ".join(changed)}; '
                'go on with it by the same arguments, or remove the file to start anew'
            )
        if not whole:
            self._write(run)

    def add(self, record: Any) -> None:
        """Keep a record; it survives the process."""
        self._write(record)
        self.records.append(record)

    def _lock(self) -> None:
        """Keep other processes out, where the system can; the lock ends with the process, however it ends."""
        try:
            import fcntl

            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(f'{self.path}: another process is at work on this') from None
        except (ImportError, OSError):  # Windows; a file system without locks
            pass

    def close(self) -> None:
        """Leave the file as it is, for a run that goes on with it."""
        self._file.close()

    def _write(self, record: Any) -> None:
        self._file.write(json.dumps(record).encode() + b'\n')
        self._file.flush()

    def finish(self) -> None:
        """The run is over and its results are written: remove the file."""
        self._file.close()
        self.path.unlink()


def fingerprint(path: Union[str, Path, None]) -> Any:
    """Size and time of a file, which change where it does; None for what is none."""
    if path is None or not Path(path).is_file():
        return None
    status = os.stat(path)
    return [status.st_size, status.st_mtime_ns]

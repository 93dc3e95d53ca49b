"""Files of a command line, looked for before anything heavy is imported."""

from pathlib import Path
from typing import Optional


def require_files(*names: Optional[str]) -> None:
    """Look for local files; None, ``PACKAGE::CONFIG`` and URLs pass.

    Raises:
        FileNotFoundError: One of them is not there; says which.
    """
    for name in names:
        if name is not None and '::' not in name and '://' not in name and not Path(name).is_file():
            raise FileNotFoundError(f'{name}: no such file')

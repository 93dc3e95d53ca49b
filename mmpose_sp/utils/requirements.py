"""The versions that mmpose_sp works with. Standard library only: it must run where nothing else does."""

import re
from importlib import metadata
from typing import NamedTuple, Optional, Tuple


class Requirement(NamedTuple):
    """A distribution with version bounds: ``minimum <= version < below`` (None: no bound)."""

    name: str
    minimum: Optional[str]
    below: Optional[str]
    fix: str

    @property
    def wanted(self) -> str:
        bounds = [f'>={self.minimum}' if self.minimum else '', f'<{self.below}' if self.below else '']
        return ','.join(filter(None, bounds)) or 'any version'

    def accepts(self, version: str) -> bool:
        """Whether a version such as '2.13.0+cu130' lies within the bounds."""
        number = parse_version(version)
        return (self.minimum is None or number >= parse_version(self.minimum)) and (
            self.below is None or number < parse_version(self.below)
        )


CORE = (
    Requirement('torch', '2.1', None, 'pip install "torch>=2.1" (compiled mmcv has to be compiled anew for it)'),
    Requirement('mmengine', '0.10', '1.0', 'pip install "mmengine>=0.10,<1.0"'),
    Requirement(
        'mmcv', '2.0.1', '2.2', 'pip install mmcv-lite==2.1.0, or compile it: see mmpose_sp/stand_ins/mmcv_ext.py'
    ),
    # mmpose.models imports it (RTMO's head), so no model is built without it.
    Requirement('mmdet', '3.0', '3.4', 'pip install --no-deps mmdet==3.3.0'),
    Requirement('mmpose', '1.3', '1.4', 'pip install --no-deps mmpose==1.3.2'),
)


def parse_version(version: str) -> Tuple[int, ...]:
    """The release number of a version as a tuple of four: '2.0.0rc4' -> (2, 0, 0, 0)."""
    match = re.match(r'\d+(\.\d+)*', version)
    numbers = [int(part) for part in match.group().split('.')] if match else []
    return tuple((numbers + [0] * 4)[:4])


def find_version(name: str) -> Optional[str]:
    """The version of an installed distribution, or of a module on the path without metadata."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        pass
    try:
        return getattr(__import__(name), '__version__', None)
    except Exception:  # whatever a broken installation throws: it counts as absent
        return None


def version_problem(requirement: Requirement) -> Optional[str]:
    """None where the requirement is met, else one sentence with what was found, wanted, and the fix."""
    found = find_version(requirement.name)
    if found is not None and requirement.accepts(found):
        return None
    state = 'is not installed' if found is None else f'{found} is installed'
    return f'{requirement.name} {state}, mmpose_sp wants {requirement.wanted}. Fix: {requirement.fix}'


def check_versions() -> None:
    """Raise an ImportError that lists every requirement that is not met, each with its fix."""
    problems = [problem for problem in map(version_problem, CORE) if problem]
    if problems:
        lines = '\n  '.join(problems)
        raise ImportError(
            f'mmpose_sp cannot work in this environment:\n  {lines}\n'
            'The whole picture: python -m mmpose_sp.utils.collect_env'
        )

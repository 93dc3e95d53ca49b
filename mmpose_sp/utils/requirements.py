"""The versions that mmpose_sp works with. Standard library only: it must run where nothing else does."""

import re
from contextlib import contextmanager
from importlib import metadata
from importlib.util import find_spec
from typing import Iterator, NamedTuple, Optional, Tuple


class Requirement(NamedTuple):
    """A distribution with version bounds: ``minimum <= version < below`` (None: no bound).

    ``instead`` lists other distributions of the same package: a lighter build, or a maintained fork.
    """

    name: str
    minimum: Optional[str]
    below: Optional[str]
    fix: str = ''
    instead: Tuple['Requirement', ...] = ()  # type: ignore[misc]

    @property
    def wanted(self) -> str:
        bounds = [f'>={self.minimum}' if self.minimum else '', f'<{self.below}' if self.below else '']
        own = ','.join(filter(None, bounds)) or 'any version'
        return ' or '.join([own, *(f'{other.name} {other.wanted}' for other in self.instead)])

    def accepts(self, version: str) -> bool:
        """Whether a version such as '2.13.0+cu130' lies within the bounds."""
        number = parse_version(version)
        return (self.minimum is None or number >= parse_version(self.minimum)) and (
            self.below is None or number < parse_version(self.below)
        )


MMCV = Requirement(
    'mmcv',
    '2.0.1',
    '2.2',
    'pip install mmcv-lite==2.1.0, or compile it: see mmpose_sp/stand_ins/mmcv_ext.py',
    (Requirement('mmcv-lite', '2.0.1', '2.2'), Requirement('onedl-mmcv', '2.3', '2.4')),
)
CORE = (
    Requirement('torch', '2.1', None, 'pip install "torch>=2.1" (compiled mmcv has to be compiled anew for it)'),
    Requirement(
        'mmengine',
        '0.10',
        '1.0',
        'pip install "mmengine>=0.10,<1.0"',
        (Requirement('onedl-mmengine', '0.10', '1.0'),),
    ),
    MMCV,
    # mmpose.models imports it (RTMO's head), so no model is built without it.
    Requirement(
        'mmdet',
        '3.0',
        '3.4',
        'pip install --no-deps mmdet==3.3.0',
        (Requirement('onedl-mmdetection', '3.5', '3.6'),),
    ),
    Requirement('mmpose', '1.3', '1.4', 'pip install --no-deps mmpose==1.3.2'),
)

#: What runs exported models. Older releases know fewer operators, and the last of them round 8 bits otherwise.
ONNXRUNTIME = Requirement('onnxruntime', '1.19', None, 'pip install "onnxruntime>=1.19"')


class Refusal(NamedTuple):
    """Releases of ``name`` before ``below`` fail at their import unless mmcv is older than ``mmcv``."""

    name: str
    below: str
    mmcv: str
    fix: str


REFUSALS = (
    Refusal('mmdet', '3.4', '2.2', 'pip install --no-deps onedl-mmdetection==3.5.1'),
    Refusal('mmpose', '1.3.2', '2.3.1', 'pip install --no-deps mmpose==1.3.2'),
)


class Installed(NamedTuple):
    """What is installed of a requirement: which of its distributions, with its bounds, in which version."""

    requirement: Requirement
    version: str

    @property
    def accepted(self) -> bool:
        return self.requirement.accepts(self.version)

    def __str__(self) -> str:
        return f'{self.requirement.name} {self.version}'


def parse_version(version: str) -> Tuple[int, ...]:
    """The release number of a version as a tuple of four: '2.0.0rc4' -> (2, 0, 0, 0)."""
    match = re.match(r'\d+(\.\d+)*', version)
    numbers = [int(part) for part in match.group().split('.')] if match else []
    return tuple((numbers + [0] * 4)[:4])


def distribution_version(name: str) -> Optional[str]:
    """The version of an installed distribution, None without one."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def find_version(name: str) -> Optional[str]:
    """The version of an installed distribution, or of a module on the path without metadata."""
    version = distribution_version(name)
    if version is not None:
        return version
    try:
        return getattr(__import__(name), '__version__', None)
    except Exception:  # whatever a broken installation throws: it counts as absent
        return None


def find_installed(requirement: Requirement) -> Optional[Installed]:
    """Which distribution of a requirement is there; the requirement's own name goes first."""
    for candidate in (requirement, *requirement.instead):
        version = distribution_version(candidate.name)
        if version is not None:
            return Installed(candidate, version)
    version = find_version(requirement.name)
    return None if version is None else Installed(requirement, version)


def find_refusal(name: str) -> Optional[Refusal]:
    """The :class:`Refusal` that the installed ``name`` and mmcv come to, if any."""
    version, mmcv = distribution_version(name), find_installed(MMCV)
    if version is None or mmcv is None or not mmcv.accepted:  # a wrong mmcv is a problem of its own
        return None
    for refusal in REFUSALS:
        if refusal.name != name:
            continue
        too_old = parse_version(version) < parse_version(refusal.below)
        if too_old and parse_version(mmcv.version) >= parse_version(refusal.mmcv):
            return refusal
    return None


def version_problem(requirement: Requirement) -> Optional[str]:
    """None where the requirement is met, else one sentence with what was found, wanted, and the fix."""
    found = find_installed(requirement)
    if found is None or not found.accepted:
        state = f'{requirement.name} is not installed' if found is None else f'{found} is installed'
        return f'{state}, mmpose_sp wants {requirement.wanted}. Fix: {requirement.fix}'
    refusal = find_refusal(requirement.name)
    if refusal is not None:
        return f'{found} refuses {find_installed(MMCV)}, it wants mmcv <{refusal.mmcv}. Fix: {refusal.fix}'
    return None


def check_versions() -> None:
    """Raise an ImportError that lists every requirement that is not met, each with its fix."""
    problems = [problem for problem in map(version_problem, CORE) if problem]
    if problems:
        lines = '\n  '.join(problems)
        raise ImportError(
            f'mmpose_sp cannot work in this environment:\n  {lines}\n'
            'The whole picture: python -m mmpose_sp.utils.collect_env'
        )


#: Packages whose modules a config may name, and the extra of mmpose_sp that brings each.
EXTRAS = {'mmpretrain': 'vit'}


@contextmanager
def extras_named() -> Iterator[None]:
    """Say which extra is missing where mmengine says no more than that a module is in no registry.

    Raises:
        ModuleNotFoundError: In place of a KeyError about a module of a package in :data:`EXTRAS` that is not installed.
    """
    try:
        yield
    except KeyError as error:
        for package, extra in EXTRAS.items():
            match = re.search(rf'\b{package}\.\w+', str(error))
            if match and find_spec(package) is None:
                raise ModuleNotFoundError(
                    f'{match.group()} is named by the config, and {package} is not installed. '
                    f'Fix: pip install {package}, the extra {extra!r} of mmpose_sp',
                    name=package,
                ) from error
        raise

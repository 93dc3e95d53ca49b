"""``python -m mmpose_sp.utils.collect_env``: does this environment have all that mmpose_sp needs?

One line per requirement: found, wanted, and how to fix it. Exit code 1 if anything is missing or broken. Standard
library only, because it has to report where torch, mmcv or mmpose_sp itself cannot be imported.
"""

import argparse
import importlib
import platform
import sys
import warnings
from typing import Callable, NamedTuple, Optional

from ..deferral import FOUNDATIONS, missing_foundations
from ..stand_ins import provide
from .requirements import (
    CORE,
    MMCV,
    ONNXRUNTIME,
    Requirement,
    find_installed,
    find_refusal,
    find_version,
    parse_version,
)


class Check(NamedTuple):
    """One requirement. ``problem()`` returns None if it is met, else what is wrong, in a few words."""

    name: str
    wanted: str
    fix: str
    problem: Callable[[], Optional[str]]
    found: Callable[[], Optional[str]] = lambda: None


class Result(NamedTuple):
    """One line of the report."""

    name: str
    ok: bool
    found: str
    wanted: str
    fix: str

    def __str__(self) -> str:
        mark = 'ok' if self.ok else '!!'
        line = f'[{mark}] {self.name:<14} found: {self.found:<24} wanted: {self.wanted}'
        return line if self.ok else f'{line}\n     fix: {self.fix}'


def in_one_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or ['']
    return f'{type(error).__name__}: {lines[0]}'


def import_problem(*modules: str) -> Optional[str]:
    """None if all of these can be imported, else the error in one line."""
    for module in modules:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter('ignore')
                importlib.import_module(module)
        except BaseException as error:  # a broken package may raise anything, SystemExit included
            return f'import {module}: {in_one_line(error)}'
    return None


def run_check(check: Check) -> Result:
    """Carry out one check; never raises."""
    problem = version = None
    try:
        problem = check.problem()
        version = check.found()  # afterwards, since only what is imported tells all of itself
    except BaseException as error:  # the same holds for what a check does beside importing
        problem = problem or in_one_line(error)
    if problem is None:
        return Result(check.name, True, version or 'yes', check.wanted, check.fix)
    return Result(check.name, False, f'{version} ({problem})' if version else problem, check.wanted, check.fix)


def foundation(requirement: Requirement) -> Check:
    """A check of the version that is installed, under whichever name, and of importing it."""
    refusal = find_refusal(requirement.name)

    def found() -> Optional[str]:
        installed = find_installed(requirement)
        if installed is None or installed.requirement.name == requirement.name:
            return installed and installed.version
        return str(installed)

    def problem() -> Optional[str]:
        installed = find_installed(requirement)
        if installed is None:
            return 'not installed'
        if not installed.accepted:
            return 'wrong version'
        if refusal is not None:
            return f'refuses {find_installed(MMCV)}'
        return import_problem(requirement.name)

    return Check(requirement.name, requirement.wanted, refusal.fix if refusal else requirement.fix, problem, found)


def importable(name: str, module: str, fix: str, wanted: str = '', below: Optional[str] = None) -> Check:
    """A check of one import, and of the version where that has a bound."""
    bounds = Requirement(name, None, below)

    def found() -> Optional[str]:
        return find_version(name) or getattr(sys.modules.get(module), '__version__', None)

    def problem() -> Optional[str]:
        return import_problem(module) or (None if bounds.accepts(found() or '') else 'wrong version')

    return Check(name, wanted or bounds.wanted, fix, problem, found)


def operators() -> Check:
    """mmcv's operators: compiled, or torchvision's in their place."""

    def problem() -> Optional[str]:
        provide()
        return import_problem('mmcv.ops')

    def found() -> Optional[str]:
        if 'mmcv._ext' not in sys.modules:
            return None
        return "torchvision's" if hasattr(sys.modules['mmcv._ext'], 'IS_STAND_IN') else 'compiled'

    return Check('mmcv.ops', "compiled or torchvision's", 'python -m mmpose_sp.stand_ins', problem, found)


def coco_tools() -> Check:
    """xtcocotools, or pycocotools in its place."""

    def problem() -> Optional[str]:
        provide()
        return import_problem('xtcocotools.coco')

    def found() -> Optional[str]:
        instead = find_version('pycocotools')
        return find_version('xtcocotools') or (instead and f'pycocotools {instead}')

    return Check('xtcocotools', 'itself or pycocotools', 'pip install pycocotools', problem, found)


def torchvision_wanted() -> str:
    """The torchvision release that goes with the installed torch: 2.x has 0.(x + 15)."""
    torch = find_version('torch')
    major, minor = parse_version(torch or '')[:2]
    return f'0.{minor + 15}.* (for torch {major}.{minor})' if major == 2 else 'the release for your torch'


def is_without_torch() -> bool:
    """Whether this is the installation of the extra ``runtime``: none of the foundations is there."""
    return len(missing_foundations()) == len(FOUNDATIONS)


def opencv(below: str) -> Check:
    """OpenCV, which has several distributions: the module says its version."""
    return importable('opencv', 'cv2', f'pip install "opencv-python-headless<{below}"', below=below)


def python_check() -> Check:
    problem = None if sys.version_info >= (3, 9) else 'too old'
    fix = 'use Python 3.9 or later (the lock file: 3.10 to 3.13)'
    return Check('python', '>=3.9', fix, lambda: problem, platform.python_version)


def checks_without_torch() -> list:
    """What :mod:`mmpose_sp.runtime` needs."""
    return [
        python_check(),
        importable('numpy', 'numpy', 'pip install numpy'),
        opencv('5'),
        importable('pillow', 'PIL', 'pip install pillow'),
        importable('tqdm', 'tqdm', 'pip install tqdm'),
        foundation(ONNXRUNTIME),
        importable('mmpose_sp', 'mmpose_sp.runtime', 'mend the lines above first, from the top'),
    ]


def checks() -> list:
    """All requirements, foundations first, so that the first line that fails is the one to mend."""
    if is_without_torch():
        return checks_without_torch()
    core = {item.name: foundation(item) for item in CORE}
    torchvision = torchvision_wanted()
    fix = 'pip install torchvision'
    if torchvision[0] == '0':
        fix = f'pip install "torchvision=={torchvision.split(" ")[0]}", from the same place as torch'
    resources = 'pip install "setuptools<81"', '<81 (it must have pkg_resources)'
    listed = [
        python_check(),
        core['torch'],
        importable('torchvision', 'torchvision', fix, torchvision),
        # the reasons for these bounds of NumPy and OpenCV are in requirements/runtime.in
        importable('numpy', 'numpy', 'pip install "numpy<2.4"', below='2.4'),
        importable('setuptools', 'pkg_resources', *resources),
        core['mmengine'],
        core['mmcv'],
        importable('six', 'six', 'pip install six'),
        core['mmdet'],
        core['mmpose'],
        operators(),
        coco_tools(),
    ]
    listed += [importable(name, name, f'pip install {name}') for name in ('scipy', 'matplotlib', 'h5py', 'tqdm')]
    listed.append(opencv('4.13'))
    listed.append(importable('mmpose_sp', 'mmpose_sp.models', 'mend the lines above first, from the top'))
    return listed


def gpu_line() -> str:
    """What torch can compute on: information, not a requirement."""
    try:
        import torch

        if torch.cuda.is_available():
            return ', '.join(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count()))
    except BaseException:
        return 'unknown: torch cannot be imported'
    return 'none: models train on the CPU'


def main(arguments=None) -> int:
    """Print the report (with ``--quiet`` its failures only); returns the exit code."""
    parser = argparse.ArgumentParser(description='Check that this environment has all that mmpose_sp needs.')
    parser.add_argument('--quiet', action='store_true', help='print only what is wrong')
    quiet = parser.parse_args(arguments).quiet
    failed = 0
    for check in checks():
        result = run_check(check)
        failed += not result.ok
        if not (quiet and result.ok):
            print(result, flush=True)
    if not quiet and is_without_torch():
        print('     the installation without torch: it finds landmarks by onnxruntime, and trains nothing')
    elif not quiet:
        print(f'     GPUs: {gpu_line()}')
    if failed:
        print(f'{failed} requirement(s) not met: mend them from the top, one often causes the next')
    elif not quiet:
        print('All requirements are met.')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())

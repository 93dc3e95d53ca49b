"""Why ``import mmpose_sp`` costs nothing until mmpose is there.

Registering imports torch, mmcv, mmdet and mmpose: several seconds, and impossible where they are not installed. The
command line (``--help``), the report on the environment and :mod:`mmpose_sp.runtime` need none of it, but Python runs
``mmpose_sp/__init__.py`` before any of them. Nor can it be left out for them alone: later in the same process a config
may name us in ``custom_imports``, and what is imported already does not run again. So registration is tied to what it
cannot do without, mmpose's registries. They have a way of their own to wait, the ``locations`` that they import at the
first look-up; here they get one more as soon as they are made.

Modules that cannot do without the foundations say so before they fail to import them, see :data:`FOUNDED`.
"""

import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from types import ModuleType
from typing import Any, List, Optional

from . import stand_ins
from .utils.requirements import check_versions

FOUNDATIONS = ('torch', 'mmengine', 'mmcv', 'mmdet', 'mmpose')
REGISTRATION = 'mmpose_sp.registration'
#: Parts of this package that import torch, mmengine or mmpose.
FOUNDED = tuple(
    f'mmpose_sp.{name}'
    for name in (
        'apis.landmarker',
        'apis.model_loading',
        'codecs.image_aware_label_smoothing',
        'datasets.face',
        'datasets.transforms',
        'evaluation.metric',
        'models',
        'utils.launch',
    )
)


class _Deferral(MetaPathFinder):
    """Finds nothing that others would not: it sees who is imported, in time."""

    def find_spec(self, name: str, path: Any = None, target: Optional[ModuleType] = None) -> Optional[ModuleSpec]:
        if name in FOUNDED:
            check_versions()
        if name != 'mmpose.registry':
            return None
        stand_ins.provide()  # what mmcv-lite lacks, before the rest of mmpose is imported
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_and_add(module: ModuleType) -> None:
                execute(module)
                add_location(module)

            spec.loader.exec_module = execute_and_add  # type: ignore[method-assign]
        return spec


def add_location(registries: ModuleType) -> None:
    """Let the registries of the module ``mmpose.registry`` import our parts at their first look-up.

    Those without locations, which hold nothing of ours, stay as they are: mmengine takes another way for them.
    """
    for registry in vars(registries).values():
        if getattr(registry, 'scope', '') == 'mmpose' and registry._locations:
            registry._locations = [*registry._locations, REGISTRATION]


def defer_registration() -> None:
    """Register when mmpose's registries are made and first asked."""
    sys.meta_path.insert(0, _Deferral())


def missing_foundations() -> List[str]:
    """Which of :data:`FOUNDATIONS` are not installed. If all, :mod:`mmpose_sp.runtime` is all that can be meant."""
    return [name for name in FOUNDATIONS if find_spec(name) is None]

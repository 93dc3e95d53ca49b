"""Packages whose names are imported when they are asked for (PEP 562).

So that a part of a package costs, and needs, only what it imports itself: ``mmpose_sp.apis.results`` works without the
torch that ``mmpose_sp.apis.landmarker`` needs.
"""

from importlib import import_module
from typing import Any, Callable, List, Tuple


def lazy_exports(package: str, **modules: str) -> Tuple[Callable[[str], Any], List[str]]:
    """``__getattr__`` and ``__all__`` of a package.

    >>> find, names = lazy_exports('mmpose_sp.apis', results='FaceResult ImageResult')
    >>> names, find('FaceResult').__module__
    (['FaceResult', 'ImageResult'], 'mmpose_sp.apis.results')

    Args:
        package: Its ``__name__``.
        **modules: For each of its modules the names that it offers, with spaces between them; a leading dot names a
            module of the package above.
    """
    origin = {name: module for module, names in modules.items() for name in names.split()}

    def find(name: str) -> Any:
        if name not in origin:
            raise AttributeError(f'module {package!r} has no attribute {name!r}')
        return getattr(import_module(f'.{origin[name]}', package), name)

    return find, sorted(origin)

"""Stand-ins for two compiled packages that mmpose imports and that have no wheel for every Python.

==================  ==========================  =======================================
missing             stand-in                    by
==================  ==========================  =======================================
``mmcv._ext``       :mod:`.mmcv_ext`            torchvision; any other operator raises
``xtcocotools``     :mod:`.xtcocotools`         pycocotools
==================  ==========================  =======================================

After ``import mmpose_sp`` whatever imports mmpose finds them (:mod:`mmpose_sp.deferral` calls :func:`provide`). A
program that imports mmpose first (``MMPoseInferencer`` by itself, mmpose's own tools) needs them in the environment:
``make setup`` does so, and ``python -m mmpose_sp.stand_ins`` does it anywhere. The compiled ones, where they are
installed, always win.
"""

import importlib
import importlib.util
import shutil
import sys
from pathlib import Path
from typing import Dict, List

HERE = Path(__file__).parent
FILES: Dict[str, Path] = {'mmcv._ext': HERE / 'mmcv_ext.py', 'xtcocotools': HERE / 'xtcocotools.py'}


def is_missing(module: str) -> bool:
    """Whether a module is neither imported nor installed. Its parent package is imported to find out."""
    if module in sys.modules:
        return False
    try:
        return importlib.util.find_spec(module) is None
    except Exception:  # the parent is not installed, or broken: that is not for a stand-in to mend
        return False


def provide() -> List[str]:
    """Make every missing module importable in this process; returns the names of those that were missing."""
    missing = [module for module in FILES if is_missing(module)]
    for module in missing:
        spec = importlib.util.spec_from_file_location(module, FILES[module])
        sys.modules[module] = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(sys.modules[module])
        except BaseException:  # what it stands on is missing, too: nobody is to find the half of it
            del sys.modules[module]
            raise
        package, _, name = module.rpartition('.')
        if package:  # as the import statement does
            setattr(sys.modules[package], name, sys.modules[module])
    return missing


def write() -> List[Path]:
    """Copy the stand-in of every missing module into the environment, over an older copy too; returns the files.

    A compiled ``mmcv._ext`` that comes to lie beside the copy wins: Python prefers extension modules.
    """
    provide()
    import mmcv

    package = Path(mmcv.__file__).parent
    targets = {'mmcv._ext': package / '_ext.py', 'xtcocotools': package.parent / 'xtcocotools.py'}
    written = []
    for module, target in targets.items():
        if getattr(importlib.import_module(module), 'IS_STAND_IN', False):
            shutil.copyfile(str(FILES[module]), str(target))
            written.append(target)
    return written

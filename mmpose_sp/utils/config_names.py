"""``_base_ = 'mmpose_sp::face_2d_keypoint/...'`` in a config, as ``'mmpose::...'`` in mmengine.

mmengine looks up ``PACKAGE::CONFIG`` in a closed list of OpenMMLab's own packages, and asks pkg_resources where a
package lies, which does not know of editable installs. mmpose's ``train.py`` reads the config before its
``custom_imports`` can import us. So setup.py also installs this file beside the package, as
``_mmpose_sp_config_names.py``, with a ``.pth`` line that imports it when Python starts: it waits for mmengine's Config.
Hence it imports nothing that a starting Python has not imported itself.
"""

import os
import sys

PACKAGE = 'mmpose_sp'
CONFIG_MODULE = 'mmengine.config.config'


def find_config(name):
    """The path of a config by its name below ``configs/``: those of an installed wheel, or of the clone.

    Raises:
        FileNotFoundError: No such config, or mmpose_sp itself is not there.
    """
    from importlib.util import find_spec

    spec = find_spec(PACKAGE)
    if spec is None or not spec.origin:
        raise FileNotFoundError(f'{PACKAGE}::{name}: {PACKAGE} is not installed')
    package = os.path.dirname(spec.origin)
    clone = os.path.dirname(os.path.realpath(package))
    installed = os.path.join(package, '.mim', 'configs')
    folder = installed if os.path.isdir(installed) else os.path.join(clone, 'configs')
    path = os.path.join(folder, *name.split('/'))
    if not os.path.isfile(path):
        raise FileNotFoundError(f'{PACKAGE}::{name}: no such config below {folder}')
    return path


def extend(config_class):
    """Let an mmengine ``Config`` class know our configs; once is enough, more does no harm."""
    stock = config_class._get_cfg_path
    if getattr(stock, 'knows', None) == PACKAGE:
        return

    def get_cfg_path(cfg_path, filename):
        package, separator, name = cfg_path.partition('::')
        if separator and package == PACKAGE:
            return find_config(name), 'mmpose'  # the scope that holds all that our configs name
        return stock(cfg_path, filename)

    get_cfg_path.knows = PACKAGE  # type: ignore[attr-defined]  # functions take attributes
    config_class._get_cfg_path = staticmethod(get_cfg_path)


class _Finder:
    """Finds nothing that others would not: it sees mmengine's Config being imported, and extends it."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name != CONFIG_MODULE:
            return None
        from importlib.machinery import PathFinder

        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_and_extend(module):
                execute(module)
                extend(module.Config)

            spec.loader.exec_module = execute_and_extend
        return spec


if CONFIG_MODULE in sys.modules:
    extend(sys.modules[CONFIG_MODULE].Config)
else:
    sys.meta_path.insert(0, _Finder)

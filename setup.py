"""What pyproject.toml cannot say. All else about the package is there.

A wheel of ours carries configs, tools and model index in ``mmpose_sp/.mim``, where mmengine and mim look for those of
OpenMMLab's packages; in the clone they stay where they are. Wheels and editable installs also get the file that lets
mmengine resolve ``mmpose_sp::...`` (see its docstring).
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
# `make setup` and `make demo`, which write into the clone.
OF_THE_CLONE = ('setup_env.py', 'demo.py')
LEFT_OUT = shutil.ignore_patterns('__pycache__', '*.py[cod]', *OF_THE_CLONE)


class BuildWithConfigs(build_py):
    """Adds to what is built; the source tree stays as it is."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            site = Path(self.get_finalized_command('install').install_lib)
        else:
            site = Path(self.build_lib)
            mim = site / 'mmpose_sp' / '.mim'
            shutil.rmtree(mim, ignore_errors=True)  # of an earlier build
            for folder in ('configs', 'tools'):
                shutil.copytree(ROOT / folder, mim / folder, ignore=LEFT_OUT)
            shutil.copy2(ROOT / 'model-index.yml', mim)
        site.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / 'mmpose_sp' / 'utils' / 'config_names.py', site / '_mmpose_sp_config_names.py')
        (site / 'mmpose_sp.pth').write_text('import _mmpose_sp_config_names\n', encoding='utf-8')


setup(cmdclass={'build_py': BuildWithConfigs})

"""Tools as modules: they are files to run, and no folder of theirs is on the path."""

import importlib.util
import sys
from pathlib import Path

TOOLS = Path(__file__).resolve().parents[1] / 'tools'


def load_tool(path):
    """The tool at ``path`` below tools/ (with or without .py) as a module, loaded once."""
    path = TOOLS / path if path.endswith('.py') else TOOLS / f'{path}.py'
    name = f'tool_{path.relative_to(TOOLS).with_suffix("").as_posix().replace("/", "_")}'
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module  # before it runs: dataclasses and pickles look it up
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
    return sys.modules[name]

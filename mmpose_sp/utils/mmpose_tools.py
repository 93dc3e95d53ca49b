"""mmpose's own command-line tools: where they are, and what they say to a command line before any import."""

import argparse
import ast
import ctypes
import os
import signal
import sys
from importlib.util import find_spec
from pathlib import Path

from .dict_action import DictAction
from .named_files import require_files
from .requirements import check_versions


def mmpose_tool(name: str) -> str:
    """Path of a tool that mmpose ships, such as 'train.py': in its package, or beside it in a source tree.

    Raises:
        ImportError: mmpose, or another foundation of mmpose_sp, is not installed.
        FileNotFoundError: This installation of mmpose has no tools.
    """
    spec = find_spec('mmpose')
    if spec is None or spec.origin is None:
        check_versions()
        raise ImportError('mmpose cannot be found')
    package = Path(spec.origin).resolve().parent
    for folder in (package / '.mim' / 'tools', package.parent / 'tools'):
        if (folder / name).is_file():
            return str(folder / name)
    raise FileNotFoundError(
        f'mmpose at {package} comes without its tools/{name}. '
        'Fix: pip install --no-deps --force-reinstall mmpose==1.3.2'
    )


def die_with_launcher() -> None:
    """Under torchrun, end with it, also where it is killed so that it can end nothing itself. Linux only."""
    if 'TORCHELASTIC_RUN_ID' in os.environ and sys.platform.startswith('linux'):
        set_parent_death_signal = 1  # PR_SET_PDEATHSIG of <sys/prctl.h>
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)


def check_arguments(name: str) -> None:
    """Let mmpose's tool parse the command line without the seconds of its imports; it ends the program for ``--help``,
    for what it does not understand, and for a config or checkpoint that is not there.

    The tools import everything before they look at their arguments, but do that in a function ``parse_args`` of their
    own, which needs little: here it runs alone.
    """
    die_with_launcher()
    tool = mmpose_tool(name)
    tree = ast.parse(Path(tool).read_text(encoding='utf-8'))
    tree.body = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == 'parse_args']
    names = {'argparse': argparse, 'os': os, 'DictAction': DictAction}
    exec(compile(tree, tool, 'exec'), names)
    args = names['parse_args']()
    try:
        require_files(args.config, getattr(args, 'checkpoint', None))
    except FileNotFoundError as error:
        sys.exit(f'error: {error}')

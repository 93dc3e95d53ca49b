"""Running mmpose's own command-line tools with mmpose_sp registered, on machines with and without GPUs."""

import argparse
import logging
import os
import runpy
import sys
import traceback
from pathlib import Path
from typing import Any, Dict, List

import torch
import torch.distributed as dist
from mmengine.config import Config

from .mmpose_tools import mmpose_tool
from .requirements import extras_named


def prepare_cpu_processes(argv: List[str]) -> None:
    """Let several processes train on a machine without GPUs; appends to ``argv`` (in place) what that takes.

    mmengine puts every process on a GPU, whichever backend the config names. So the process group is made here, with
    gloo, which mmengine accepts as it is; and the model's wrapper is told that there is no device to name. torch has
    no synchronised batch statistics without GPUs: each process keeps its own.
    """
    if torch.cuda.is_available() or _launcher(argv) != 'pytorch':
        return
    dist.init_process_group('gloo')
    options: Dict[str, Any] = {'type': 'MMDistributedDataParallel', 'device_ids': None}
    config = Config.fromfile(next((word for word in argv[1:] if Path(word).is_file()), ''))
    if 'model_wrapper_cfg' not in config:  # what mmengine does by itself where it makes the wrapper
        options.update(broadcast_buffers=False, find_unused_parameters=config.get('find_unused_parameters', False))
    argv += ['--cfg-options', 'sync_bn=None', *(f'model_wrapper_cfg.{key}={value}' for key, value in options.items())]


def _launcher(argv: List[str]) -> str:
    """The value of ``--launcher`` on a command line, 'none' without it."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument('--launcher', default='none')
    return parser.parse_known_args(argv)[0].launcher


def run_mmpose_tool(name: str) -> None:
    """Run mmpose's tool ``name`` with this process's arguments.

    Where it fails in one of several processes, that one prints its traceback and ends at once, with status 1.
    """
    tool = mmpose_tool(name)
    prepare_cpu_processes(sys.argv)
    try:
        with extras_named():
            runpy.run_path(tool, run_name='__main__')
    except SystemExit as error:  # such as that of an interrupted training
        if not (dist.is_available() and dist.is_initialized()):
            raise
        _end(error.code if isinstance(error.code, int) else int(error.code is not None))
    except (Exception, KeyboardInterrupt):
        if not (dist.is_available() and dist.is_initialized()):
            raise
        # The other processes may wait for this one in a collective. Taking the group down here would wait for them in
        # turn (with NCCL), and nobody would read the reason; ended at once, the launcher stops the others.
        traceback.print_exc()
        _end(1)
    leave_process_group()


def leave_process_group() -> None:
    """What a process does when its work is done and written: with gloo it ends here, with status 0.

    gloo's threads and Python's may wait for each other where the group is taken down, and abort the process
    ("terminate called without an active exception") where the interpreter is, so neither is left to them.
    """
    if not (dist.is_available() and dist.is_initialized()):
        return
    if dist.get_backend() == 'gloo':
        dist.barrier()  # nobody leaves while another still reads from it
        _end(0)
    dist.destroy_process_group()


def _end(status: int) -> None:
    """End the process now, without tearing anything down; what was printed or logged is kept."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)

"""Two processes stop together, whichever is told to, go on together, and end with their launcher."""

import multiprocessing
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from faults import at, terminate
from mmengine.hooks import Hook
from toy_run import Model, assert_same, toy_runner

pytestmark = pytest.mark.slow


class Noise(Hook):
    """What each step's generator gives first."""

    priority = 'LOWEST'

    def __init__(self):
        self.drawn = []

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self.drawn.append(torch.rand(1, generator=torch.Generator().manual_seed(torch.initial_seed())).item())


def poisoned(loss, calls):
    return loss * float('nan') if calls == 2 else loss


def train(rank, folder, name, fault, resume):
    """One of two processes; ends with the status of the training."""
    torch.set_num_threads(1)
    os.environ['LOCAL_RANK'] = str(rank)
    rendezvous = f'file://{folder}/rendezvous-{name}-{resume}'
    dist.init_process_group('gloo', init_method=rendezvous, rank=rank, world_size=2)
    noise = Noise()
    hooks = [noise, at('before_train_iter', 2, terminate)] if fault == 'signal' and rank == 1 else [noise]
    model = Model(poisoned if fault == 'nan' and rank == 1 else None)
    status = 0
    try:
        runner = toy_runner(f'{folder}/{name}', model=model, hooks=hooks, resume=resume, validate=False, processes=2)
        runner.train()
    except SystemExit as error:
        status = error.code
    except FloatingPointError as error:
        print(error)
        status = 3
    torch.save(noise.drawn, f'{folder}/{name}-{resume}-{rank}.noise')
    sys.stdout.flush()
    os._exit(status)  # gloo may abort a process that takes it down


def two(*args):
    """The statuses of both."""
    context = multiprocessing.get_context('fork')  # of this process, which has imported everything
    processes = [context.Process(target=train, args=(rank, *args)) for rank in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(600)
    return [process.exitcode for process in processes]


def test_both_stop_after_the_same_iteration_and_resume_exactly(tmp_path):
    """Two batches an epoch each (one is padded); the second process is told to in the second iteration."""
    assert two(str(tmp_path), 'whole', None, False) == [0, 0]
    assert two(str(tmp_path), 'work', 'signal', False) == [75, 75]
    assert two(str(tmp_path), 'work', None, True) == [0, 0]
    assert_same(tmp_path / 'work/epoch_3.pth', tmp_path / 'whole/epoch_3.pth')
    whole, before, after = (
        [torch.load(tmp_path / f'{run}-{rank}.noise') for rank in range(2)]
        for run in ('whole-False', 'work-False', 'work-True')
    )
    assert set(whole[0]).isdisjoint(whole[1]), 'each process has noise of its own'
    assert [first + second for first, second in zip(before, after)] == whole


def test_nan_in_one_stops_both(tmp_path):
    assert two(str(tmp_path), 'work', 'nan', False) == [3, 3]


LAUNCHER = """
import os, subprocess, sys, time
code = '''
import os, time
from mmpose_sp.utils.mmpose_tools import check_arguments
check_arguments("train.py")
os.write(1, b"%d%c" % (os.getpid(), 10))  # in one piece: two processes write here
time.sleep(600)
'''
environment = dict(os.environ, TORCHELASTIC_RUN_ID='none')
for _ in range(2):
    subprocess.Popen([sys.executable, '-c', code, sys.executable], env=environment)  # a config has to be a file
time.sleep(600)
"""


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='the kernel of Linux ends them')
def test_processes_end_with_a_launcher_that_is_killed():
    root = str(Path(__file__).resolve().parents[2])
    launcher = subprocess.Popen(
        [sys.executable, '-c', LAUNCHER], env=dict(os.environ, PYTHONPATH=root), stdout=subprocess.PIPE, text=True
    )
    workers = [int(launcher.stdout.readline()) for _ in range(2)]
    launcher.kill()
    rest = launcher.stdout.read()  # ends when nobody holds the pipe any more
    launcher.wait()
    alive = []
    for worker in workers:
        with suppress(ProcessLookupError):
            os.kill(worker, signal.SIGKILL)
            alive.append(worker)
    assert rest == '' and [pid for pid in alive if Path(f'/proc/{pid}/cmdline').read_bytes()] == []

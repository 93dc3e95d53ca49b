"""No kill, full disk or signal takes a checkpoint away, and a resumed training is the uninterrupted one."""

import errno
import multiprocessing
import os
import signal
import zipfile
from types import SimpleNamespace

import pytest
import torch
from faults import Killed, at, break_write, die, terminate
from mmpose.registry import HOOKS
from toy_run import Model, assert_same, end_workers, toy_runner

from mmpose_sp.engine import checkpoint_hook
from mmpose_sp.engine.checkpoint_hook import INTERRUPTED, SafeCheckpointHook

BEST = {'save_best': 'NME', 'rule': 'less'}


def names(folder, pattern='*.pth'):
    return sorted(path.name for path in folder.glob(pattern))


def assert_resumable(folder):
    """What has a final name is whole, and ``last_checkpoint`` names one of them."""
    for path in folder.glob('*.pth'):
        assert zipfile.ZipFile(path).testzip() is None, path
    last = folder / 'last_checkpoint'
    assert not last.exists() or os.path.isfile(last.read_text())
    return last.exists()


def test_the_best_epoch_by_the_score_of_a_subset(tmp_path):
    toy_runner(tmp_path, save_best='blur/NME', rule='less').train()
    assert names(tmp_path) == ['best_blur_NME_epoch_3.pth', 'epoch_3.pth']


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    """The last checkpoint of a training that nothing has interrupted."""
    folder = tmp_path_factory.mktemp('whole')
    toy_runner(folder, **BEST).train()
    return folder / 'epoch_3.pth'


@pytest.mark.parametrize(
    'stage, number, action, workers, left',
    [
        ('before_train_iter', 5, die, 0, 'epoch_1.pth'),
        ('before_val_iter', 5, die, 0, 'epoch_2.pth'),
        ('before_train_iter', 1, terminate, 0, INTERRUPTED),
        ('before_train_iter', 5, terminate, 2, INTERRUPTED),
        ('before_train_iter', 6, terminate, 0, 'epoch_2.pth'),
        ('before_val_iter', 5, terminate, 0, 'epoch_2.pth'),
    ],
    ids=['kill', 'kill in validation', 'first batch', 'two workers', 'last batch', 'validation'],
)
def test_a_resumed_training_is_the_uninterrupted_one(tmp_path, whole, stage, number, action, workers, left):
    """Weights, averaged weights, moments of Adam; three iterations an epoch."""
    runner = toy_runner(tmp_path, hooks=[at(stage, number, action)], workers=workers, **BEST)
    with pytest.raises((Killed, SystemExit)) as caught:
        runner.train()
    if workers:
        end_workers(runner)
    assert caught.type is Killed or caught.value.code == 75
    assert (tmp_path / 'last_checkpoint').read_text() == str(tmp_path / left)
    toy_runner(tmp_path, resume=True, workers=0, **BEST).train()
    assert_same(tmp_path / 'epoch_3.pth', whole)
    assert names(tmp_path) == names(whole.parent), 'the best epoch is the same, and nothing else is left'


def test_a_signal_in_validation_does_not_save_the_averaged_weights_as_the_trained_ones(tmp_path, whole):
    with pytest.raises(SystemExit):
        toy_runner(tmp_path, hooks=[at('before_val_iter', 5, terminate)], interval=9).train()
    assert names(tmp_path) == [INTERRUPTED]
    toy_runner(tmp_path, resume=True, **BEST).train()
    assert_same(tmp_path / 'epoch_3.pth', whole)


def test_a_seed_that_nobody_chose_is_resumed(tmp_path):
    toy_runner(tmp_path / 'whole', seed=None, max_keep_ckpts=-1).train()
    seed = torch.load(tmp_path / 'whole/epoch_3.pth')['meta']['seed']
    (tmp_path / 'resumed').mkdir()
    os.rename(tmp_path / 'whole/epoch_1.pth', tmp_path / 'resumed/epoch_1.pth')
    toy_runner(tmp_path / 'resumed', seed=None, resume=True).train()  # finds it without a last_checkpoint
    assert_same(tmp_path / 'resumed/epoch_3.pth', tmp_path / 'whole/epoch_3.pth')
    assert torch.load(tmp_path / 'resumed/epoch_3.pth')['meta']['seed'] == seed


def test_gradients_that_are_accumulated_are_not_lost(tmp_path):
    hook = SafeCheckpointHook()
    hook._received, saved = signal.SIGTERM, []
    hook._interrupt = lambda runner, meta: saved.append(meta)
    wrapper = SimpleNamespace(_inner_count=0, _accumulative_counts=2)
    runner = SimpleNamespace(train_dataloader=range(9), train_loop=None, optim_wrapper=wrapper, epoch=0, iter=0)
    for wrapper._inner_count in (1, 2):
        hook.after_train_iter(runner, 0)
    assert len(saved) == 1


@pytest.mark.parametrize('number', [1, 2, 3, 4, 5])
def test_a_kill_in_a_write(tmp_path, monkeypatch, whole, number):
    """Of the regular checkpoint, of the best one, of the regular one with the best one's score."""
    break_write(monkeypatch, number, Killed())
    with pytest.raises(Killed):
        toy_runner(tmp_path, **BEST).train()
    assert assert_resumable(tmp_path) == (number > 1)
    toy_runner(tmp_path, resume=True, **BEST).train()
    assert_same(tmp_path / 'epoch_3.pth', whole)
    assert names(tmp_path, '.*') == [], 'what a kill leaves is cleared'


@pytest.mark.parametrize('action', ['rename', 'pointer'])
def test_a_kill_around_the_renaming(tmp_path, monkeypatch, whole, action):
    """After the new file has its name, before the old one is removed; and the same for ``last_checkpoint``."""
    calls = []

    def killed(original, *args):
        calls.append(args)
        if len(calls) == 2:
            raise Killed
        return original(*args)

    target = 'publish' if action == 'rename' else 'write_text'
    original = getattr(checkpoint_hook, target)
    monkeypatch.setattr(checkpoint_hook, target, lambda *args: killed(original, *args))
    with pytest.raises(Killed):
        toy_runner(tmp_path).train()
    assert assert_resumable(tmp_path)
    toy_runner(tmp_path, resume=True, **BEST).train()
    assert_same(tmp_path / 'epoch_3.pth', whole)


@pytest.mark.parametrize('number', [2, 4])
def test_a_full_disk_keeps_what_was_saved(tmp_path, monkeypatch, number):
    break_write(monkeypatch, number, OSError(errno.ENOSPC, 'No space left on device'))
    with pytest.raises(OSError, match=r'epoch_\d.pth was not written: No space left') as error:
        toy_runner(tmp_path, **BEST).train()
    assert error.value.errno == errno.ENOSPC
    assert assert_resumable(tmp_path)
    assert names(tmp_path, '.*') == []


def test_weights_that_are_not_finite_are_never_saved(tmp_path):
    model = Model()

    def spoil():
        with torch.no_grad():
            model.layers[0].weight[0, 0, 0, 0] = float('inf')

    with pytest.raises(FloatingPointError, match=r'layers.0.weight.*last good checkpoint is .*epoch_1'):
        toy_runner(tmp_path, model=model, hooks=[at('after_train_epoch', 2, spoil)]).train()
    assert names(tmp_path) == ['epoch_1.pth']


def test_a_hostile_checkpoint_runs_and_removes_nothing(tmp_path):
    """mmengine removes whatever file or folder a resumed checkpoint calls its best one, and numbers of others."""
    (tmp_path / 'mine').mkdir()
    for name in ('precious.pth', 'epoch_best.pth'):
        (tmp_path / 'mine' / name).write_text('mine')
    with pytest.raises(SystemExit):
        toy_runner(tmp_path / 'work', hooks=[at('after_train_epoch', 1, terminate)], **BEST).train()
    path = tmp_path / 'work/epoch_1.pth'
    hostile = torch.load(path)
    hostile['meta']['config'] = f'open({str(tmp_path / "mark")!r}, "w")'  # mmengine runs it as it resumes
    hostile['message_hub']['runtime_info'].update(
        best_ckpt=str(tmp_path / 'mine'), best_score=9.0, keep_ckpt_ids=['1', '/../../mine/epoch_best', 1]
    )
    torch.save(hostile, path)
    toy_runner(tmp_path / 'work', resume=True, **BEST).train()
    assert not (tmp_path / 'mark').exists()
    assert names(tmp_path / 'mine') == ['epoch_best.pth', 'precious.pth']
    assert names(tmp_path / 'work') == ['best_NME_epoch_3.pth', 'epoch_3.pth']


def test_processes_that_load_data_outlive_the_signal_only_as_long_as_there_is_a_training(tmp_path):
    """Slurm signals all processes of a job; torch ends those that load data by the same signal."""

    def signal_all():
        workers[:] = multiprocessing.active_children()
        for process in (*workers, multiprocessing.current_process()):
            os.kill(process.pid, signal.SIGTERM)

    workers = []
    runner = toy_runner(tmp_path, hooks=[at('before_train_iter', 5, signal_all)], workers=2)
    with pytest.raises(SystemExit):
        runner.train()
    assert (tmp_path / INTERRUPTED).exists()
    assert len(workers) >= 2 and all(worker.is_alive() for worker in workers)
    for worker in workers:
        worker.terminate()
        worker.join(60)
        assert worker.exitcode == 0


def test_a_second_signal_ends_at_once(monkeypatch):
    killed, hook = [], SafeCheckpointHook()
    monkeypatch.setattr(os, 'kill', lambda *args: killed.append(args))
    monkeypatch.setattr(signal, 'signal', lambda *args: killed.append(args))
    hook._process = os.getpid()
    hook._receive(signal.SIGTERM, None)
    assert killed == []
    hook._receive(signal.SIGTERM, None)
    assert killed == [(signal.SIGTERM, signal.SIG_DFL), (os.getpid(), signal.SIGTERM)]


def test_handlers_are_given_back(tmp_path):
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGUSR1)
    with pytest.raises(SystemExit):
        toy_runner(tmp_path, hooks=[at('before_train_iter', 1, terminate)]).train()
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGUSR1)) == before


def test_configs_of_others_have_it_under_mmengines_name():
    assert HOOKS.get('CheckpointHook') is SafeCheckpointHook

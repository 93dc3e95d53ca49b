"""Checkpoints that neither a kill nor a full disk nor a preemption can take away."""

import atexit
import os
import os.path as osp
import re
import signal
import threading
from collections import deque
from functools import partial
from glob import escape, glob
from itertools import islice
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

import torch
from mmengine.dist import all_reduce, barrier, broadcast_object_list, get_world_size, is_main_process
from mmengine.fileio import LocalBackend
from mmengine.hooks import CheckpointHook, EMAHook
from mmengine.runner import BaseLoop, EpochBasedTrainLoop
from mmpose.registry import HOOKS

from mmpose_sp.utils.atomic import publish, write_text
from mmpose_sp.utils.checkpoint import broken_tensors
from mmpose_sp.utils.checkpoint_files import PARTIAL, check_whole, newest_checkpoint
from mmpose_sp.utils.mmpose_tools import die_with_launcher

#: The exit status of a training that was interrupted and wants to go on (EX_TEMPFAIL of sysexits.h).
REQUEUE = 75
#: The checkpoint of an interrupted training; the next regular one replaces it.
INTERRUPTED = 'interrupted.pth'


@HOOKS.register_module(name=['SafeCheckpointHook', 'CheckpointHook'])
class SafeCheckpointHook(CheckpointHook):
    """mmengine's CheckpointHook, which also takes this name in configs of the scope mmpose, with promises:

    - A checkpoint appears under its name when it is complete: written beside, compared with its checksums, synced to
      the disk, renamed. ``last_checkpoint`` follows in the same way.
    - A predecessor, the last or the best one, is removed after that, and nothing outside of the checkpoints' folder is
      ever removed, whatever a resumed checkpoint says.
    - Weights that are not finite are never saved.
    - ``--resume`` goes on from the newest intact checkpoint, says so where that is not the last one, and never starts
      anew over the files of a training. A validation that a kill has prevented is made up for.
    - On a signal (Slurm's preemption, spot machines) the training saves after the current iteration and ends with the
      status 75; resumed, it goes on with the next batch of the same epoch. A second signal ends it at once.

    Args:
        signals: Names of these signals; empty for none.
        **options: Those of mmengine's hook.
    """

    def __init__(self, *args: Any, signals: Sequence[str] = ('SIGTERM', 'SIGUSR1'), **options: Any):
        super().__init__(*args, **options)
        self.signals = [getattr(signal, name) for name in signals if hasattr(signal, name)]
        self._received: Optional[int] = None
        self._handlers: Dict[int, Any] = {}
        self._training = torch.zeros(1)
        self._done = 0  # batches of this epoch that were trained before the training was interrupted
        self._saved: Optional[Tuple[int, int]] = None  # epoch and iteration of the last complete checkpoint
        self._complete: Optional[str] = None  # its path

    # starting and resuming -------------------------------------------------------------------------------------------

    def before_run(self, runner) -> None:
        """Choose what ``--resume`` without a name goes on from; raises ValueError where there is nothing intact."""
        if not (runner._resume and runner._load_from is None and isinstance(runner._train_loop, BaseLoop)):
            return
        folder = self._folder(runner)
        if '://' in folder:
            return  # mmengine's way, which knows such stores
        answer: List[Any] = [None, '', None]
        if is_main_process():  # one process looks, so that all go on from the same one
            try:
                answer[:2] = newest_checkpoint(runner.work_dir, folder)
            except ValueError as error:
                answer[2] = error
        broadcast_object_list(answer)
        runner._load_from, message, error = answer
        if error is not None:
            raise error
        if message:
            runner.logger.warning(message)

    def after_load_checkpoint(self, runner, checkpoint: Dict[str, Any]) -> None:
        """Keep where in the epoch to go on; believe nothing that names files to remove."""
        if not (runner._resume and isinstance(runner._train_loop, BaseLoop)):
            return
        meta = checkpoint.get('meta') or {}
        self._done = int(meta.get('iter_in_epoch', 0))
        length = len(runner.train_dataloader)
        if self._done and meta.get('iters_per_epoch') != length:
            runner.logger.warning(
                f'The epoch was interrupted after {self._done} of {meta.get("iters_per_epoch")} batches; now it has '
                f'{length}. It starts again.'
            )
            self._done = 0
        info = (checkpoint.get('message_hub') or {}).get('runtime_info') or {}
        info['keep_ckpt_ids'] = [step for step in info.get('keep_ckpt_ids') or [] if type(step) is int]
        if 'optimizer' not in checkpoint:
            runner.logger.warning('This checkpoint has no state of the optimizer, which starts anew.')

    def before_train(self, runner) -> None:
        # A work_dir that was moved, or a file of somebody else, names other folders: these files are in this one.
        known = runner.message_hub.runtime_info
        for key in [key for key in known if key == 'last_ckpt' or key.startswith('best_ckpt')]:
            name = osp.basename(str(known[key] or ''))
            known[key] = osp.join(self._folder(runner), name) if name else None
        super().before_train(runner)
        self._complete = runner._load_from if runner._resume else None
        if self._is_local() and is_main_process():
            for folder in {str(self.out_dir), runner.work_dir}:
                for path in glob(osp.join(escape(folder), PARTIAL + '*')):
                    os.remove(path)  # of a run that was killed as it wrote
        self._listen(runner)
        self._skip_what_was_trained(runner)
        self._validate_if_pending(runner)

    def _folder(self, runner) -> str:
        """Where the checkpoints are; ``out_dir`` says so from ``before_train`` on."""
        name = osp.basename(runner.work_dir.rstrip(osp.sep))
        return osp.join(self.out_dir, name) if self.out_dir not in (None, runner.work_dir) else runner.work_dir

    def _skip_what_was_trained(self, runner) -> None:
        batches = getattr(runner.train_dataloader, 'batch_sampler', None)
        if self._done and hasattr(batches, 'sampler'):
            runner.logger.info(f'The epoch goes on after batch {self._done}.')
            batches.sampler = _Remaining(batches.sampler, self._done * batches.batch_size)

    def _validate_if_pending(self, runner) -> None:
        """An epoch's checkpoint is saved before its validation: make up for one that did not come to its end."""
        loop = runner.train_loop
        if not (runner._resume and isinstance(loop, EpochBasedTrainLoop) and runner.val_loop and loop.epoch):
            return
        loop._decide_current_val_interval()
        due = loop.epoch % loop.val_interval == 0 or loop.epoch == loop.max_epochs
        validated = runner.message_hub.runtime_info.get('validated_epoch', 0)
        if due and loop.epoch >= loop.val_begin and not self._done and validated < loop.epoch:
            last = osp.join(str(self.out_dir), self.filename_tmpl.format(loop.epoch))
            self.last_ckpt = last if osp.isfile(last) else None
            runner.val_loop.run()

    # saving ----------------------------------------------------------------------------------------------------------

    def before_save_checkpoint(self, runner, checkpoint: Dict[str, Any]) -> None:
        """Refuse to save what nobody can use.

        Raises:
            FloatingPointError: A weight is NaN or infinite, or a statistic NaN; names them.
        """
        states = [checkpoint['state_dict'], checkpoint.get('ema_state_dict', {})]
        bad = [name for state in states for name in broken_tensors(runner.model, state)]
        if bad:
            raise FloatingPointError(
                f'not saved: {len(bad)} tensors of the model are NaN or infinite, the first is {bad[0]}. The last good '
                f'checkpoint is {self._complete}. Fix: a lower learning rate, or '
                'optim_wrapper.clip_grad=dict(max_norm=...)'
            )

    def _save_checkpoint_with_step(self, runner, step: int, meta: Dict[str, Any]) -> None:
        steps = []
        if self.max_keep_ckpts > 0:
            steps = [kept for kept in self.keep_ckpt_ids if kept != step] + [step]
            # One more than are kept: mmengine removes on resume what a kill leaves of the next lines.
            runner.message_hub.update_info('keep_ckpt_ids', steps)
        self._save_as_last(runner, self.filename_tmpl.format(step), meta, self.by_epoch)
        self._remove(osp.join(str(self.out_dir), INTERRUPTED))
        if self.max_keep_ckpts > 0:
            for outdated in steps[: -self.max_keep_ckpts]:
                self._remove(osp.join(str(self.out_dir), self.filename_tmpl.format(outdated)))
            self.keep_ckpt_ids = deque(steps[-self.max_keep_ckpts :], self.max_keep_ckpts)

    def _save_as_last(self, runner, name: str, meta: Dict[str, Any], by_epoch: bool) -> None:
        self.last_ckpt = self.file_backend.join_path(self.out_dir, name)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        options = dict(self.args, file_client_args=self.file_client_args, backend_args=self.backend_args)
        options.update(save_optimizer=self.save_optimizer, save_param_scheduler=self.save_param_scheduler)
        _WholeFiles(runner, self).save_checkpoint(self.out_dir, name, meta=meta, by_epoch=by_epoch, **options)
        self._saved, self._complete = (meta['epoch'], meta['iter']), self.last_ckpt
        if is_main_process():
            write_text(osp.join(runner.work_dir, 'last_checkpoint'), str(self.last_ckpt))

    def _save_best_checkpoint(self, runner, metrics: Dict[str, float]) -> None:
        if not self.save_best:
            return
        single = len(self.key_indicators) == 1
        before = {'': self.best_ckpt_path} if single else dict(self.best_ckpt_path_dict)
        # mmengine removes what it knows as the best one before the new one exists, so it is told of none
        if single:
            self.best_ckpt_path = None
        else:
            self.best_ckpt_path_dict = dict.fromkeys(before)
        try:
            super()._save_best_checkpoint(_WholeFiles(runner, self), metrics)
        finally:
            after = {'': self.best_ckpt_path} if single else self.best_ckpt_path_dict
            for key, path in before.items():
                after[key] = after[key] or path
            if single:
                self.best_ckpt_path = after['']
        for key, path in before.items():
            if path and path != after[key]:
                self._remove(path)

    def after_val_epoch(self, runner, metrics: Dict[str, float]) -> None:
        if isinstance(runner._train_loop, BaseLoop):
            runner.message_hub.update_info('validated_epoch', runner.epoch)
        super().after_val_epoch(runner, metrics)

    def _is_local(self) -> bool:
        return isinstance(getattr(self.file_backend, 'client', self.file_backend), LocalBackend)

    def _remove(self, path: str) -> None:
        """Remove a checkpoint of this run, and nothing else."""
        template = '.*'.join(re.escape(part) for part in self.filename_tmpl.split('{}'))
        known = re.fullmatch(rf'(best_.*)?{template}|{re.escape(INTERRUPTED)}', osp.basename(path))
        if is_main_process() and known and osp.dirname(path) == str(self.out_dir) and self.file_backend.isfile(path):
            self.file_backend.remove(path)

    # signals ---------------------------------------------------------------------------------------------------------

    def after_train_iter(self, runner, batch_idx: int, data_batch: Any = None, outputs: Optional[dict] = None) -> None:
        super().after_train_iter(runner, batch_idx, data_batch, outputs)
        done, length = self._done + batch_idx + 1, len(runner.train_dataloader)
        epochs = isinstance(runner.train_loop, EpochBasedTrainLoop)
        if (epochs and done == length) or not self._is_interrupted() or not _is_updated(runner.optim_wrapper):
            return  # the end of the epoch is near, or gradients are being accumulated
        place = dict(iter_in_epoch=done, iters_per_epoch=length) if epochs else {}
        self._interrupt(runner, dict(epoch=runner.epoch, iter=runner.iter + 1, **place))

    def after_train_epoch(self, runner) -> None:
        if self._done:
            self._done = 0
            batches = runner.train_dataloader.batch_sampler
            batches.sampler = getattr(batches.sampler, 'sampler', batches.sampler)
        super().after_train_epoch(runner)
        if isinstance(runner.train_loop, EpochBasedTrainLoop) and self._is_interrupted():
            self._interrupt(runner, dict(epoch=runner.epoch + 1, iter=runner.iter))

    def after_val_iter(self, runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        # Several processes may validate different numbers of batches: they go on to where they can agree.
        if self._received is None or get_world_size() > 1:
            return
        for hook in runner.hooks:
            if isinstance(hook, EMAHook):  # it validates the averaged weights in the place of those that are trained
                hook._swap_ema_parameters()
        self._interrupt(runner, dict(epoch=runner.epoch, iter=runner.iter))

    def after_train(self, runner) -> None:
        super().after_train(runner)
        self._stop_listening()

    def _interrupt(self, runner, meta: Dict[str, Any]) -> None:
        if self._saved != (meta['epoch'], meta['iter']):
            self._save_as_last(runner, INTERRUPTED, meta, by_epoch=False)
        barrier()  # the first process to leave may end the others
        self._stop_listening()
        runner.logger.warning(f'Interrupted: saved as {self.last_ckpt}, --resume goes on there. Status {REQUEUE}.')
        raise SystemExit(REQUEUE)

    def _is_interrupted(self) -> bool:
        """Whether any process has received a signal: all of them save and leave after the same iteration."""
        if get_world_size() == 1:
            return self._received is not None
        flag = torch.tensor([float(self._received is not None)])
        all_reduce(flag, 'max')
        return bool(flag.item())

    def _listen(self, runner) -> None:
        die_with_launcher()
        if not self.signals or threading.current_thread() is not threading.main_thread():
            return
        self._received = None
        self._process = os.getpid()
        self._handlers = {number: signal.signal(number, self._receive) for number in self.signals}
        self._training = torch.ones(1).share_memory_()
        atexit.register(self._training.zero_)
        for loader in (runner.train_dataloader, runner.val_dataloader if runner.val_loop else None):
            if loader is not None and loader.num_workers:
                # Slurm signals every process of a job: one that loads data must not die before the batch is trained.
                init = loader.worker_init_fn
                loader.worker_init_fn = partial(_init_worker, init, tuple(self.signals), self._training)

    def _stop_listening(self) -> None:
        self._training.zero_()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers = {}

    def _receive(self, number: int, frame: Any) -> None:
        if os.getpid() != self._process or self._received is not None:
            signal.signal(number, signal.SIG_DFL)  # of a child, or the second one
            os.kill(os.getpid(), number)
        self._received = number


class _WholeFiles:
    """A runner whose checkpoints appear under their names when they are complete."""

    def __init__(self, runner, hook: SafeCheckpointHook):
        self._runner = runner._runner if isinstance(runner, _WholeFiles) else runner
        self._hook = hook

    def __getattr__(self, name: str) -> Any:
        return getattr(self._runner, name)

    def save_checkpoint(self, out_dir: str, filename: str, **options: Any) -> None:
        if not self._hook._is_local():  # remote stores write whole objects
            self._runner.save_checkpoint(out_dir, filename, **options)
            return
        path, temporary = osp.join(out_dir, filename), osp.join(out_dir, PARTIAL + filename)
        try:
            self._runner.save_checkpoint(out_dir, PARTIAL + filename, **options)
            if is_main_process():
                check_whole(temporary)
                publish(temporary, path)
        except OSError as error:
            reason = f'{path} was not written: {error.strerror or error}. What was saved before is still there.'
            raise OSError(error.errno, reason) from error
        finally:
            if is_main_process() and osp.exists(temporary):
                os.remove(temporary)


class _Remaining:
    """A sampler without the samples that the epoch has seen before the training was interrupted."""

    def __init__(self, sampler: Any, skipped: int):
        self.sampler, self.skipped = sampler, skipped

    def __iter__(self) -> Iterator[int]:
        return islice(iter(self.sampler), self.skipped, None)

    def __len__(self) -> int:
        return len(self.sampler)


def _is_updated(optim_wrapper: Any) -> bool:
    """Whether no gradients are being accumulated."""
    parts = optim_wrapper.values() if hasattr(optim_wrapper, 'values') else [optim_wrapper]
    return all(part._inner_count % part._accumulative_counts == 0 for part in parts)


def _init_worker(init: Any, signals: Sequence[int], training: torch.Tensor, worker_id: int) -> None:
    """Let a process that loads data outlive these signals as long as there is a training to save."""

    def end_with_it(number: int, frame: Any) -> None:
        if not training.item():
            os._exit(0)  # as its parent wants

    if init is not None:
        init(worker_id)
    for number in signals:
        signal.signal(number, end_with_it)

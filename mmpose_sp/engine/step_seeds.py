"""Randomness that a resumed training repeats, without a state to save."""

import random
from functools import partial
from typing import Any, List, Sequence

import numpy as np
import torch
from mmengine.dist import broadcast_object_list, get_rank
from mmengine.hooks import Hook
from mmpose.registry import HOOKS
from torch.utils.data import get_worker_info


@HOOKS.register_module()
class StepSeedHook(Hook):
    """Makes all randomness a function of the run's seed: that of a sample of its epoch and index, that of a training
    step of the iteration and the process.

    mmengine seeds every process and every worker once, so that what is drawn depends on all that was drawn before, and
    a resumed training draws something else. Here it draws the same, wherever it was interrupted and with any number of
    workers: on one process and with operations that repeat (on a CPU), it ends with the same weights, bit for bit. The
    processes of a distributed training draw different noise.

    A seed that mmengine chose itself is in every checkpoint, and a resumed run continues with it.
    """

    priority = 'VERY_HIGH'

    def before_train(self, runner) -> None:
        seed = [runner.seed]
        broadcast_object_list(seed)  # with diff_rank_seed they differ
        self.seed = int(seed[0])
        loader = runner.train_dataloader
        if hasattr(loader.sampler, 'seed'):
            loader.sampler.seed = self.seed  # it was built before the checkpoint said which
        self.epoch = torch.zeros(1, dtype=torch.int64).share_memory_()  # workers may outlive an epoch
        if not hasattr(loader.dataset, '__getitems__'):
            loader.dataset.__getitems__ = partial(_seeded_items, loader.dataset, self.seed, self.epoch)

    def before_train_epoch(self, runner) -> None:
        self.epoch[0] = runner.epoch

    def before_train_iter(self, runner, batch_idx: int, data_batch: Any = None) -> None:
        torch.manual_seed(seed_all(self.seed, runner.iter, get_rank()))


def seed_all(*entropy: int) -> int:
    """Seed Python's and NumPy's default generators by a hash of some numbers; returns 64 bits of it, for torch's."""
    words = np.random.SeedSequence([number % 2**64 for number in entropy]).generate_state(2)
    random.seed(int(words[0]))
    np.random.seed(words[0])  # noqa: NPY002  transforms draw from the default one
    return int(words[0]) << 32 | int(words[1])


def _seeded_items(dataset: Any, seed: int, epoch: torch.Tensor, indices: Sequence[int]) -> List[Any]:
    """The samples of a batch, each augmented as seed, epoch and index say; what torch's loaders call."""
    items = []
    for index in indices:
        bits = seed_all(seed, int(epoch), int(index))
        if get_worker_info() is not None:  # in the main process torch's generator is the model's
            torch.default_generator.manual_seed(bits)
        items.append(dataset[index])
    return items

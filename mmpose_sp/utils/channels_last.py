"""Memory layout of a training."""

import torch
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmpose.registry import HOOKS


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Keeps weights, and so every feature map, with channels innermost.

    Depthwise convolutions of 256 px images train almost twice as fast on a CPU with it; tensor cores of a GPU like it
    too. Values, checkpoints and shapes are the same.
    """

    def before_run(self, runner) -> None:
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        model.to(memory_format=torch.channels_last)

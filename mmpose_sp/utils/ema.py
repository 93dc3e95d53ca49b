"""Averaged weights (EMA) of a training in several processes."""

from mmengine.dist import all_reduce_params
from mmengine.hooks import EMAHook
from mmpose.registry import HOOKS


@HOOKS.register_module()
class SyncedEMAHook(EMAHook):
    """mmengine's EMAHook whose averaged model is the same in all processes.

    The averaged parameters are so anyway, for gradients are shared. The running statistics of its batch normalisation
    come from each process's own images, and SyncBuffersHook averages those of the model that is trained alone; each
    process would validate, and the first one save, a model of its own.
    """

    def after_train_epoch(self, runner) -> None:
        """Average the statistics over the processes, before the model is validated or saved; counters agree."""
        all_reduce_params([buffer for buffer in self.ema_model.buffers() if buffer.is_floating_point()], op='mean')

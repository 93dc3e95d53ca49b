"""A training that has met NaN or infinity ends at once."""

import math
from typing import Any, Dict, List, Optional

import torch
from mmengine.dist import get_world_size
from mmengine.hooks import Hook
from mmpose.registry import HOOKS
from torch import Tensor


@HOOKS.register_module()
class FiniteHook(Hook):
    """Stops a training at the first loss or gradient norm that is not finite, before anything is saved.

    The norm is that of the gradients with which the optimizer is about to step: where a loss scaler (AMP) finds
    infinite ones, it skips the step and lowers its scale, and that is no failure. Both numbers are read after the step,
    when mmengine has waited for the loss in order to log it, so a GPU waits no more than it did. In several processes
    the gradients are averaged, so all of them see the same iteration fail.
    """

    priority = 'HIGH'

    def before_train(self, runner) -> None:
        self._norms: List[Tensor] = []
        wrapper = runner.optim_wrapper
        for part in wrapper.values() if hasattr(wrapper, 'values') else [wrapper]:
            part.optimizer.register_step_pre_hook(self._measure)

    def _measure(self, optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        if getattr(optimizer, 'found_inf', None) is not None:
            return  # a fused optimizer, which leaves out the step itself
        gradients = [p.grad for group in optimizer.param_groups for p in group['params'] if p.grad is not None]
        norms = torch._foreach_norm(gradients) if gradients else []
        self._norms += [torch.stack([norm.to(norms[0].device) for norm in norms]).norm()] if norms else []

    def after_train_iter(
        self, runner, batch_idx: int, data_batch: Any = None, outputs: Optional[Dict[str, Any]] = None
    ) -> None:
        """
        Raises:
            FloatingPointError: Names the numbers, the images of the batch, and the last good checkpoint.
        """
        found = {key: _number(value) for key, value in (outputs or {}).items() if 'loss' in key}
        found.update(('gradient norm', _number(norm)) for norm in self._norms)
        self._norms.clear()
        bad = ', '.join(f'{key} is {value}' for key, value in found.items() if not math.isfinite(value))
        if not bad:
            return
        last = runner.message_hub.runtime_info.get('last_ckpt')
        elsewhere = ' or of the same batch of another process' if get_world_size() > 1 else ''
        raise FloatingPointError(
            f'{bad} in epoch {runner.epoch + 1}, iteration {runner.iter + 1}. The training stops here; '
            + (f'the last good checkpoint, {last}, is kept.' if last else 'there is no checkpoint yet.')
            + f' Look at these images and their landmarks{elsewhere}, lower the learning rate, or clip the gradients '
            f'(optim_wrapper.clip_grad=dict(max_norm=...)). Images of this batch: {", ".join(_images(data_batch))}'
        )


def _number(value: Any) -> float:
    """Of what a model logs: a number, or a tensor of one; the sum of any other."""
    return float(value.detach().sum()) if torch.is_tensor(value) else float(value)


def _images(data_batch: Any) -> List[str]:
    samples = data_batch.get('data_samples', []) if isinstance(data_batch, dict) else []
    return [str(sample.get('img_path', '?')) for sample in samples] or ['unknown']

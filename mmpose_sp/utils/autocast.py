"""Mixed precision on a CPU."""

from contextlib import contextmanager

import torch
from mmengine.optim import OptimWrapper
from mmpose.registry import OPTIM_WRAPPERS
from torch import nn


@OPTIM_WRAPPERS.register_module()
class CPUAutocastOptimWrapper(OptimWrapper):
    """``OptimWrapper`` whose forward passes run under torch's bfloat16 autocast of the CPU.

    mmengine's AmpOptimWrapper does that on accelerators alone. Weights, their gradients and the losses of mmpose_sp
    stay in float32; bfloat16 has float32's range, so that no gradient needs scaling. Validation is in float32. It pays
    on CPUs with AVX512-BF16 or AMX; on others it is slower than float32.

    Args:
        **kwargs: See :class:`mmengine.optim.OptimWrapper`.
    """

    @contextmanager
    def optim_context(self, model: nn.Module):
        with super().optim_context(model), torch.autocast('cpu', dtype=torch.bfloat16):
            yield

"""From a config and a checkpoint to a model that is ready to predict."""

import copy
import pickle
from pathlib import Path
from typing import Any, Dict, Optional, Tuple, Union

import torch
from mmcv.cnn import fuse_conv_bn
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.fileio import get_local_path
from mmpose.apis import init_model
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

import mmpose_sp.registration  # noqa: F401  what a config names, and what torch may read in checkpoints
from mmpose_sp.utils.checkpoint import (
    can_allow_objects,
    check_finite,
    check_fit,
    model_state,
    packaged_path,
)
from mmpose_sp.utils.checkpoint_files import check_whole
from mmpose_sp.utils.requirements import extras_named

ROUNDING = 1e-4  # of the largest score: the largest difference of scores that are the same


def choose_device(device: str = 'auto') -> str:
    """The device itself, or for 'auto' the best one of this machine.

    Raises:
        ValueError: A device that this machine does not have, or no device at all.
    """
    if device == 'auto':
        return get_device()
    try:
        kind = torch.device(device)
    except RuntimeError as error:
        raise ValueError(f"device {device!r} is none that torch knows; try 'auto', 'cpu' or 'cuda:0'") from error
    if kind.type == 'cuda' and (kind.index or 0) >= torch.cuda.device_count():
        raise ValueError(
            f"device {device!r}: torch {torch.__version__} sees {torch.cuda.device_count()} GPUs; use 'auto' or 'cpu'"
        )
    return device


def load_config(config: Union[str, Path, Config], cfg_options: Optional[dict] = None) -> Config:
    """Read a config (a given one is copied), change it by ``cfg_options``, and drop what only training needs.

    Raises:
        FileNotFoundError: No such file.
        TypeError: Neither a file name nor a Config.
    """
    if isinstance(config, (str, Path)):
        if not Path(config).is_file():
            raise FileNotFoundError(f'{config}: no such config file')
        config = Config.fromfile(config)
    elif isinstance(config, Config):
        config = config.copy()
    else:
        raise TypeError(f'config must be a file name or a Config, got {type(config).__name__}')
    config.merge_from_dict(cfg_options or {})
    config.model.backbone.pop('init_cfg', None)  # the checkpoint has it all; no download
    return config


def load_checkpoint_safely(checkpoint: Union[str, Path]) -> Dict[str, Any]:
    """Read a checkpoint (a file or a URL) that may hold tensors and plain data, nothing that runs.

    torch < 2.6 reads the files of tools/misc/package_model.py alone: it cannot be told that the log histories in
    mmengine's checkpoints do no harm.

    Raises:
        FileNotFoundError: No such file.
        ValueError: Damaged, not a checkpoint, or with objects that are not allowed.
    """
    checkpoint = str(checkpoint)
    if '://' not in checkpoint and not Path(checkpoint).is_file():
        raise FileNotFoundError(f'{checkpoint}: no such checkpoint file')
    with get_local_path(packaged_path(checkpoint) or checkpoint) as path:
        check_whole(path)
        try:
            loaded = torch.load(path, map_location='cpu', weights_only=True)
        except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
            reason = str(error).strip().split('\n')[0]
            hint = (
                ''
                if can_allow_objects()
                else (
                    f' This is torch {torch.__version__}, which reads no training checkpoint safely. '
                    'Fix: torch >= 2.6, or a file that tools/misc/package_model.py made of the checkpoint'
                )
            )
            raise ValueError(
                f'{checkpoint}: not a checkpoint that can be read safely (damaged, of another program, or '
                f'holding objects beside tensors): {reason}{hint}'
            ) from error
    if not isinstance(loaded, dict):
        raise ValueError(f'{checkpoint}: not a checkpoint: it holds a {type(loaded).__name__} instead of a dict')
    return loaded


def load_model(config: Config, checkpoint: Union[str, Path, None], device: str) -> torch.nn.Module:
    """Build the model of a config and load all of its parameters.

    Args:
        config: See :func:`load_config`.
        checkpoint: File or URL. None leaves random weights, for tests.
        device: See :func:`choose_device`.

    Returns:
        In eval mode on the device, with ``cfg`` and ``dataset_meta`` as mmpose's ``init_model`` sets them.

    Raises:
        ValueError: The checkpoint lacks parameters or has them in another shape, such as for other landmarks; or its
            numbers are none (NaN, infinite).
    """
    with extras_named():
        model = init_model(config, None, device='cpu')
    if checkpoint is not None:
        loaded = load_checkpoint_safely(checkpoint)
        check_fit(model, loaded, checkpoint)
        check_finite(model, loaded, checkpoint)
        model.load_state_dict(model_state(loaded), strict=False)
        model.dataset_meta = (loaded.get('meta') or {}).get('dataset_meta') or model.dataset_meta
    return model.to(device).eval()


@torch.no_grad()
def quickened(model: torch.nn.Module, input_size: Tuple[int, int], device: str) -> torch.nn.Module:
    """The same function in less time: batch normalisations inside of the convolutions before them, channels innermost.

    mmcv pairs the two by the order in which a module names its parts, which need not be the order in which it calls
    them. Where it cannot, or the scores of an input change, the model is what it was.

    Args:
        model: On the CPU, in eval mode.
        input_size: w, h of its input.
        device: See :func:`choose_device`.

    Returns:
        On the device: a copy without normalisations, or the model itself.
    """
    conv = next((part for part in model.modules() if isinstance(part, torch.nn.Conv2d)), None)
    if conv is None or not any(isinstance(part, _BatchNorm) for part in model.modules()):
        return model.to(device)
    try:
        quick = fuse_conv_bn(copy.deepcopy(model))
        if device == 'cpu':
            quick = quick.to(memory_format=torch.channels_last)
        generator = torch.Generator().manual_seed(0)
        images = torch.randn(1, conv.in_channels, *input_size[::-1], generator=generator).to(conv.weight.dtype)
        before, after = (_last_scores(one, images) for one in (model, quick))
        same = torch.allclose(after, before, rtol=0, atol=ROUNDING * float(before.abs().max()))
    except Exception:  # whatever mmcv, or a network that views its maps as rows of channels, stumbles over
        same = False
    return (quick if same else model).to(device)


def _last_scores(model: torch.nn.Module, images: Tensor) -> Tensor:
    """Of heads that give a map for each of their stages, the last one's."""
    scores = model.head(model.extract_feat(images))
    while isinstance(scores, (list, tuple)):
        scores = scores[-1]
    return scores

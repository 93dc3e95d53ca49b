"""Checkpoints: loadable with ``weights_only`` left on, and refused where they do not belong."""

from importlib import import_module
from pathlib import Path
from typing import Any, Dict, List, Optional

import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.logging import HistoryBuffer
from mmengine.model import is_model_wrapper
from mmengine.runner import BaseLoop, CheckpointLoader
from mmpose.registry import HOOKS

from .checkpoint_files import check_whole

#: ``mmpose_sp://NAME.pth``: weights that come with this package, wherever it is installed. Metafiles name them so.
SCHEME = 'mmpose_sp://'
POSTERIOR = '.posterior.'  #: in the names of what tools/posterior.py fits, see ScoreMapMixin
_STATISTICS = ('min', 'max', 'current', 'mean')


def packaged_path(checkpoint: str) -> Optional[str]:
    """The file that ``mmpose_sp://NAME.pth`` means; None for any other checkpoint.

    Raises:
        FileNotFoundError: The package has no such weights.
    """
    if not checkpoint.startswith(SCHEME):
        return None
    folder = Path(__file__).resolve().parents[1] / 'weights'
    path = folder / checkpoint[len(SCHEME) :]
    if not path.is_file():
        known = ', '.join(sorted(SCHEME + file.name for file in folder.glob('*.pth'))) or 'none'
        raise FileNotFoundError(f'{checkpoint}: mmpose_sp comes without such weights; it has: {known}')
    return str(path)


@CheckpointLoader.register_scheme(prefixes=SCHEME)
def load_packaged(filename: str, map_location: Any = None) -> Any:
    """How mmengine's ``load_from``, ``load_checkpoint`` and test.py read ``mmpose_sp://NAME.pth``."""
    path = packaged_path(filename)
    check_whole(path)
    return torch.load(path, map_location=map_location, weights_only=True)


def _history_buffer_method(owner: Any, name: str) -> Any:
    """Stands for ``getattr`` in a checkpoint: mmengine's log histories refer to four of their methods by it.

    The real one would let a checkpoint reach anything, which ``weights_only`` is there to prevent.
    """
    if owner is not HistoryBuffer or name not in _STATISTICS:
        raise TypeError(f'a checkpoint may not refer to {name!r} of {owner!r}')
    return getattr(owner, name)


def can_allow_objects() -> bool:
    """Whether this torch can be told which objects ``weights_only`` may read, under the names that files call them by.

    Before 2.6 ``add_safe_globals`` knows no names (before 2.4 there is none at all).
    """
    return tuple(int(part) for part in torch.__version__.split('.')[:2]) >= (2, 6)


def allow_mmengine_checkpoints() -> None:
    """Let ``torch.load(weights_only=True)``, torch's default since 2.6, read what mmengine saves.

    Beyond tensors those checkpoints hold log histories and the numpy arrays of the dataset's metainfo. Only these
    are allowed (under both of numpy's module names, so that checkpoints cross its versions). Without effect on
    torch < 2.6: its default reads everything, and with ``weights_only`` it refuses mmengine's checkpoints.
    """
    if not can_allow_objects():
        return
    allowed = [HistoryBuffer, np.ndarray, np.dtype, bytes, (_history_buffer_method, 'builtins.getattr')]
    multiarray = import_module('numpy._core.multiarray' if int(np.__version__[0]) > 1 else 'numpy.core.multiarray')
    for module in ('numpy.core.multiarray', 'numpy._core.multiarray'):
        allowed += [(multiarray._reconstruct, f'{module}._reconstruct'), (multiarray.scalar, f'{module}.scalar')]
    # Numbers, booleans and strings; not 'O', which holds any object.
    dtypes = {type(np.dtype(code)) for code in np.typecodes['All'].replace('O', '')}
    torch.serialization.add_safe_globals(allowed + sorted(dtypes, key=str))


@HOOKS.register_module()
class CheckpointGuardHook(Hook):
    """Stops a run at once if it loads a checkpoint of another model or of other landmarks.

    mmengine only warns about parameters that do not fit and goes on with random ones. Testing, or resuming a
    training, needs them all; a training that merely starts from a checkpoint (``load_from``) may lack some.
    """

    priority = 'ABOVE_NORMAL'  # before EMAHook, which loads the checkpoint into its averaged model

    def before_test(self, runner) -> None:
        """Say whether landmarks are read alone or joined: the numbers that follow depend on it."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        if hasattr(getattr(model, 'head', None), 'joint_of'):
            joint = model.head.joint_of((model.test_cfg or {}).get('joint'))
            runner.logger.info(f'joint posterior: {joint!r} (--cfg-options model.test_cfg.joint=off|prior|offset)')

    def after_load_checkpoint(self, runner, checkpoint: Dict[str, Any]) -> None:
        """Compare the checkpoint with the model before it is loaded.

        A training drops the joint posterior, which was fitted to the weights as they are.

        Raises:
            ValueError: if its numbers are none, or if the run needs the whole checkpoint and it does not fit; names the
                file and the fix.
        """
        name = runner._load_from or f'of {runner.work_dir} (the latest)'
        check_finite(runner.model, checkpoint, f'checkpoint {name}')
        training = isinstance(runner._train_loop, BaseLoop)  # in a test it stays the dict of the config
        if training:
            for key in [key for key in checkpoint.get('state_dict', ()) if POSTERIOR in key]:
                del checkpoint['state_dict'][key]
        if training and not runner._resume:
            return
        check_fit(runner.model, checkpoint, f'checkpoint {name}')


def model_state(checkpoint: Dict[str, Any]) -> Dict[str, torch.Tensor]:
    """The parameters in a checkpoint, without the ``module.`` that data parallelism puts before their names."""
    prefix = 'module.'
    state = checkpoint.get('state_dict', checkpoint)
    return {key[len(prefix) :] if key.startswith(prefix) else key: value for key, value in state.items()}


def compare_checkpoint(model: torch.nn.Module, checkpoint: Dict[str, Any], show: int = 5) -> List[str]:
    """One line per parameter that the checkpoint lacks or has in another shape (at most ``show``, then a count)."""
    model = model.module if is_model_wrapper(model) else model
    given = model_state(checkpoint)
    problems = []
    for key, value in model.state_dict().items():
        if key not in given:
            problems.append(f'{key} is missing')
        elif value.shape != given[key].shape:
            problems.append(f'{key} is {tuple(given[key].shape)}, the model wants {tuple(value.shape)}')
    more = len(problems) - show
    return problems[:show] + ([f'... and {more} more'] if more > 0 else [])


def broken_tensors(model: torch.nn.Module, state: Dict[str, torch.Tensor]) -> List[str]:
    """Names of the tensors of a state that are NaN or, if they are weights of the model, infinite.

    A statistic may be infinite: the variance of a large activation in float32 is, and divides it to 0.
    """
    model = model.module if is_model_wrapper(model) else model
    weights = {name for name, _ in model.named_parameters()}
    return [
        name
        for name, value in model_state(state).items()
        if torch.is_tensor(value) and value.is_floating_point()
        if value.isnan().any() or (name in weights and value.isinf().any())
    ]


def check_finite(model: torch.nn.Module, checkpoint: Dict[str, Any], name: object) -> None:
    """Raise ``ValueError`` for a checkpoint whose numbers are none: every face would be lost, or lie in a corner."""
    broken = broken_tensors(model, checkpoint)
    if broken:
        raise ValueError(
            f'{name}: {len(broken)} of its tensors are NaN or infinite, the first is {broken[0]}; its training '
            'diverged, or the file is damaged. Take an earlier checkpoint'
        )


def check_fit(model: torch.nn.Module, checkpoint: Dict[str, Any], name: object) -> None:
    """Raise ``ValueError`` for a checkpoint that does not fit the model: where, what it was trained on, the fix."""
    problems = compare_checkpoint(model, checkpoint)
    if problems:
        landmarks = checkpoint_landmarks(checkpoint)
        raise ValueError(
            f'{name} does not fit the model of this config:\n  '
            + '\n  '.join(problems)
            + (f'\nIt was trained on {landmarks}.' if landmarks else '')
            + '\nUse the config that it was trained with (mmengine keeps a copy beside the checkpoint), or give the '
            'checkpoint of this config.'
        )


def checkpoint_landmarks(checkpoint: Dict[str, Any]) -> str:
    """What a checkpoint says of its training data, such as 'wflw (98 landmarks)'; '' if it says nothing."""
    meta = checkpoint.get('meta', {}).get('dataset_meta') or {}
    if 'dataset_name' not in meta:
        return ''
    return f'{meta["dataset_name"]} ({meta.get("num_keypoints", "?")} landmarks)'

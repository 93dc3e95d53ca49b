"""Make a small, safe model file of a checkpoint: half precision, plain tensors and text, the config beside it.

    python tools/misc/package_model.py CONFIG CHECKPOINT OUT --posterior work_dirs/posterior/posterior.pth

Writes OUT.pth and OUT.py. Where mmpose_sp has a config of CONFIG's name, OUT.py inherits it and says what differs;
otherwise it is CONFIG itself, resolved, which needs no other file. mmengine's checkpoints hold the averaged
weights (EMA) as their state_dict, so what is tested is what is kept; the optimizer, the logs and the weights before the
averaging are left out. (mmpose's own publish_model.py keeps full precision and mmengine's objects.)
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Optional

import numpy as np

from mmpose_sp.utils.atomic import atomic_path
from mmpose_sp.utils.config_names import find_config

if TYPE_CHECKING:
    import torch
    from mmengine.config import Config


def half_precision(state: Dict[str, torch.Tensor]) -> Dict[str, torch.Tensor]:
    """Kernels as float16; vectors (biases, normalisation statistics), which are small and sensitive, stay as they are.

    Raises:
        ValueError: A weight that float16 cannot hold.
    """
    halved = {}
    for name, value in state.items():
        if value.is_floating_point() and value.ndim > 1:
            value = value.half()
        if value.is_floating_point() and not value.isfinite().all():
            raise ValueError(f'{name} is not finite in half precision')
        halved[name] = value.contiguous().clone()
    return halved


def plain(value: Any) -> Any:
    """NumPy arrays and scalars as lists and numbers, in dicts, lists and tuples of any depth."""
    if isinstance(value, dict):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(plain(item) for item in value)
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value


def package(config_file: str, checkpoint_file: str, posterior: Optional[Path] = None) -> Dict[str, Any]:
    """The content of the small file, with what tools/posterior.py fitted (in full precision).

    Raises:
        FileNotFoundError, ValueError: No such file, or not a checkpoint.
    """
    from mmpose_sp.apis.model_loading import load_checkpoint_safely
    from mmpose_sp.utils.checkpoint import POSTERIOR

    checkpoint = load_checkpoint_safely(checkpoint_file)
    if 'state_dict' not in checkpoint:
        raise ValueError(f'{checkpoint_file}: no state_dict in it; give a checkpoint of tools/train.py')
    meta = checkpoint.get('meta') or {}
    kept = dict(config=Path(config_file).stem, dataset_meta=plain(meta.get('dataset_meta') or {}))
    kept.update({key: meta[key] for key in ('epoch', 'seed') if key in meta})
    state = half_precision({key: value for key, value in checkpoint['state_dict'].items() if POSTERIOR not in key})
    if posterior is not None:
        fitted = load_checkpoint_safely(posterior)
        state.update({f'head{POSTERIOR}{key}': value for key, value in fitted.items()})
    return dict(meta=kept, state_dict=state)


def differences(base: Dict[str, Any], config: Dict[str, Any]) -> Dict[str, Any]:
    """What a config that inherits ``base`` has to say to mean ``config``; lists are said whole."""
    changed: Dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, dict) and isinstance(base.get(key), dict):
            if set(base[key]) - set(value):
                changed[key] = dict(value, _delete_=True)
            elif base[key] != value:
                changed[key] = differences(base[key], value)
        elif key not in base or base[key] != value:
            changed[key] = value
    return changed


def meaning(config: Any) -> Any:
    """A config as plain data, without what tells one run (its folder) or one way to inherit (scopes) from another."""
    if isinstance(config, dict):
        return {key: meaning(value) for key, value in config.items() if key not in ('_scope_', 'work_dir', 'launcher')}
    return [meaning(value) for value in config] if isinstance(config, (list, tuple)) else config


def inheriting(config: Config, name: str) -> Optional[Config]:
    """``config`` as the child of our config of that name; None if there is none, or it says more than the child can."""
    from mmengine.config import Config

    configs = Path(find_config('_base_/default_runtime.py')).parents[1]
    for path in sorted(configs.rglob(f'{name}.py')):
        base = meaning(Config.fromfile(path).to_dict())
        wanted = meaning(config.to_dict())
        if not set(base) - set(wanted):
            parent = f'mmpose_sp::{path.relative_to(configs).as_posix()}'
            return Config(dict(_base_=parent, **differences(base, wanted)))
    return None


def parse_args(argv=None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config')
    parser.add_argument('checkpoint')
    parser.add_argument('out', type=Path, help='path and name of the model, without suffix')
    parser.add_argument('--posterior', type=Path, metavar='PTH', help='of tools/posterior.py')
    args = parser.parse_args(argv)
    args.parser = parser
    return args


def main(argv=None) -> None:
    args = parse_args(argv)
    import torch
    from mmengine.config import Config

    try:
        config = Config.fromfile(args.config)
        model = package(args.config, args.checkpoint, args.posterior)
    except (OSError, ValueError, TypeError) as error:
        args.parser.error(str(error))
    weights, written = Path(f'{args.out}.pth'), Path(f'{args.out}.py')
    with atomic_path(str(weights)) as temporary:
        torch.save(model, temporary)
    with atomic_path(str(written)) as temporary:
        (inheriting(config, Path(args.config).stem) or config).dump(temporary)
    torch.load(weights, weights_only=True)
    parameters = sum(value.numel() for value in model['state_dict'].values())
    print(f'{weights}: {weights.stat().st_size / 1e6:.2f} MB, {parameters / 1e6:.2f} M numbers; config: {written}')


if __name__ == '__main__':
    main()

"""Convert a checkpoint of STAR or ADNet to :class:`AttentiveHourglass`.

SRC is a file with the parameter names of ``ZhenglinZhou/STAR`` (``pre.0.conv.weight``,
``hgs.0.up1...``), for any number of landmarks (98 WFLW, 68 300W, 29 COFW). The number of stacks, of
landmarks and of edges and the edges themselves are read from it. Its skip layers that the network
never uses are dropped. DST is a checkpoint for mmpose, and the model section of a config that goes
with it is printed (or written with --config).

Their networks normalise and rectify the scores (--score-norm instance_relu), decode by the
expectation of the heatmap and put the outermost pixels of the map on the corners of the input
(--grid corners). A network of their shape that was trained on plain scores takes
``--score-norm none``.

Examples:
    python tools/model_converters/star2mmpose.py WFLW_STARLoss.pkl star_wflw.pth
    python tools/model_converters/star2mmpose.py last_model.pkl star_300w.pth --key net_ema --landmarks 68
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import OrderedDict
from pprint import pformat
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional

from mmpose_sp.utils.atomic import atomic_path, write_text

if TYPE_CHECKING:
    from torch import Tensor

    from mmpose_sp.models.backbones import AttentiveHourglass

#: Boundary set of the codec by the number of landmarks; STAR's COFW network has its own.
BOUNDARIES = {98: 'wflw', 68: '300w', 29: 'cofw_star'}

_BOTTLENECK = {
    'bn1': 'layers.0',
    'conv1.conv': 'layers.2',
    'bn2': 'layers.3',
    'conv2.conv': 'layers.5',
    'bn3': 'layers.6',
    'conv3.conv': 'layers.8',
    'skip_layer.conv': 'shortcut',
}
_HOURGLASS = {'up1': 'bypass', 'low1': 'down', 'low2': 'inner', 'low3': 'up'}
_STEM = {'1': 'stem.3', '3': 'stem.5', '4': 'stem.6'}
_PREDICTORS = {
    'out_heatmaps': 'to_scores',
    'out_pointmaps': 'to_points',
    'out_edgemaps': 'to_edges',
    'merge_features': 'merge_features',
    'merge_heatmaps': 'merge_scores',
    'merge_pointmaps': 'merge_points',
    'merge_edgemaps': 'merge_edges',
}


class ConversionError(ValueError):
    """The checkpoint is not of this family, or of another shape; says which key and why."""


def network_state(checkpoint: Any, key: Optional[str] = None) -> Dict[str, Tensor]:
    """The network's parameters in a loaded file, without wrappers' prefixes and counters.

    Args:
        checkpoint: What ``torch.load`` gave: the parameters themselves, or a dict that has them
            under ``key``.
        key: 'net', 'net_ema' or any other; by default the first that is there of 'net',
            'net_ema', 'state_dict', 'model'.

    Raises:
        ConversionError: if there is no such key or no network.
    """
    if not isinstance(checkpoint, Mapping):
        raise ConversionError(
            f'expected a dict of tensors, found {type(checkpoint).__name__}. Save the state_dict() of the network'
        )
    if key is not None:
        if key not in checkpoint:
            raise ConversionError(f'there is no {key!r}; choose --key from {list(checkpoint)[:20]}')
        state = checkpoint[key]
    else:
        nested = [k for k in ('net', 'net_ema', 'state_dict', 'model') if k in checkpoint]
        state = checkpoint[nested[0]] if nested else checkpoint
    # DistributedDataParallel and AveragedModel prefix 'module.'; the latter counts n_averaged.
    state = {re.sub(r'^(module\.)+', '', k): v for k, v in state.items() if k != 'n_averaged'}
    if 'pre.0.conv.weight' not in state or 'out_heatmaps.0.conv.weight' not in state:
        raise ConversionError(
            "'pre.0.conv.weight' or 'out_heatmaps.0.conv.weight' is missing: this is no stacked "
            f'hourglass of STAR or ADNet. Its keys begin with {list(state)[:4]}'
        )
    return state


def backbone_config(state: Mapping[str, Tensor], score_norm: str = 'instance_relu') -> dict:
    """Arguments of :class:`AttentiveHourglass` that fit a reference state.

    Args:
        state: As :func:`network_state` gives it.
        score_norm: Not visible in the parameters: 'instance_relu' or 'none'.
    """

    def count(pattern: str) -> int:
        found = [re.match(pattern, k) for k in state]
        return len({m.group(1) for m in found if m})

    channels = state['out_heatmaps.0.conv.weight'].shape[1]
    num_landmarks = state['out_heatmaps.0.conv.weight'].shape[0]
    num_stacks = count(r'out_heatmaps\.(\d+)\.')
    depth = max(k.count('low2') for k in state if k.startswith('hgs.0.'))
    with_aam = 'e2h_transform.weight' in state
    add_coord = 'hgs.0.coordconv.conv.weight' in state
    boundary = 'none'
    if add_coord and num_stacks > 1:
        extra = state['hgs.1.coordconv.conv.weight'].shape[1] - channels
        boundary = 'last_landmark' if extra == 5 else 'none'
    edges = None
    if with_aam:
        membership = state['e2h_transform.weight'][:, :, 0, 0] > 0
        edges = [column.nonzero().flatten().tolist() for column in membership.T]
    return dict(
        type='AttentiveHourglass', num_landmarks=num_landmarks, edges=edges, num_stacks=num_stacks, channels=channels,
        depth=depth, with_aam=with_aam, add_coord=add_coord, boundary_coords=boundary, score_norm=score_norm,
    )  # fmt: skip


def rename(key: str, add_coord: bool = True) -> Optional[str]:
    """Our name of a reference parameter; None where ours has none (constants)."""
    top, rest = key.split('.', 1)
    if top in _PREDICTORS:
        return _PREDICTORS[top] + '.' + rest.replace('conv.', '', 1)
    if top == 'pre':
        index, rest = rest.split('.', 1)
        if index == '0':
            conv = 'stem.0.conv.' if add_coord else 'stem.0.'
            return rest.replace('conv.', conv, 1) if rest.startswith('conv.') else (rest.replace('bn.', 'stem.1.', 1))
        return f'{_STEM[index]}.{_rename_bottleneck(rest)}'
    if top == 'hgs':
        stack, rest = rest.split('.', 1)
        if rest.startswith('coordconv.'):
            return f'coord_convs.{stack}.{rest[len("coordconv.") :]}'
        parts = ['hourglasses', stack]
        while rest.split('.', 1)[0] in _HOURGLASS:
            level, rest = rest.split('.', 1)
            parts.append(_HOURGLASS[level])
        return '.'.join([*parts, _rename_bottleneck(rest)])
    if top == 'features':
        stack, layer, rest = rest.split('.', 2)
        if layer == '0':
            return f'features.{stack}.0.{_rename_bottleneck(rest)}'
        kind, name = rest.split('.', 1)
        return f'features.{stack}.{ {"conv": 1, "bn": 2}[kind] }.{name}'.replace(' ', '')
    if top == 'e2h_transform':
        return None
    raise KeyError(key)


def _rename_bottleneck(key: str) -> str:
    part, name = key.rsplit('.', 1)
    return f'{_BOTTLENECK[part]}.{name}'


def convert_state(state: Mapping[str, Tensor], backbone: AttentiveHourglass) -> Dict[str, Tensor]:
    """Rename a reference state to that of a backbone that fits it.

    Raises:
        ConversionError: naming every parameter that is unknown, missing or of another shape.
    """
    ours = backbone.state_dict()
    converted, unknown = OrderedDict(), []
    for key, value in state.items():
        try:
            name = rename(key, backbone.add_coord)
        except (KeyError, ValueError):
            unknown.append(key)
            continue
        # The reference builds a skip layer in every block and uses it only where widths change.
        dead = name is not None and '.shortcut.' in name and name not in ours
        if name is None or dead:
            continue
        converted[name] = value
    problems = [f'unknown parameter {k}' for k in unknown]
    problems += [f'no parameter for {k}' for k in ours if k not in converted]
    problems += [f'no place for {k}' for k in converted if k not in ours]
    problems += [
        f'{k} is {tuple(v.shape)} there and {tuple(ours[k].shape)} here'
        for k, v in converted.items()
        if k in ours and v.shape != ours[k].shape
    ]
    if problems:
        shown = '\n  '.join(problems[:12])
        raise ConversionError(f'{len(problems)} parameters do not fit the network:\n  {shown}')
    return converted


def model_config(backbone_cfg: dict, size: int = 256, grid: str = 'corners') -> dict:
    """Model section of a config for a converted checkpoint.

    Args:
        backbone_cfg: Of :func:`backbone_config`.
        size: Side of the network's input in px.
        grid: 'corners' as the reference decodes its maps, or 'centers'.
    """
    heatmaps = backbone_cfg['score_norm'] == 'instance_relu'
    boundaries = BOUNDARIES.get(backbone_cfg['num_landmarks'])
    decoder = dict(type='ImageAwareLabelSmoothing', input_size=(size, size), heatmap_size=(size // 4, size // 4))
    decoder.update(boundaries=boundaries, subpixel='expectation' if heatmaps else 'quadratic', grid=grid)
    if boundaries is None:
        decoder['smoothing'] = 'none'
    return {
        'type': 'TopdownPoseEstimator',
        # The reference reads BGR and scales to [-1, 1].
        'data_preprocessor': dict(type='PoseDataPreprocessor', mean=[127.5] * 3, std=[127.5] * 3, bgr_to_rgb=False),
        'backbone': backbone_cfg,
        'head': {'type': 'AttentiveHourglassHead', 'log_heatmaps': heatmaps, 'decoder': decoder},
        'test_cfg': {'flip_test': False},
    }


def convert(
    checkpoint: Any,
    key: Optional[str] = None,
    landmarks: Optional[int] = None,
    score_norm: str = 'instance_relu',
    grid: str = 'corners',
    size: int = 256,
) -> tuple:
    """Convert a loaded reference checkpoint.

    Args:
        checkpoint: What ``torch.load`` gave.
        key: See :func:`network_state`.
        landmarks: The expected number of landmarks, to be told at once of another dataset.
        score_norm: 'instance_relu' or 'none'.
        grid: See :func:`model_config`.
        size: Side of the network's input in px.

    Returns:
        The checkpoint for mmpose (``state_dict``, ``meta``) and the model's config.

    Raises:
        ConversionError: if the checkpoint does not fit.
    """
    state = network_state(checkpoint, key)
    cfg = backbone_config(state, score_norm)
    if landmarks is not None and cfg['num_landmarks'] != landmarks:
        raise ConversionError(
            f'the checkpoint is for {cfg["num_landmarks"]} landmarks, not {landmarks}: it belongs to another dataset'
        )
    kwargs = {k: v for k, v in cfg.items() if k != 'type'}
    from mmpose_sp.models.backbones import AttentiveHourglass

    converted = convert_state(state, AttentiveHourglass(**kwargs))
    return {
        'state_dict': OrderedDict((f'backbone.{k}', v) for k, v in converted.items()),
        'meta': {'converted_from': 'STAR'},
    }, model_config(cfg, size, grid)


def parse_args(argv: Optional[List[str]] = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('src', metavar='SRC', help='checkpoint with the names of STAR')
    parser.add_argument('dst', metavar='DST', help='checkpoint to write')
    parser.add_argument('--key', help="entry of SRC with the network: 'net', 'net_ema'")
    parser.add_argument('--landmarks', type=int, help='expected number of landmarks')
    parser.add_argument(
        '--score-norm',
        choices=('instance_relu', 'none'),
        default='instance_relu',
        help="what the network does to its scores (default: the reference's)",
    )
    parser.add_argument(
        '--grid',
        choices=('corners', 'centers'),
        default='corners',
        help="how map pixels become input pixels (default: the reference's)",
    )
    parser.add_argument('--input-size', type=int, default=256, help='side of the input in px')
    parser.add_argument('--config', help='also write the model section there (.py)')
    return parser.parse_args(argv)


def main(argv: Optional[List[str]] = None) -> int:
    args = parse_args(argv)
    import torch

    from mmpose_sp.utils.checkpoint_files import check_whole

    try:
        check_whole(args.src)
        checkpoint = torch.load(args.src, map_location='cpu', weights_only=True)
        converted, model = convert(checkpoint, args.key, args.landmarks, args.score_norm, args.grid, args.input_size)
    except ConversionError as error:
        print(f'{args.src}: {error}', file=sys.stderr)
        return 1
    except Exception as error:  # torch.load raises many types for a file it cannot read
        print(
            f'{args.src} cannot be read as a checkpoint of tensors ({type(error).__name__}: '
            f'{str(error).splitlines()[0] if str(error) else ""}). If you trust it, re-save its '
            'network with torch.save(net.state_dict(), ...)',
            file=sys.stderr,
        )
        return 1
    with atomic_path(args.dst) as temporary:
        torch.save(converted, temporary)
    text = f'model = {pformat(model, width=96, compact=True, sort_dicts=False)}\n'
    if args.config:
        write_text(args.config, text)
    print(text, end='')
    return 0


if __name__ == '__main__':
    sys.exit(main())

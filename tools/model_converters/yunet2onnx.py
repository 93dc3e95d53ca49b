"""Convert the face detector inside of libfacedetection's shared library to the ONNX file that OpenCV reads.

The library lies in a package: ``pip install --no-deps yuface`` (BSD 3-clause, Shiqi Yu; Linux, Python up to 3.11). Its
network is YuNet (Wu, Peng and Yu, "YuNet: A Tiny Millisecond-level Face Detector", Machine Intelligence Research 2023)
with the batch normalisation folded in; the weights are symbols of the library. The file has the inputs and outputs that
``cv2.FaceDetectorYN`` wants, and is mmpose_sp/weights/yunet.onnx.

Example:
    python tools/model_converters/yunet2onnx.py mmpose_sp/weights/yunet.onnx
"""

import argparse
import ctypes
from importlib import util
from pathlib import Path
from typing import Any, Dict, List, Optional

import numpy as np

PACKAGE, LIBRARY = 'yuface', 'libfacedetection.so'
BACKBONE = {  # block -> channels of its units, each a 1 x 1 and a depthwise 3 x 3 convolution
    'model1': {'dp1': (16, 16), 'dp2': (16, 32)},
    'model2': {'dp1': (32, 32), 'dp2': (32, 64)},
    **{f'model{i}': {'dp1': (64, 64), 'dp2': (64, 64)} for i in (3, 4, 5)},
}
POOLED = ('model1', 'model3', 'model4', 'model5')  # blocks that see the map before them at half its size
STRIDES = (8, 16, 32)  # of the maps after model3, model4 and model5
HEADS = {'cls': 1, 'obj': 1, 'bbox': 4, 'kps': 10}  # channels


class Builder:
    """Nodes and weights of the graph that grows."""

    def __init__(self, library: Any) -> None:
        self.library = library
        self.nodes: List[Any] = []
        self.weights: Dict[str, np.ndarray] = {}

    def read(self, symbol: str, *shape: int) -> np.ndarray:
        """Floats of the library; a symbol that is not there is a ValueError."""
        return np.array((ctypes.c_float * int(np.prod(shape))).in_dll(self.library, symbol)).reshape(shape)

    def add(self, kind: str, inputs: List[str], output: str, **attributes: Any) -> str:
        from onnx import helper

        self.nodes.append(helper.make_node(kind, inputs, [output], output, **attributes))
        return output

    def conv(self, source: str, name: str, weight: np.ndarray, relu: bool, **attributes: Any) -> str:
        self.weights[f'{name}_weight'] = weight
        self.weights[f'{name}_bias'] = self.read(f'{name}_bias', len(weight))
        inputs = [source, f'{name}_weight', f'{name}_bias']
        found = self.add('Conv', inputs, name, kernel_shape=list(weight.shape[2:]), **attributes)
        return self.add('Relu', [found], f'{name}_relu') if relu else found

    def unit(self, source: str, name: str, inputs: int, outputs: int, relu: bool = True) -> str:
        """A 1 x 1 convolution and a depthwise one of 3 x 3, whose weights lie in the order tap, channel."""
        point = self.read(f'{name}_pw_weight', outputs, inputs)[..., None, None]
        depth = self.read(f'{name}_dw_weight', 3, 3, outputs).transpose(2, 0, 1)[:, None]
        found = self.conv(source, f'{name}_pw', point, relu=False)
        return self.conv(found, f'{name}_dw', depth, relu, group=outputs, pads=[1] * 4)

    def graph(self) -> List[str]:
        """Build the network; returns the names of its outputs, in the order of OpenCV."""
        # the library gathers 3 x 3 x 3 pixels (tap, BGR) in front of a 1 x 1 convolution over 32 channels
        stem = self.read('backbone__model0_pw_weight', 16, 32)[:, :27].reshape(16, 3, 3, 3).transpose(0, 3, 1, 2)
        found = self.conv('input', 'backbone__model0_pw', stem, relu=True, strides=[2, 2], pads=[1] * 4)
        found = self.unit(found, 'backbone__model0_dp', 16, 16)
        maps = []
        for block, units in BACKBONE.items():
            if block in POOLED:
                found = self.add('MaxPool', [found], f'{block}_pool', kernel_shape=[2, 2], strides=[2, 2])
            for unit, channels in units.items():
                found = self.unit(found, f'backbone__{block}_{unit}', *channels)
            maps.append(found)
        levels = maps[-3:]
        self.weights['twice'] = np.array([1, 1, 2, 2], np.float32)
        for i in (2, 1, 0):
            if i < 2:
                doubled = self.add(
                    'Resize',
                    [levels[i + 1], '', 'twice'],
                    f'double{i}',
                    mode='nearest',
                    coordinate_transformation_mode='asymmetric',
                    nearest_mode='floor',
                )
                levels[i] = self.add('Add', [levels[i], doubled], f'add{i}')
            levels[i] = self.unit(levels[i], f'neck__lateral_convs__{i}', 64, 64)
        return [
            self.head(levels[i], head, i, channels) for head, channels in HEADS.items() for i in range(len(STRIDES))
        ]

    def head(self, source: str, head: str, level: int, channels: int) -> str:
        """One number or more for each pixel of a map, as (1, pixels, channels)."""
        found = self.unit(source, f'bbox_head__multi_level_{head}__{level}', 64, channels, relu=False)
        name = f'{head}_{STRIDES[level]}'
        self.weights[f'{head}_shape'] = np.array([1, -1, channels], np.int64)
        found = self.add('Transpose', [found], f'{name}_last', perm=[0, 2, 3, 1])
        logistic = head in ('cls', 'obj')
        found = self.add('Reshape', [found, f'{head}_shape'], f'{name}_flat' if logistic else name)
        return self.add('Sigmoid', [found], name) if logistic else found


def build(library: Path) -> Any:
    """The network of a library, as an ONNX model.

    Raises:
        OSError: The library cannot be loaded.
        ValueError: A weight is not in it.
    """
    from onnx import TensorProto, checker, helper, numpy_helper

    builder = Builder(ctypes.CDLL(str(library)))
    outputs = builder.graph()
    channels = [HEADS[name.split('_')[0]] for name in outputs]
    graph = helper.make_graph(
        builder.nodes,
        'yunet',
        [helper.make_tensor_value_info('input', TensorProto.FLOAT, [1, 3, 'height', 'width'])],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, None, c]) for n, c in zip(outputs, channels)],
        [numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in builder.weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 13)], ir_version=8)
    model.doc_string = 'YuNet of libfacedetection, Copyright (c) Shiqi Yu, BSD 3-clause; see yunet.md'
    checker.check_model(model, full_check=True)
    return model


def installed_library() -> Path:
    """The library in the package.

    Raises:
        FileNotFoundError: The package is not installed.
    """
    package = util.find_spec(PACKAGE)
    if package is None:
        raise FileNotFoundError(f'{PACKAGE} is not installed. Fix: pip install --no-deps {PACKAGE}, or give --library')
    return Path(package.origin).parent / LIBRARY


def main(argv: Optional[List[str]] = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('out', type=Path, help='file to write')
    parser.add_argument('--library', type=Path, help=f'{LIBRARY}; by default that of the package {PACKAGE}')
    args = parser.parse_args(argv)
    try:
        model = build(args.library or installed_library())
    except (OSError, ValueError) as error:
        parser.error(f'{args.library or PACKAGE}: {error}')
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_bytes(model.SerializeToString())
    print(f'wrote {args.out}: {args.out.stat().st_size / 1000:.0f} kB')


if __name__ == '__main__':
    main()

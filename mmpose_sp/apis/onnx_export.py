"""A model as ONNX, from the bytes of a face crop to its landmarks."""

import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any, Dict, Optional, Tuple, Union

import numpy as np
import onnx
import torch
from mmengine.config import Config
from mmengine.utils import digit_version
from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from onnxscript import opset18
from onnxscript.values import Op, Opset
from torch import Tensor, nn

from mmpose_sp.codecs import ImageAwareLabelSmoothing
from mmpose_sp.posterior import landmark_blocks
from mmpose_sp.utils.atomic import atomic_path

OUTPUTS = ('landmarks', 'confidence', 'covariance', 'scores')
JOINED_OUTPUTS = (*OUTPUTS, 'joint_covariance', 'quality', 'sites', 'site_covariance')
OPSET = 18
MIN_SIZE = 32  # of a matrix that is inverted by blocks
CONTRIBUTED = 'com.microsoft'  # domain of onnxruntime's own operators


class CropLandmarker(nn.Module):
    """A model as one function: uint8 BGR crops (B, H, W, 3), as OpenCV has them, to

    - ``landmarks`` (B, K, 2): x, y in px of the crop, the centre of its first pixel at (0, 0),
    - ``confidence`` (B, K) in [0, 1], and ``covariance`` (B, K, 2, 2) in px^2 of the crop; both calibrated if the
      checkpoint stores a calibration,
    - ``scores`` (B, K, h, w), the score maps,
    - where landmarks are joined, ``joint_covariance`` (B, 2K, 2K) and ``quality`` (B,), and what was joined, each
      landmark alone: ``sites`` (B, K, 2) and ``site_covariance`` (B, K, 2, 2).

    Args:
        model: Of ``load_model``.
        flip_test: Average the scores with those of the mirrored crop.
        joint: 'off', 'prior' or 'offset'; by default what the checkpoint stores, see :class:`FaceLandmarker`.

    Raises:
        ValueError: The model does not decode scores, or landmarks cannot be joined so.
    """

    def __init__(self, model: nn.Module, flip_test: bool = False, joint: Optional[str] = None) -> None:
        super().__init__()
        codec = getattr(model.head, 'decoder', None)
        if not isinstance(codec, ImageAwareLabelSmoothing):
            raise ValueError(
                f'the head of this model decodes with {type(codec).__name__}; only models of scores '
                '(ImageAwareLabelSmoothing) can be exported'
            )
        self.backbone, self.head = model.backbone, model.head
        self.neck = model.neck if model.with_neck else nn.Identity()
        self.codec = codec
        self.joint = self.head.joint_of(joint)
        self.flip_test = flip_test
        preprocessor = model.data_preprocessor
        self.to_rgb = preprocessor._channel_conversion
        self.register_buffer('mean', preprocessor.mean.clone())
        self.register_buffer('std', preprocessor.std.clone())
        self.register_buffer('mirrored', torch.tensor(model.dataset_meta['flip_indices']))

    @property
    def outputs(self) -> Tuple[str, ...]:
        """The names of what :meth:`forward` gives."""
        return OUTPUTS if self.joint == 'off' else JOINED_OUTPUTS

    def forward(self, crops: Tensor) -> Tuple[Tensor, ...]:
        # rows in one: else onnxruntime moves the transposition behind the arithmetic, which is eight times slower there
        images = crops.permute(0, 3, 1, 2).flatten(2).float()
        if self.to_rgb:
            images = images.flip(1)
        images = ((images - self.mean.flatten(1)) / self.std.flatten(1)).unflatten(2, crops.shape[1:3])
        scores = self._scores(images)
        if self.flip_test:
            scores = self.head.average(scores, self._scores(images.flip(-1)).flip(-1)[:, self.mirrored])
        sites, confidence, covariance = self.codec.decode_sites(scores)
        if self.joint == 'off':
            return sites, confidence, covariance, scores
        joined = self.head.posterior(sites, covariance, self.joint)
        blocks, quality = landmark_blocks(joined.covariance), self.head.posterior.quality(joined)
        return joined.points, confidence, blocks, scores, joined.covariance, quality, sites, covariance

    def _scores(self, images: Tensor) -> Tensor:
        return self.head(self.neck(self.backbone(images)))


def metadata(
    config: Config, model: nn.Module, landmarker: CropLandmarker, checkpoint: Union[str, Path]
) -> Dict[str, Any]:
    """What a program needs to know to cut the faces out, to name the landmarks, and where they come from.

    Raises:
        ValueError: The test pipeline cuts faces out otherwise than by mmpose's ``GetBBoxCenterScale``, whose padding
            would not say how.
    """
    steps = [step for step in config.test_dataloader.dataset.pipeline if step['type'] == 'GetBBoxCenterScale']
    if not steps:
        raise ValueError(
            'the test pipeline of this config has no GetBBoxCenterScale: how it cuts faces out cannot be '
            'told to the programs that use the file'
        )
    codec, posterior = model.head.decoder, model.head.posterior
    joined = 0.0 if posterior is None else float(posterior.spread[2])
    names = model.dataset_meta.get('keypoint_id2name') or {}
    return dict(
        input_size=list(codec.input_size),
        heatmap_size=list(codec.heatmap_size),
        grid=codec.grid,
        box_padding=steps[0].get('padding', 1.25),
        dataset=model.dataset_meta['dataset_name'],
        flip_test=landmarker.flip_test,
        joint=landmarker.joint,
        tail_weights=dict(off=codec.calibration.tail_weight, joined=joined),
        checkpoint_sha256=hashlib.sha256(Path(checkpoint).read_bytes()).hexdigest(),
        landmark_names=[names.get(index, str(index)) for index in range(model.dataset_meta['num_keypoints'])],
    )


def _inverse(matrix: Any, size: int, halvings: int) -> Any:
    """Of symmetric positive definite matrices (B, size, size), by the inverses of blocks of size / 2^halvings: all else
    are products, at which onnxruntime is much quicker (four times, with one of 136 x 136 in float64). The error grows
    with the square of their condition, which is below 10^8 where landmarks are joined."""
    if halvings == 0:
        return _contributed_inverse(matrix)
    ops, half = opset18, size // 2
    corner, side, opposite = (
        ops.Slice(matrix, [row, column], [bottom, right], [1, 2])
        for row, bottom, column, right in ((0, half, 0, half), (0, half, half, size), (half, size, half, size))
    )
    corner = _inverse(corner, half, halvings - 1)
    ratio = ops.MatMul(corner, side)
    complement = ops.Sub(opposite, ops.MatMul(ops.Transpose(side, perm=[0, 2, 1]), ratio))  # Schur's
    opposite = _inverse(complement, size - half, halvings - 1)
    side = ops.Neg(ops.MatMul(ratio, opposite))
    corner = ops.Sub(corner, ops.MatMul(side, ops.Transpose(ratio, perm=[0, 2, 1])))
    lower = ops.Concat(ops.Transpose(side, perm=[0, 2, 1]), opposite, axis=2)
    return ops.Concat(ops.Concat(corner, side, axis=2), lower, axis=1)


def _contributed_inverse(matrix: Any) -> Any:
    """ONNX has no operator that solves or inverts; onnxruntime brings one, on all of its platforms."""
    parameter = onnx.defs.OpSchema.FormalParameter
    types = [('T', ['tensor(float)', 'tensor(double)'], '')]
    schema = onnx.defs.OpSchema(
        'Inverse', CONTRIBUTED, 1, inputs=[parameter('X', 'T')], outputs=[parameter('Y', 'T')], type_constraints=types
    )
    return Op(Opset(CONTRIBUTED, 1), 'Inverse', schema)(matrix)


def _blockwise_inverse(matrix: Any) -> Any:
    size = matrix.shape[-1]
    blocks = len(matrix.shape) == 3 and isinstance(size, int) and size >= MIN_SIZE
    return _inverse(matrix, size, halvings=2) if blocks else _contributed_inverse(matrix)


def _inverse_and_info(matrix: Any, check_errors: bool = False) -> Tuple[Any, Any]:
    return _blockwise_inverse(matrix), opset18.Constant(value_int=0)


#: How operators of torch that ONNX lacks are written. What is inverted has to be symmetric positive definite, as all is
#: that mmpose_sp inverts (:func:`mmpose_sp.posterior.joint.join`).
TRANSLATIONS = {
    torch.ops.aten.linalg_inv.default: _blockwise_inverse,
    torch.ops.aten.linalg_inv_ex.default: _inverse_and_info,
}


def export(landmarker: CropLandmarker, path: str, notes: Dict[str, Any]) -> None:
    """Write the model, checked, with ``notes`` as its metadata (JSON values); the file appears complete or not at all.

    Raises:
        RuntimeError: torch is older than 2.5, whose exporter this needs.
    """
    if digit_version(torch.__version__) < digit_version('2.5'):
        raise RuntimeError(f'the export needs torch 2.5 or newer, this is {torch.__version__}')
    width, height = landmarker.codec.input_size
    example = torch.zeros(2, height, width, 3, dtype=torch.uint8)
    program = torch.onnx.export(
        landmarker.eval(),
        (example,),
        dynamo=True,
        opset_version=OPSET,
        input_names=['crops'],
        output_names=list(landmarker.outputs),
        custom_translation_table=TRANSLATIONS,
        dynamic_shapes={'crops': {0: torch.export.Dim('batch')}},
        verbose=False,
    )
    model = program.model_proto
    for key, value in notes.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, json.dumps(value)
    shrink(model.graph)
    onnx.checker.check_model(model, full_check=True)
    with atomic_path(path) as temporary:
        onnx.save(model, temporary)


class _Crops(CalibrationDataReader):
    def __init__(self, crops: np.ndarray) -> None:
        self._feeds = iter([{'crops': crop[None]} for crop in crops])

    def get_next(self) -> Optional[Dict[str, np.ndarray]]:
        return next(self._feeds, None)


def quantise(path: str, crops: np.ndarray) -> None:
    """Let the convolutions of an exported model compute with 8-bit integers, in place; everything else stays as it is.

    Args:
        path: What :func:`export` wrote; it is replaced as a whole.
        crops: (N, H, W, 3) uint8 faces as ``crops`` of the model, whose activations tell the ranges: a hundred of the
            training set are enough.
    """
    notes = onnx.load(path).metadata_props
    with tempfile.TemporaryDirectory() as folder:
        folded, small = (str(Path(folder) / name) for name in ('folded.onnx', 'int8.onnx'))
        quant_pre_process(path, folded, skip_symbolic_shape=True)  # batch normalisation into the convolutions
        kinds = dict(activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, per_channel=True)
        quantize_static(folded, small, _Crops(crops), op_types_to_quantize=['Conv'], **kinds)
        model = onnx.load(small)
    del model.metadata_props[:]
    model.metadata_props.extend(notes)
    with atomic_path(path) as temporary:
        onnx.save(model, temporary)


def shrink(graph: onnx.GraphProto) -> None:
    """Store the float32 weights that float16 holds without loss, such as those of package_model.py, as float16.

    They are cast back when a session is made: half the file, the same numbers. What the exporter notes about where each
    node comes from (a fifth of the file, with the paths of this machine) is left out.
    """
    casts = []
    for tensor in graph.initializer:
        values = onnx.numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < 64:
            continue
        half = values.astype(np.float16)
        if (half == values).all():
            name, stored = tensor.name, f'{tensor.name}_half'
            tensor.CopyFrom(onnx.numpy_helper.from_array(half, stored))
            casts.append(onnx.helper.make_node('Cast', [stored], [name], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:], graph.value_info[:]
    graph.node.extend(nodes)
    for part in (*graph.node, *graph.initializer, *graph.input, *graph.output):
        del part.metadata_props[:]
        part.doc_string = ''

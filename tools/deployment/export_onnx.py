"""Export a model to ONNX, from the bytes of a face crop to its landmarks.

    python tools/deployment/export_onnx.py CONFIG CHECKPOINT OUT.onnx --flip-test

One input, any number of crops; three outputs (see :class:`CropLandmarker`). Normalisation, network, decoding and, on
demand, the flip test are inside of the graph: what is left to the program around it is to cut the faces out, as
onnx_example.py does in a few lines. The size of the crop, the padding of the face box and more are in the metadata of
the file.
"""

import argparse
import json
from pathlib import Path
from typing import Any, Dict, Optional, Sequence, Tuple

import onnx
import torch
from mmengine.config import Config, DictAction
from mmengine.utils import digit_version
from torch import Tensor, nn

from mmpose_sp.apis.model_loading import load_config, load_model
from mmpose_sp.codecs import ImageAwareLabelSmoothing, decode_scores
from mmpose_sp.codecs.calibration import Calibration, read_posterior
from mmpose_sp.utils.atomic import atomic_path

OUTPUTS = ('landmarks', 'confidence', 'covariance')
OPSET = 18


class CropLandmarker(nn.Module):
    """A model as one function: uint8 BGR crops (B, H, W, 3), as OpenCV has them, to

    - ``landmarks`` (B, K, 2): x, y in px of the crop, the centre of its first pixel at (0, 0),
    - ``confidence`` (B, K) in [0, 1], and ``covariance`` (B, K, 2, 2) in px^2 of the crop; both calibrated if the
      checkpoint stores a calibration.

    Args:
        model: Of ``load_model``.
        flip_test: Average the scores with those of the mirrored crop.
        calibration: Of the model; by default what its checkpoint stores.

    Raises:
        ValueError: The model does not decode scores.
    """

    def __init__(self, model: nn.Module, flip_test: bool = False, calibration: Optional[Calibration] = None) -> None:
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
        self.calibration = Calibration.from_meta(model.checkpoint_meta) if calibration is None else calibration
        self.flip_test = flip_test
        preprocessor = model.data_preprocessor
        self.to_rgb = preprocessor._channel_conversion
        self.register_buffer('mean', preprocessor.mean.clone())
        self.register_buffer('std', preprocessor.std.clone())
        self.register_buffer('mirrored', torch.tensor(model.dataset_meta['flip_indices']))
        self.register_buffer('stride', torch.tensor(codec.map_grid.stride))

    def forward(self, crops: Tensor) -> Tuple[Tensor, Tensor, Tensor]:
        images = crops.permute(0, 3, 1, 2).float()
        if self.to_rgb:
            images = images.flip(1)
        images = (images - self.mean) / self.std
        scores = self._scores(images)
        if self.flip_test:
            scores = (scores + self._scores(images.flip(-1)).flip(-1)[:, self.mirrored]) * 0.5
        coords, _ = decode_scores(scores, self.codec.subpixel, self.codec.eps)
        confidence, covariance = read_posterior(scores, self.codec.eps, self.calibration)
        return (
            torch.stack(self.codec.map_grid.to_input(*coords.unbind(-1)), dim=-1),
            confidence,
            covariance * (self.stride[:, None] * self.stride[None, :]),
        )

    def _scores(self, images: Tensor) -> Tensor:
        return self.head(self.neck(self.backbone(images)))


def metadata(config: Config, model: nn.Module, flip_test: bool) -> Dict[str, Any]:
    """What a program needs to know to cut the faces out and to name the landmarks.

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
    names = model.dataset_meta.get('keypoint_id2name') or {}
    return dict(
        input_size=list(model.head.decoder.input_size),
        box_padding=steps[0].get('padding', 1.25),
        dataset=model.dataset_meta['dataset_name'],
        flip_test=flip_test,
        landmark_names=[names.get(index, str(index)) for index in range(model.dataset_meta['num_keypoints'])],
    )


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
        output_names=list(OUTPUTS),
        dynamic_shapes={'crops': {0: torch.export.Dim('batch')}},
        verbose=False,
    )
    model = program.model_proto
    for key, value in notes.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, json.dumps(value)
    onnx.checker.check_model(model, full_check=True)
    with atomic_path(path) as temporary:
        onnx.save(model, temporary)


def parse_args(argv: Optional[Sequence[str]] = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config')
    parser.add_argument('checkpoint')
    parser.add_argument('out', help='file to write, .onnx')
    parser.add_argument(
        '--flip-test', action='store_true', help='average with the mirrored crop: a little more accurate, half as fast'
    )
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, help='changes of the config, as key=value')
    args = parser.parse_args(argv)
    if not args.out.endswith('.onnx'):
        parser.error(f'{args.out}: name the file .onnx')
    args.parser = parser
    return args


def main(argv: Optional[Sequence[str]] = None) -> None:
    args = parse_args(argv)
    try:
        config = load_config(args.config, args.cfg_options)
        model = load_model(config, args.checkpoint, 'cpu')
        landmarker = CropLandmarker(model, args.flip_test)
        notes = metadata(config, model, args.flip_test)
    except (OSError, ValueError, TypeError) as error:
        args.parser.error(str(error))
    export(landmarker, args.out, notes)
    print(f'written: {args.out}, {Path(args.out).stat().st_size / 1e6:.2f} MB')


if __name__ == '__main__':
    main()

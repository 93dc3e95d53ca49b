"""Ways to run a packaged model without torch: accuracy beside time, boxes given, on one thread.

    python tools/analysis_tools/benchmark_onnx.py FOLDER_OF_300W [--names LIST]

Prints Markdown: error on the faces of the list (the 217 test faces), and CPU ms a face of onnxruntime, from the crop to
landmarks, confidences and covariances; the least of five rounds over twenty crops, the ways taking turns.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Sequence

import numpy as np
from tqdm import tqdm

if TYPE_CHECKING:
    from mmpose_sp.runtime import Landmarker

LISTS = Path(__file__).resolve().parents[1] / 'dataset_converters' / '300w_part'
ROUNDS, CROPS = 5, 20


def parse_args(argv: Optional[List[str]] = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('data', type=Path, help='folder in the layout of 300-W')
    parser.add_argument('--names', default=str(LISTS / 'test.txt'), help='list of faces (default: the 217 test faces)')
    return parser.parse_args(argv)


def one_pass(folder: str) -> str:
    """The fast model exported without flip test."""
    from mmpose_sp.apis.model_loading import load_config, load_model
    from mmpose_sp.apis.onnx_export import CropLandmarker, export, metadata
    from mmpose_sp.apis.packaged import packaged_model

    config, weights = packaged_model()
    model = load_model(load_config(config), weights, 'cpu')
    landmarker = CropLandmarker(model)
    path = str(Path(folder) / 'one_pass.onnx')
    export(landmarker, path, metadata(load_config(config), model, landmarker, weights))
    return path


def crop_times(ways: Dict[str, Landmarker], crops: Sequence[Any]) -> Dict[str, float]:
    """CPU ms a face, by way."""
    spent: Dict[str, List[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            start = time.process_time()
            for crop in crops:
                way.answers(crop.pixels[None])
            spent[name].append(time.process_time() - start)
    return {name: 1e3 * min(values) / len(crops) for name, values in spent.items()}


def main(argv: Optional[List[str]] = None) -> None:
    args = parse_args(argv)
    import onnxruntime

    from mmpose_sp.apis.packaged import packaged_onnx
    from mmpose_sp.evaluation.scores import failure_rate
    from mmpose_sp.peers.measure import errors_of
    from mmpose_sp.peers.photos import names_of, read_photos
    from mmpose_sp.runtime import Landmarker

    onnxruntime.set_default_logger_severity(3)
    photos = list(read_photos(args.data, names_of(args.data, args.names)))
    with tempfile.TemporaryDirectory() as folder:
        files = {'flip test': packaged_onnx(), 'one pass': one_pass(folder), 'one pass, int8': packaged_onnx(int8=True)}
        ways = {
            f'{name}{", each landmark alone" if joint == "off" else ""}': Landmarker(
                file, joint=joint, refine=0, min_confidence=0, threads=1
            )
            for name, file in files.items()
            for joint in (None, 'off')
        }
        errors = {}
        for name, way in ways.items():
            results = [way(photo.image, bboxes=photo.box[None])[0] for photo in tqdm(photos, desc=name)]
            errors[name] = errors_of(np.array([result.faces[0].landmarks for result in results]), photos)
        crops = [way._crop(photo.image, np.append(photo.box, 1), photo.name) for photo in photos[:CROPS]]
        spent = crop_times(ways, crops)
    print('| Fast model | NME | FR | CPU ms |\n|:--|:-:|:-:|:-:|')
    for name, values in errors.items():
        print(f'| {name} | {values.mean():.3f} | {failure_rate(values, 5.0):.2f} | {spent[name]:.1f} |')


if __name__ == '__main__':
    main()

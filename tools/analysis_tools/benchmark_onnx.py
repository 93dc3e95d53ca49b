"""Ways to run the fast packaged model: accuracy beside time, on one thread.

    python tools/analysis_tools/benchmark_onnx.py FOLDER_OF_300W [--names LIST]

Prints Markdown: error on the faces of the list (the 217 test faces) and CPU ms a face, of each of twenty faces the
least of five rounds, then the median. First with boxes given, where only onnxruntime counts, from the crop to
landmarks, confidences and covariances; then from the photograph, with the detector, by PyTorch as well. Training faces
give the ranges of the 8-bit file that is made here.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Dict, List, Optional, Sequence

import numpy as np
from tqdm import tqdm

if TYPE_CHECKING:
    from mmpose_sp.peers.photos import Photo
    from mmpose_sp.runtime import Landmarker

LISTS = Path(__file__).resolve().parents[1] / 'dataset_converters' / '300w_part'
THRESHOLD = 5.0  # percent, of FR


def parse_args(argv: Optional[List[str]] = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('data', type=Path, help='folder in the layout of 300-W')
    parser.add_argument('--names', default=str(LISTS / 'test.txt'), help='list of faces (default: the 217 test faces)')
    return parser.parse_args(argv)


def one_pass(folder: str, joint: Optional[str] = None) -> str:
    """The fast model exported without flip test."""
    from mmpose_sp.apis.model_loading import load_config, load_model
    from mmpose_sp.apis.onnx_export import CropLandmarker, export, metadata
    from mmpose_sp.apis.packaged import packaged_model

    config, weights = packaged_model()
    model = load_model(load_config(config), weights, 'cpu')
    landmarker = CropLandmarker(model, joint=joint)
    path = str(Path(folder) / f'one_pass_{joint}.onnx')
    export(landmarker, path, metadata(load_config(config), model, landmarker, weights))
    return path


def crop_of(way: Landmarker, photo: Photo) -> np.ndarray:
    """(H, W, 3) px that the network sees."""
    return way._crop(photo.image, np.append(photo.box, 1), photo.name).pixels


def in_boxes(way: Landmarker, photos: Sequence[Photo]) -> np.ndarray:
    """(N, 68, 2) px, with the annotated boxes."""
    return np.array([way(photo.image, bboxes=photo.box[None])[0].faces[0].landmarks for photo in photos])


def print_table(title: str, errors: Dict[str, np.ndarray], spent: Dict[str, float]) -> None:
    """Rows of NME over the faces that are found, FR over all, and time."""
    print(f'\n| {title} | Found | NME | FR | CPU ms |\n|:--|:-:|:-:|:-:|:-:|')
    for name, values in errors.items():
        seen = values[np.isfinite(values)]
        failures = 100 * (values > THRESHOLD).mean()
        print(f'| {name} | {len(seen)} | {seen.mean():.3f} | {failures:.2f} | {spent[name]:.1f} |')


def main(argv: Optional[List[str]] = None) -> None:
    args = parse_args(argv)
    import onnxruntime
    import torch

    from mmpose_sp.apis import FaceLandmarker
    from mmpose_sp.apis.onnx_export import quantise
    from mmpose_sp.apis.packaged import packaged_onnx
    from mmpose_sp.apis.yunet import YuNetFaceDetector, yunet_mapping
    from mmpose_sp.peers.measure import TIMED, errors_of, landmarks_of, time_of
    from mmpose_sp.peers.photos import names_of, read_photos
    from mmpose_sp.peers.systems import timed
    from mmpose_sp.runtime import Landmarker

    onnxruntime.set_default_logger_severity(3)
    torch.set_num_threads(1)
    photos = list(read_photos(args.data, names_of(args.data, args.names)))
    with tempfile.TemporaryDirectory() as folder:
        alone, small = one_pass(folder, 'off'), str(Path(folder) / 'int8.onnx')
        training = read_photos(args.data, names_of(args.data, str(LISTS / 'train.txt'))[::9])
        cutter = Landmarker(alone, threads=1)
        shutil.copy(alone, small)
        quantise(small, np.stack([crop_of(cutter, photo) for photo in training]))
        files = {
            'flip test': packaged_onnx(),
            'one pass': one_pass(folder),
            'one pass, `--joint off`': alone,
            'one pass, int8': packaged_onnx(int8=True),
            'one pass, int8, `--joint off`': small,
        }
        boxed = {name: Landmarker(file, refine=0, min_confidence=0, threads=1) for name, file in files.items()}
        coarse = YuNetFaceDetector(yunet_mapping('300w'), max_side=320, threads=1)
        fine = YuNetFaceDetector(yunet_mapping('300w'), threads=1)
        whole = {
            'flip test, cropped again (the default)': Landmarker(files['flip test'], fine, threads=1),
            'flip test': Landmarker(files['flip test'], fine, refine=0, threads=1),
            'one pass, int8': Landmarker(files['one pass, int8'], fine, refine=0, threads=1),
            'one pass, int8, faces searched at 320 px': Landmarker(
                files['one pass, int8'], coarse, refine=0, threads=1
            ),
            'the same, `--joint off`': Landmarker(small, coarse, refine=0, threads=1),
            'PyTorch, cropped again (the default)': FaceLandmarker.from_packaged(device='cpu', detector=fine),
            'PyTorch': FaceLandmarker.from_packaged(device='cpu', detector=fine, refine=0),
        }
    errors, spent = {}, {}
    for name, way in tqdm(boxed.items(), desc='boxes given'):
        errors[name] = errors_of(in_boxes(way, photos), photos)
        spent[name] = time_of(partial(timed, way.answers), [crop_of(way, photo)[None] for photo in photos[:TIMED]])
    print_table('Boxes given', errors, spent)
    errors, spent = {}, {}
    for name, way in tqdm(whole.items(), desc='photographs'):
        found = landmarks_of(lambda image, way=way: [face.landmarks for face in way(image)[0].faces], photos)
        errors[name] = errors_of(found, photos)
        spent[name] = time_of(partial(timed, way), [photo.image for photo in photos])
    print_table('From the photograph', errors, spent)


if __name__ == '__main__':
    main()

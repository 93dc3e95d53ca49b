"""What is measured: score maps with labels, synthetic faces, networks."""

from pathlib import Path
from typing import Dict, List, NamedTuple

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from mmpose.registry import MODELS
from torch import Tensor

import mmpose_sp  # noqa: F401  registers everything
from mmpose_sp.datasets.face import SPWFLWDataset
from mmpose_sp.datasets.synthetic import render_face

CONFIGS = Path(__file__).resolve().parents[2] / 'configs' / 'face_2d_keypoint' / 'topdown_heatmap' / 'wflw'
OURS = 'td-hm_hrnetv2-w18_sp-8xb64-60e_wflw-256x256.py'
STOCK = 'td-hm_hrnetv2-w18_msra-8xb64-60e_wflw-256x256.py'
# Sub-keys of the dataset's meta information that the transforms read
META = (
    'dataset_name',
    'upper_body_ids',
    'lower_body_ids',
    'flip_pairs',
    'dataset_keypoint_weights',
    'flip_indices',
    'skeleton_links',
)


class ScoreProblem(NamedTuple):
    """Scores (B, K, h, w), labels (B, K, 2), weights (B, K), covariances (B, K, 2, 2) as the codec gives them."""

    scores: Tensor
    labels: Tensor
    weights: Tensor
    covariances: Tensor


def score_problem(device: torch.device, batch: int = 8, count: int = 98, size: int = 64) -> ScoreProblem:
    """Random scores and labels; labels deviate by 0.12 px, as at gamma 0.01."""
    random = torch.Generator().manual_seed(0)
    scores = torch.randn(batch, count, size, size, generator=random).to(device).requires_grad_()
    labels = torch.rand(batch, count, 2, generator=random).mul_(size - 8).add_(3.5).to(device)
    covariances = (0.12**2 * torch.eye(2, device=device)).repeat(batch, count, 1, 1)
    return ScoreProblem(scores, labels, labels.new_ones(batch, count), covariances)


def face_landmarks(layout: str, count: int) -> List[np.ndarray]:
    """Landmarks (1, K, 2) of rendered faces in px of a 256 x 256 input."""
    random = np.random.default_rng(0)
    return [render_face(random, 256).landmarks[layout][None].astype(np.float32) for _ in range(count)]


def face_records(folder: Path, count: int, side: int) -> List[dict]:
    """Faces of WFLW's layout as JPEG files, and what a dataset gives the pipeline for them.

    Args:
        side: of the picture in px; the face fills the middle 256 px of it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    meta = parse_pose_metainfo(SPWFLWDataset.METAINFO)
    records = []
    for i in range(count):
        face = render_face(random, 256)
        offset = (side - 256) // 2
        # the rest of the picture is the face's own background, with the texture that makes photographs large files
        picture = cv2.copyMakeBorder(face.image, *[offset] * 4, cv2.BORDER_REFLECT_101)
        path = folder / f'{side}_{i}.jpg'
        cv2.imwrite(str(path), picture)
        landmarks = face.landmarks['wflw'].astype(np.float32) + offset
        records.append(
            {
                'img_path': str(path),
                'img_id': i,
                'id': i,
                'bbox_score': np.ones(1, np.float32),
                'bbox': np.concatenate([landmarks.min(0), landmarks.max(0)])[None],
                'keypoints': landmarks[None],
                'keypoints_visible': np.ones((1, 98), np.float32),
                **{key: meta[key] for key in META},
            }
        )
    return records


def load_configs() -> Dict[str, Config]:
    """Of HRNetV2-W18 with our head, and with mmpose's own; the flip test and the accuracy are off in both."""
    configs = {'ours': Config.fromfile(CONFIGS / OURS), 'stock': Config.fromfile(CONFIGS / STOCK)}
    init_default_scope('mmpose')
    for config in configs.values():
        config.model.backbone.init_cfg = None
        config.model.train_cfg = {'compute_acc': False}
        config.model.test_cfg.flip_test = False
    return configs


def build_models(context, configs: Dict[str, Config]) -> Dict[str, torch.nn.Module]:
    """Networks of these configs, with the random weights that layers are born with."""
    torch.manual_seed(0)
    return {name: MODELS.build(config.model).to(context.device) for name, config in configs.items()}

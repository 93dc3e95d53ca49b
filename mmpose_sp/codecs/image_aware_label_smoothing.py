"""The codec of the paper: labels with their annotation uncertainty in, landmarks with a confidence out."""
from typing import List, Optional, Tuple

import numpy as np
import torch
from mmpose.codecs.base import BaseKeypointCodec
from mmpose.registry import KEYPOINT_CODECS
from torch import Tensor

from .decoding import decode_scores

SMOOTHING = ('image_aware', 'isotropic', 'none')


@KEYPOINT_CODECS.register_module()
class ImageAwareLabelSmoothing(BaseKeypointCodec):
    label_mapping_table = dict(
        keypoint_labels='keypoint_labels',
        keypoint_weights='keypoint_weights',
        label_covariances='label_covariances')

    def __init__(self,
                 input_size: Tuple[int, int],
                 heatmap_size: Tuple[int, int],
                 boundaries='wflw',
                 smoothing: str = 'image_aware',
                 gamma: float = 0.01,
                 edge_weight: float = 0.01,
                 gaussian_kernel: int = 5,
                 patch_radius: int = 4,
                 blur_kernel: int = 9,
                 sharpness: float = 5.,
                 edge_maps: bool = False,
                 subpixel: str = 'quadratic',
                 eps: float = 1.) -> None:
        super().__init__()
        self.input_size = tuple(input_size)
        self.heatmap_size = tuple(heatmap_size)
        self.smoothing = smoothing
        self.subpixel = subpixel
        self.eps = eps
        self.scale_factor = (np.array(self.input_size) / self.heatmap_size).astype(np.float32)

    def encode(self, keypoints: np.ndarray, keypoints_visible: Optional[np.ndarray] = None) -> dict:
        if keypoints_visible is None:
            keypoints_visible = np.ones(keypoints.shape[:2], dtype=np.float32)
        labels = ((keypoints + 0.5) / self.scale_factor - 0.5).astype(np.float32)
        size = np.array(self.heatmap_size)
        inside = ((labels >= -0.5) & (labels <= size - 0.5)).all(axis=-1)
        weights = (keypoints_visible * inside).astype(np.float32)
        covariances = np.zeros((*labels.shape, 2), dtype=np.float32)
        return dict(keypoint_labels=labels, keypoint_weights=weights, label_covariances=covariances)

    def decode(self, encoded: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
        keypoints, scores = self.batch_decode(torch.from_numpy(encoded)[None])
        return keypoints[0], scores[0]

    def batch_decode(self, batch_scores: Tensor) -> Tuple[List[np.ndarray], List[np.ndarray]]:
        coords, confidence = decode_scores(batch_scores, self.subpixel, self.eps)
        keypoints = (coords.cpu().numpy() + 0.5) * self.scale_factor - 0.5
        scores = confidence.cpu().numpy()
        return [k[None] for k in keypoints], [s[None] for s in scores]

"""What a model says of all faces of a dataloader, beside their annotations."""

from typing import Any, Dict, NamedTuple, Optional

import numpy as np
import torch
from torch import Tensor, nn

from mmpose_sp.codecs import ImageAwareLabelSmoothing
from mmpose_sp.evaluation.joining import Faces
from mmpose_sp.evaluation.scores import face_normaliser
from mmpose_sp.faces import find_scheme, invert, transform_points
from mmpose_sp.posterior import Calibration, read_sites

from .crops import grid_of, heatmap_to_image
from .predicted_samples import counted_landmarks, predicted_samples


class Collected(NamedTuple):
    """A set of N faces of K landmarks, heatmap px (input px of a codec without maps).

    Attributes:
        scores: (N, K, h, w) maps; None where they were read at once, or where the model has none.
        covariances: (N, K, 2, 2), calibrated, in place of the scores; or None.
        labels, predictions: (N, K, 2), float32.
        counted: (N, K) bool, the annotated landmarks.
        confidence: (N, K), as the model says.
        eps: Temperature of the posterior.
    """

    scores: Optional[Tensor]
    covariances: Optional[Tensor]
    labels: Tensor
    predictions: Tensor
    counted: np.ndarray
    confidence: np.ndarray
    eps: float

    def faces(self, model: nn.Module, calibration: Optional[Calibration]) -> Faces:
        """The same in input px, with calibrated covariances; without any where there is no posterior (no
        calibration)."""
        grid = grid_of(model.head.decoder)
        points, labels = (
            torch.stack(grid.to_input(*values.double().unbind(-1)), dim=-1)
            for values in (self.predictions, self.labels)
        )
        covariances = self.covariances
        if calibration is not None and covariances is None:
            covariances = read_sites(self.scores, 'none', self.eps, calibration).covariance
        if covariances is not None:
            stride = torch.tensor(grid.stride, dtype=torch.float64)
            covariances = covariances.double() * stride[:, None] * stride
        scheme = find_scheme(model.dataset_meta['dataset_name'])
        norm = face_normaliser(labels.numpy(), scheme, self.counted)
        return Faces(points, covariances, labels, self.counted, norm, self.confidence)


def has_posterior(model: nn.Module) -> bool:
    """Whether the maps of a model are log-probabilities, by the codec that reads them."""
    return isinstance(model.head.decoder, ImageAwareLabelSmoothing)


def collect(
    model: nn.Module, loader: Dict[str, Any], name: str, calibration: Optional[Calibration] = None
) -> Collected:
    """Run a model on the faces of a dataloader.

    Args:
        model: Ours with ``test_cfg.output_heatmaps``, any top-down one of mmpose's without a posterior.
        loader: Config.
        name: Of the split, for the bar.
        calibration: With it the maps are read at once and not kept.
    """
    scores, covariances, labels, predictions, counted, confidence = [], [], [], [], [], []
    eps = getattr(model.head.decoder, 'eps', 1.0)
    for sample in predicted_samples(model, loader, name):
        matrix = heatmap_to_image(model.head.decoder, sample.input_center, sample.input_scale, sample.input_size)
        for target, faces in ((labels, sample.gt_instances), (predictions, sample.pred_instances)):
            target.append(transform_points(faces.keypoints[0], invert(matrix)))
        counted.append(counted_landmarks(sample))
        confidence.append(sample.pred_instances.keypoint_scores[0])
        maps = sample.pred_fields.heatmaps.cpu() if 'pred_fields' in sample else None
        if maps is not None and calibration is None:
            scores.append(maps)
        elif maps is not None:
            covariances.append(read_sites(maps[None], 'none', eps, calibration).covariance[0])
    maps, spreads = (torch.stack(values) if values else None for values in (scores, covariances))
    truths, found = (torch.from_numpy(np.stack(values)).float() for values in (labels, predictions))
    return Collected(maps, spreads, truths, found, np.stack(counted), np.stack(confidence), eps)

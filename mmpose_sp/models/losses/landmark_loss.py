"""What every loss on a landmark shares: input checks, label smoothing, weights, normalisation."""

from typing import Optional

import torch
from mmengine.dist import get_rank, get_world_size
from torch import Tensor, nn

from mmpose_sp.structured import sample_labels
from mmpose_sp.structured.grid import compute_dtype
from mmpose_sp.structured.label_checks import check_covariances, check_labels, check_weights


class LandmarkLoss(nn.Module):
    """Base of the losses that compare score maps with landmarks.

    Subclasses implement :meth:`landmark_loss`. The loss is averaged over label samples y' ~ N(y, covariance)
    (Eq. 13), multiplied by the landmark's weight, and divided by the fixed number B * K, so that the mean over two
    half batches (or processes) is the value of the whole batch.

    Args:
        num_samples: S. Labels are used as they are if 0, or if no covariances are given.
        loss_weight: factor on the loss (lambda of Eq. A14).
        seed: added to torch's seed for an own random generator of the samples; ``None`` uses torch's default one. In
            one of several processes there always is an own one, whose seed has the rank added, for mmengine seeds all
            processes alike. An own one starts again whenever torch is seeded (as StepSeedHook does in every step).

    Note:
        - B, K, (h, w): batch, landmarks, map size. S: label samples.
        - Labels lie in heatmap px at pixel centres. Samples that leave the map are moved to its border.
        - Landmarks of weight 0 get exactly no gradient; their labels, covariances and scores may be anything, NaN
          included.
        - A batch without images or landmarks has the loss 0.
    """

    #: Whether :meth:`landmark_loss` gets the annotated label, too, before its samples.
    wants_label = False

    def __init__(self, num_samples: int = 10, loss_weight: float = 1.0, seed: Optional[int] = None):
        super().__init__()
        if num_samples < 0:
            raise ValueError(f'num_samples={num_samples}: use 0 for no label smoothing')
        self.num_samples = num_samples
        self.loss_weight = loss_weight
        self.seed = seed
        self._generator: Optional[torch.Generator] = None
        self._start = 0

    def __getstate__(self):  # generators can neither be copied nor pickled; the copy starts its own
        return {**self.__dict__, '_generator': None}

    def extra_repr(self) -> str:
        return f'num_samples={self.num_samples}, loss_weight={self.loss_weight}, seed={self.seed}'

    def generator(self, device: torch.device) -> Optional[torch.Generator]:
        """The source of the label samples; ``None`` is torch's default generator."""
        if self.seed is None and get_world_size() == 1:
            return None
        # a seed of 64 random bits, torch's where nobody seeds it, leaves no room for what is added
        start = (torch.initial_seed() + (self.seed or 0) + get_rank()) % 2**63
        if self._generator is None or self._generator.device.type != device.type or start != self._start:
            self._generator, self._start = torch.Generator(device).manual_seed(start), start
        return self._generator

    def landmark_loss(self, scores: Tensor, labels: Tensor) -> Tensor:
        """Loss (B, K) of each landmark for ``scores`` (B, K, h, w) and ``labels`` (B, K, S, 2): mean over S."""
        raise NotImplementedError

    # torch.compile has nothing to gain here: the arithmetic is arranged by hand around what a cache holds, and the
    # checks depend on the data. Left in, it would break the graph many times instead of once.
    @torch.compiler.disable
    def forward(
        self, scores: Tensor, labels: Tensor, weights: Optional[Tensor] = None, covariances: Optional[Tensor] = None
    ) -> Tensor:
        """
        Args:
            scores: (B, K, h, w), any floating dtype; the arithmetic is at least float32.
            labels: (B, K, 2) as (x, y) in heatmap px.
            weights: (B, K), finite and not negative. Defaults to 1 everywhere.
            covariances: (B, K, 2, 2) in heatmap px^2, of the label distribution.

        Returns:
            Scalar, float32 (float64 for float64 scores).

        Raises:
            ValueError: shapes that do not fit, a weight that is negative or not finite, a label of positive weight that
                is NaN or outside the map, a covariance of positive weight that is not finite. On a GPU the last three
                are device assertions, which stop the training without having made each step wait.
        """
        batch, count, height, width = scores.shape
        self._check_shape('labels', labels, (batch, count, 2))
        dtype = compute_dtype(scores)
        labels = labels.detach().to(dtype)
        if weights is None:
            weights = labels.new_ones(batch, count)
        self._check_shape('weights', weights, (batch, count))
        weights = weights.to(dtype)
        check_weights(weights)
        used = weights > 0
        check_labels(labels, used, (height, width))
        # any finite stand-in will do for what does not count, for 0 * NaN is NaN; a CPU, which may look, does without
        # the copy where all count
        if scores.device.type != 'cpu' or not used.all():
            scores = scores.masked_fill(~used[..., None, None], 0)
        labels = torch.where(used[..., None], labels, torch.zeros_like(labels))
        samples = labels.unsqueeze(2)
        if covariances is not None and self.num_samples > 0:
            self._check_shape('covariances', covariances, (batch, count, 2, 2))
            covariances = covariances.to(dtype)
            covariances = torch.where(used[..., None, None], covariances, torch.zeros_like(covariances))
            check_covariances(covariances)
            samples = sample_labels(
                labels, covariances, self.num_samples, (height, width), self.generator(labels.device)
            )
            if self.wants_label:
                samples = torch.cat([labels.unsqueeze(2), samples], dim=2)
        with torch.autocast(scores.device.type, enabled=False):
            loss = self.landmark_loss(scores, samples) * weights
        return self.loss_weight * loss.sum() / max(1, batch * count)

    @staticmethod
    def _check_shape(name: str, tensor: Tensor, shape: tuple) -> None:
        if tuple(tensor.shape) != shape:
            raise ValueError(f'{name} have shape {tuple(tensor.shape)}, the scores need {shape}')

"""The codec of the paper: labels with their annotation uncertainty in, landmarks with a confidence out."""

from typing import Dict, List, Optional, Sequence, Tuple, Union

import numpy as np
import torch
from mmpose.codecs.base import BaseKeypointCodec
from mmpose.registry import KEYPOINT_CODECS
from torch import Tensor

from mmpose_sp.faces import Boundary, boundary_sets, map_grid
from mmpose_sp.posterior import SUBPIXEL, Calibration, Sites, read_sites

from . import boundary_maps, label_covariance

SMOOTHING = ('image_aware', 'isotropic', 'none')
EDGES = ('union', 'own')
GRIDS = ('centers', 'corners')
OUTSIDE = ('ignore', 'clamp')
EDGE_LINES = ('gaussian', 'thin')


@KEYPOINT_CODECS.register_module()
class ImageAwareLabelSmoothing(BaseKeypointCodec):
    r"""Continuous landmark labels with the covariance of their annotation, and decoding of score maps.

    Implements the label side of "Heatmap Regression without Soft-Argmax for Facial Landmark Detection" (Sec. 4.2 and
    A1.3). ``encode`` draws nothing at random: it returns the Gaussian :math:`\mathcal N(y, \gamma\Sigma_M)` around
    every label, and the loss samples from it (Eq. 13). Heatmap and input px share one convention, pixel centres at
    the integers: heatmap = (input + 0.5) / stride - 0.5 with stride = input_size / heatmap_size, integral or not.

    With the default patch_radius 4 and gamma 0.01 a label of a 64 x 64 map has a standard deviation of 0.11 to 0.12
    heatmap px, 1.05 times longer along the edge than across it (median): far below the grid. ``edges='own'`` with a
    larger radius, or a larger ``edge_weight``, raises the elongation, ``gamma`` the size; docs/choices.md has the
    figures of real faces.

    Note:

        - instance number: N
        - keypoint number: K
        - heatmap size: [w, h]
        - boundary number: E

    Encoded:

        - keypoint_labels (np.ndarray): (x, y) in heatmap px, float32, shape (N, K, 2). Landmarks that are NaN and
          invisible become (0, 0).
        - keypoint_weights (np.ndarray): Visibility, 0 for landmarks outside the map unless they are clamped, float32,
          shape (N, K)
        - label_covariances (np.ndarray): gamma * Sigma_M, [[xx, xy], [xy, yy]] in heatmap px^2, float32, shape
          (N, K, 2, 2)
        - edge_heatmaps (np.ndarray): Only with ``edge_maps=True``: one map per boundary, float32 in [0, 1], shape
          (E, h, w)

    Args:
        input_size: Size of the network input in [w, h]
        heatmap_size: Size of the score maps in [w, h]
        boundaries: A landmark scheme, ``'wflw'``, ``'cofw'``, ``'300w'`` or one of your own (or
            ``'cofw_star'``, the curves of STAR's weights), or curves as :class:`Boundary`, ``(name, indices, closed)``
            or ``dict(name=, indices=, closed=)``. None where no edge is needed (``smoothing`` other than
            ``'image_aware'`` and no ``edge_maps``). Defaults to ``'wflw'``
        smoothing: ``'image_aware'``: the edges shape the covariance; ``'isotropic'``: the Gaussian alone, the
            paper's "image-unaware"; ``'none'``: zero covariance. Defaults to ``'image_aware'``
        gamma: Scale of the covariance. By default that of the named landmark scheme (the paper: 0.001 for COFW,
            0.01 for the others), 0.01 for curves without a name
        edge_weight: Weight of the edges against the Gaussian in M. Defaults to 0.01
        gaussian_kernel: Kernel size of the Gaussian in M, odd, heatmap px. Defaults to 5
        patch_radius: k; the patch has a side of 2k + 1 heatmap px. Defaults to 4
        blur_kernel: Kernel size of the blur of the edge map, odd, heatmap px. Defaults to 9
        sharpness: Sharpness factor of the edge map (torchvision's ``adjust_sharpness``). Defaults to 5
        edges: Whose edges a landmark sees. ``'union'``: all curves of the face. ``'own'``: those that it lies on,
            as each curve has an edge map of its own in STAR; a landmark on no curve then gets the Gaussian of M alone.
            Defaults to ``'union'``
        edge_maps: Whether to return ``edge_heatmaps``, the targets of an edge branch. Defaults to ``False``
        edge_lines: What ``edge_heatmaps`` draw. ``'gaussian'``: lines of the width ``edge_sigma``, as the smoothing
            sees them. ``'thin'``: a quarter of a heatmap px wide, as ADNet's. Defaults to ``'gaussian'``
        edge_sigma: Width of a line of the edge maps: standard deviation in heatmap px of the Gaussian of the
            distance to the curve. Defaults to 1
        subpixel: How to refine the arg max, see :func:`read_sites`. Defaults to ``'quadratic'``
        eps: Temperature of the posterior that gives ``keypoint_scores``, as in the loss. Defaults to 1
        grid: ``'centers'``: heatmap coordinates decode by the convention above. ``'corners'``: the outermost
            pixel centres of the map are the corners of the input, input = x * W / (w - 1) - 0.5; this is how STAR and
            ADNet read their maps, for networks with their weights. Decoding only. Defaults to ``'centers'``
        outside: Landmarks outside the map. ``'ignore'``: weight 0. ``'clamp'``: their label moves to the nearest point
            of the map's border and counts, as in ADNet and STAR, whose crops cut landmarks off. Defaults to
            ``'ignore'``

    Raises:
        ValueError: At construction, for an unknown option; in ``encode``, for a landmark count that does not match the
            boundaries, or a visible landmark that is not finite; in ``decode``, for maps of another size.
    """

    label_mapping_table = {key: key for key in ('keypoint_labels', 'keypoint_weights', 'label_covariances')}

    def __init__(
        self,
        input_size: Tuple[int, int],
        heatmap_size: Tuple[int, int],
        boundaries: Union[str, Sequence, None] = 'wflw',
        smoothing: str = 'image_aware',
        gamma: Optional[float] = None,
        edge_weight: float = 0.01,
        gaussian_kernel: int = 5,
        patch_radius: int = 4,
        blur_kernel: int = 9,
        sharpness: float = 5.0,
        edges: str = 'union',
        edge_maps: bool = False,
        edge_sigma: float = 1.0,
        subpixel: str = 'quadratic',
        eps: float = 1.0,
        grid: str = 'centers',
        outside: str = 'ignore',
        edge_lines: str = 'gaussian',
    ) -> None:
        super().__init__()
        self.input_size = _size('input_size', input_size)
        self.heatmap_size = _size('heatmap_size', heatmap_size)
        self.grid = _one_of('grid', grid, GRIDS)
        self.map_grid = map_grid(self.input_size, self.heatmap_size, grid)
        self._label_grid = map_grid(self.input_size, self.heatmap_size)  # labels never lie on that of 'corners'
        self.scale_factor = np.array(self._label_grid.stride, dtype=np.float32)
        self._middle = (np.array(self.heatmap_size, dtype=np.float32) - 1) / 2
        self.smoothing = _one_of('smoothing', smoothing, SMOOTHING)
        self.edges = _one_of('edges', edges, EDGES)
        self.outside = _one_of('outside', outside, OUTSIDE)
        self.edge_lines = _one_of('edge_lines', edge_lines, EDGE_LINES)
        self.subpixel = _one_of('subpixel', subpixel, SUBPIXEL)
        for name, kernel in {'gaussian_kernel': gaussian_kernel, 'blur_kernel': blur_kernel}.items():
            if kernel < 1 or kernel % 2 == 0:
                raise ValueError(f'{name} must be odd and positive, got {kernel}')
        self.boundary_set = boundaries if isinstance(boundaries, str) else 'given explicitly'
        self.boundaries = _parse_boundaries(boundaries)
        self._scheme = boundary_sets()[boundaries][0] if isinstance(boundaries, str) else None
        if gamma is None:
            gamma = self._scheme.gamma if self._scheme else 0.01
        if patch_radius < 1:
            raise ValueError(f'patch_radius must be at least 1, got {patch_radius}')
        for name, value in {'gamma': gamma, 'edge_weight': edge_weight}.items():
            if not value >= 0:
                raise ValueError(f'{name} must not be negative, got {value}')
        for name, value in {'eps': eps, 'edge_sigma': edge_sigma}.items():
            if not value > 0:
                raise ValueError(f'{name} must be positive, got {value}')
        self.gamma = gamma
        self.edge_maps = edge_maps
        self.edge_sigma = edge_sigma
        self.eps = eps
        self.calibration = Calibration()  # of the weights; who loads them may set it
        self.smoothing_cfg = label_covariance.Smoothing(
            gamma, edge_weight, gaussian_kernel, patch_radius, blur_kernel, sharpness
        )
        self._needs_edges = edge_maps or smoothing == 'image_aware'
        if self._needs_edges and not self.boundaries:
            raise ValueError(
                "boundaries are needed for edge_maps=True and for smoothing='image_aware'; name one of "
                f'{sorted(boundary_sets())} or list the curves'
            )

    @property
    def field_mapping_table(self) -> dict:
        """The edge maps travel as a field, where there are any."""
        return {'edge_heatmaps': 'edge_heatmaps'} if self.edge_maps else {}

    @property
    def label_std(self) -> float:
        """Standard deviation of a label along each axis in heatmap px, the share of the edges left out; 0 without
        smoothing."""
        if self.smoothing == 'none':
            return 0.0
        return float(np.sqrt(self.gamma * label_covariance.patch_covariance(self.smoothing_cfg.gaussian)[0, 0]))

    def encode(self, keypoints: np.ndarray, keypoints_visible: Optional[np.ndarray] = None) -> dict:
        """Encode landmarks of the network input.

        Args:
            keypoints: Landmarks in input px, shape (N, K, 2). NaN where invisible is fine.
            keypoints_visible: Visibilities in shape (N, K); all visible if None

        Returns:
            See "Encoded" above.
        """
        labels, visible = self._labels(keypoints, keypoints_visible)
        reach, points, weights = self._middle + 0.5, labels, visible
        if self.outside == 'clamp':
            points = np.clip(labels, self._middle - reach, self._middle + reach)
        else:
            weights = np.where((np.abs(labels - self._middle) > reach).any(axis=-1), 0, visible)
        covariances = np.empty((*labels.shape, 2), dtype=np.float32)
        encoded = {
            'keypoint_labels': points,
            'keypoint_weights': np.asarray(weights, dtype=np.float32),
            'label_covariances': covariances,
        }

        if self.smoothing == 'image_aware':
            for face, seen, covariance in zip(labels, visible > 0, covariances):
                for landmarks, curves in self._edge_groups(len(face)):
                    edges = self._padded_edges(face, seen, curves)
                    covariance[landmarks] = label_covariance.label_covariances(
                        face[landmarks], edges, self.smoothing_cfg
                    )
        elif self.smoothing == 'isotropic':
            covariances[:] = self.label_std**2 * np.eye(2)
        else:
            covariances[:] = 0
        if self.edge_maps:
            if len(labels) != 1:
                raise ValueError(f'edge_maps=True encodes one face at a time, got {len(labels)}')
            of_face = dict(boundaries=self.boundaries, heatmap_size=self.heatmap_size, visible=visible[0] > 0)
            encoded['edge_heatmaps'] = (
                boundary_maps.thin_edge_heatmaps(labels[0], **of_face)
                if self.edge_lines == 'thin'
                else boundary_maps.edge_heatmaps(labels[0], sigma=self.edge_sigma, **of_face)
            )
        return encoded

    def smoothing_stages(
        self, keypoints: np.ndarray, keypoints_visible: Optional[np.ndarray] = None
    ) -> label_covariance.SmoothingStages:
        """The intermediate products of the image-aware smoothing of one face, for figures like the paper's Fig. 1.

        Args:
            keypoints: Landmarks in input px, shape (K, 2) or (1, K, 2)
            keypoints_visible: Visibilities in shape (K,) or (1, K)

        Returns:
            Maps (of all curves) and patches (of those that each landmark sees) in heatmap px.
        """
        if not self.boundaries:
            raise ValueError('This codec has no boundaries, so there is no edge map to show')
        keypoints = np.asarray(keypoints).reshape(1, -1, 2)
        if keypoints_visible is not None:
            keypoints_visible = np.asarray(keypoints_visible).reshape(1, -1)
        labels, visible = self._labels(keypoints, keypoints_visible)
        face, seen = labels[0], visible[0] > 0
        edges = self._padded_edges(face, seen, self.boundaries)
        stages = label_covariance.smoothing_stages(face, edges, self.smoothing_cfg)
        for landmarks, curves in self._edge_groups(len(face)) if self.edges == 'own' else ():
            edges = self._padded_edges(face, seen, curves)
            own = label_covariance.smoothing_stages(face[landmarks], edges, self.smoothing_cfg)
            for key in ('edge_patches', 'refined_patches', 'joint_patches', 'covariances'):
                getattr(stages, key)[landmarks] = getattr(own, key)
        return stages

    def decode(self, encoded: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
        """Decode the score maps of one face.

        Args:
            encoded: (K, h, w) score maps.

        Returns:
            Landmarks (1, K, 2) in input px and the posterior mass around their peaks (1, K) in [0, 1], float32.
        """
        keypoints, scores = self.batch_decode(torch.from_numpy(np.ascontiguousarray(encoded))[None])
        return keypoints[0], scores[0]

    def batch_decode(self, batch_scores: Tensor) -> Tuple[List[np.ndarray], List[np.ndarray]]:
        """Decode a batch of score maps on their device; one small copy brings the landmarks to the host.

        Args:
            batch_scores: Score maps in shape (B, K, h, w), any floating dtype

        Returns:
            B keypoints (1, K, 2) in input px and B scores (1, K) in [0, 1], float32 arrays as from ``decode``.
        """
        keypoints, confidence, _ = self.decode_sites(batch_scores, covariance=False)
        decoded = torch.cat([keypoints, confidence[..., None]], dim=-1).cpu().numpy()
        return [points[None, :, :2].copy() for points in decoded], [points[None, :, 2].copy() for points in decoded]

    def decode_sites(self, scores: Tensor, covariance: bool = True) -> Sites:
        """:func:`~mmpose_sp.posterior.read_sites` with points in input px and covariances in input px^2.

        Nothing leaves the device of the maps, and the host need not wait for it.

        Args:
            scores: Score maps in shape (B, K, h, w), any floating dtype
            covariance: Whether to compute the covariances
        """
        if tuple(scores.shape[:1:-1]) != self.heatmap_size:
            raise ValueError(
                f'The codec decodes maps of (w, h) = {self.heatmap_size}, got scores of shape '
                f'{tuple(scores.shape)}; make heatmap_size match the output of the head'
            )
        points, confidence, spread = read_sites(scores, self.subpixel, self.eps, self.calibration, covariance)
        points = torch.stack(self.map_grid.to_input(*points.unbind(-1)), dim=-1)
        if spread is not None:
            for dim in (-2, -1):  # no tensor of the strides: it would have to be copied to the device
                parts = [part * stride for part, stride in zip(spread.unbind(dim), self.map_grid.stride)]
                spread = torch.stack(parts, dim)
        return Sites(points, confidence, spread)

    def _labels(self, keypoints: np.ndarray, keypoints_visible: Optional[np.ndarray]) -> Tuple[np.ndarray, np.ndarray]:
        """Finite labels (N, K, 2) in heatmap px and visibilities (N, K), after the checks of ``encode``."""
        keypoints = np.asarray(keypoints)
        if keypoints.ndim != 3 or keypoints.shape[-1] != 2:
            raise ValueError(f'keypoints must have the shape (N, K, 2), got {keypoints.shape}')
        if keypoints_visible is None:
            keypoints_visible = np.ones(keypoints.shape[:2], dtype=np.float32)
        if keypoints_visible.shape != keypoints.shape[:2]:
            raise ValueError(
                f'keypoints_visible must have the shape {keypoints.shape[:2]} of the keypoints, got '
                f'{keypoints_visible.shape}'
            )
        if self._needs_edges:
            self._check_count(keypoints.shape[1])
        labels = np.stack(self._label_grid.to_heatmap(keypoints[..., 0], keypoints[..., 1]), axis=-1).astype(np.float32)
        finite = np.isfinite(labels)
        if finite.all():
            return labels, keypoints_visible
        finite = finite.all(axis=-1)
        lost = np.argwhere(~finite & (keypoints_visible > 0))
        if len(lost):
            face, index = lost[0]
            raise ValueError(
                f'Landmark {index} of instance {face} is {keypoints[face, index]} but visible '
                f'({len(lost)} such landmarks); give it finite coordinates or visibility 0'
            )
        labels[~finite] = 0
        return labels, keypoints_visible

    def _check_count(self, count: int) -> None:
        wanted = self._scheme.num_landmarks if self._scheme else None
        if count == wanted:
            return
        fewest = 1 + max(max(boundary.indices) for boundary in self.boundaries)
        if wanted is None and count >= fewest:
            return
        known = ', '.join(f'{name!r} ({scheme.num_landmarks})' for name, (scheme, _) in boundary_sets().items())
        raise ValueError(
            f'The boundaries {self.boundary_set!r} need {wanted or f"{fewest} or more"} landmarks, got '
            f'{count}; set `boundaries` of the codec to the set of the dataset: {known}'
        )

    def _edge_groups(self, count: int) -> List[Tuple[np.ndarray, Tuple[Boundary, ...]]]:
        """Landmarks (their indices) that see the same curves, with these curves."""
        if self.edges == 'union':
            return [(np.arange(count), self.boundaries)]
        groups: Dict[Tuple[Boundary, ...], List[int]] = {}
        for index in range(count):
            groups.setdefault(tuple(curve for curve in self.boundaries if index in curve.indices), []).append(index)
        return [(np.array(indices), curves) for curves, indices in groups.items()]

    def _padded_edges(self, labels: np.ndarray, visible: np.ndarray, curves: Tuple[Boundary, ...]) -> np.ndarray:
        return boundary_maps.union_edge_map(
            labels, curves, self.heatmap_size, self.edge_sigma, visible, padding=self.smoothing_cfg.margin
        )


def _size(name: str, size: Tuple[int, int]) -> Tuple[int, int]:
    size = tuple(size)
    if len(size) != 2 or not all(value > 0 and value == int(value) for value in size):
        raise ValueError(f'{name} must be a pair of positive integers (w, h), got {size}')
    return int(size[0]), int(size[1])


def _one_of(name: str, value: str, options: Sequence[str]) -> str:
    if value not in options:
        raise ValueError(f'{name} must be one of {tuple(options)}, got {value!r}')
    return value


def _parse_boundaries(boundaries: Union[str, Sequence, None]) -> Tuple[Boundary, ...]:
    if isinstance(boundaries, str):
        sets = boundary_sets()
        return sets[_one_of('boundaries', boundaries, sorted(sets))][1]
    curves = []
    for item in boundaries or ():
        curve = Boundary(**item) if isinstance(item, dict) else Boundary(*item)
        curve = curve._replace(indices=tuple(curve.indices))
        if len(set(curve.indices)) < max(len(curve.indices), 2) or min(curve.indices) < 0:
            raise ValueError(
                f'Boundary {curve.name!r} needs two or more different landmark indices, got {curve.indices}'
            )
        curves.append(curve)
    return tuple(curves)

"""Edge map -> covariance of the annotation of each landmark (appendix A1.3 of the paper).

Around a landmark y a joint map M = edge_weight * E' / max E' + N / max N is built from a patch of the refined edge
map E' and a Gaussian N, and the covariance of M about y is its second moment there. Coordinates are heatmap px, x
first.
"""

from functools import lru_cache
from typing import NamedTuple, Sequence

import numpy as np

from mmpose_sp.faces import Boundary

from .boundary_maps import blur_and_sharpen, tangents


class Smoothing(NamedTuple):
    """How the image-aware label smoothing is done.

    Attributes:
        gamma: Scale of the covariance.
        edge_weight: Weight of the edges in M. 0 gives the isotropic, "image-unaware" smoothing.
        gaussian_kernel: Kernel size of N, odd, px.
        patch_radius: k.
        blur_kernel: Kernel size of the blur of E, odd, px.
        sharpness: Factor of the sharpening of E.
    """

    gamma: float
    edge_weight: float
    gaussian_kernel: int
    patch_radius: int
    blur_kernel: int
    sharpness: float

    @property
    def margin(self) -> int:
        """Pixels around the map within which edges influence a landmark inside the map."""
        return self.patch_radius + 2 + self.blur_kernel // 2

    @property
    def gaussian(self) -> np.ndarray:
        """N (P, P), see :func:`gaussian_patch`."""
        return gaussian_patch(self.patch_radius, self.gaussian_kernel)


class SmoothingStages(NamedTuple):
    """What the label smoothing computes on its way (Fig. 1 c-g of the paper). P = 2 * patch_radius + 1.

    The patches are centred on the landmark itself (sub-pixel), so that their middle element is at y.
    """

    edge_map: np.ndarray
    """(h, w) E, the Gaussian of the distance to the boundary curves."""
    refined_edge_map: np.ndarray
    """(h, w) E', blurred and sharpened."""
    edge_patches: np.ndarray
    """(K, P, P) E around each landmark, Fig. 1 (c)."""
    refined_patches: np.ndarray
    """(K, P, P) E' around each landmark, Fig. 1 (d)."""
    gaussian: np.ndarray
    """(P, P) N, maximum 1, Fig. 1 (e)."""
    joint_patches: np.ndarray
    """(K, P, P) M, Fig. 1 (f)."""
    covariances: np.ndarray
    """(K, 2, 2) gamma * Sigma_M in heatmap px^2, whose Gaussian is Fig. 1 (g)."""


class EdgeAlignment(NamedTuple):
    """The ellipses of label covariances beside the edges of the face."""

    angle: np.ndarray
    """(K,) degrees in [0, 90] between the long axis and the tangent of a curve through the landmark (of the nearest, if
    there are two); NaN where there is none."""
    std: np.ndarray
    """(K, 2) standard deviations along the long and the short axis, heatmap px."""


@lru_cache(maxsize=None)
def gaussian_patch(patch_radius: int, kernel: int) -> np.ndarray:
    """N: a Gaussian of the given odd kernel size at the centre of a (P, P) patch, zero outside its kernel, maximum 1.

    Its sigma is that of torchvision and OpenCV for the size: 0.3 * ((kernel - 1) / 2 - 1) + 0.8, 1.1 px for kernel 5.
    """
    sigma = 0.3 * ((kernel - 1) * 0.5 - 1) + 0.8
    offset = np.arange(-patch_radius, patch_radius + 1, dtype=np.float32)
    line = np.exp(-0.5 * (offset / sigma) ** 2) * (np.abs(offset) <= kernel // 2)
    patch = np.outer(line, line)
    patch.setflags(write=False)
    return patch


@lru_cache(maxsize=None)
def _moment_basis(patch_radius: int) -> np.ndarray:
    """(P * P, 4): what each patch element adds to the mass and to the second moments xx, xy, yy."""
    offset = np.arange(-patch_radius, patch_radius + 1, dtype=np.float32)
    y, x = np.meshgrid(offset, offset, indexing='ij')
    basis = np.stack([np.ones_like(x), x * x, x * y, y * y], axis=-1).reshape(-1, 4)
    basis.setflags(write=False)
    return basis


def extract_patches(image: np.ndarray, centres: np.ndarray, patch_radius: int) -> np.ndarray:
    """Bilinear patches of an image, centred on sub-pixel points.

    Args:
        image: (h, w).
        centres: (K, 2), x first, at least k px from the first and k + 1 px from the last row and column.
        patch_radius: k; patches have 2k + 1 samples a side, one px apart.

    Returns:
        (K, 2k + 1, 2k + 1).
    """
    corner = np.floor(centres)
    fx, fy = (centres - corner).astype(image.dtype).T[..., None, None]
    corner = corner.astype(np.int64) - patch_radius
    windows = np.lib.stride_tricks.sliding_window_view(image, (2 * patch_radius + 2, 2 * patch_radius + 2))
    patch = windows[corner[:, 1], corner[:, 0]]
    patch = patch[:, :, :-1] + fx * (patch[:, :, 1:] - patch[:, :, :-1])
    return patch[:, :-1] + fy * (patch[:, 1:] - patch[:, :-1])


def patch_covariance(patches: np.ndarray) -> np.ndarray:
    """Second moment about the middle of non-negative patches (..., P, P): (..., 2, 2) in px^2."""
    radius = patches.shape[-1] // 2
    moments = patches.reshape(*patches.shape[:-2], -1) @ _moment_basis(radius)
    return moments[..., [[1, 2], [2, 3]]] / moments[..., :1, None]


def label_covariances(landmarks: np.ndarray, edge_map: np.ndarray, smoothing: Smoothing) -> np.ndarray:
    """gamma * Sigma_M (K, 2, 2) in heatmap px^2 of each landmark; see :func:`smoothing_stages` for the arguments."""
    refined = blur_and_sharpen(edge_map, smoothing.blur_kernel, smoothing.sharpness)
    patches = extract_patches(refined, _patch_centres(landmarks, edge_map, smoothing.margin), smoothing.patch_radius)
    return smoothing.gamma * patch_covariance(_joint_patches(patches, smoothing))


def _patch_centres(landmarks: np.ndarray, edge_map: np.ndarray, margin: int) -> np.ndarray:
    """Where the patches lie in the padded edge map, (K, 2); those of landmarks outside the map on its border."""
    last = np.array(edge_map.shape[::-1], dtype=np.float32) - 2 * margin - 0.5
    return np.minimum(np.maximum(landmarks, -0.5), last) + margin


def _joint_patches(refined_patches: np.ndarray, smoothing: Smoothing) -> np.ndarray:
    """M = edge_weight * E' / max E' + N / max N. A patch without any edge (a pupil, say) keeps only the Gaussian."""
    peak = refined_patches.reshape(len(refined_patches), -1).max(axis=1)
    share = smoothing.edge_weight / np.where(peak > 1e-6, peak, np.inf)
    return smoothing.gaussian + refined_patches * share[:, None, None]


def smoothing_stages(landmarks: np.ndarray, edge_map: np.ndarray, smoothing: Smoothing) -> SmoothingStages:
    """Every intermediate product of the image-aware label smoothing.

    Args:
        landmarks: (K, 2) heatmap px, finite. Landmarks outside the map are treated as if they were on
            its border (they carry no weight in the loss).
        edge_map: E, float32, drawn with ``smoothing.margin`` px around the map on each side, so that patches never
            leave the drawn area.
        smoothing: What to do.

    Returns:
        Maps are cropped to the heatmap; patches see the margin too.
    """
    margin, (height, width) = smoothing.margin, edge_map.shape
    inner = np.s_[margin : height - margin, margin : width - margin]
    refined = blur_and_sharpen(edge_map, smoothing.blur_kernel, smoothing.sharpness)
    centres = _patch_centres(landmarks, edge_map, margin)
    refined_patches = extract_patches(refined, centres, smoothing.patch_radius)
    joint = _joint_patches(refined_patches, smoothing)
    return SmoothingStages(
        edge_map=edge_map[inner],
        refined_edge_map=refined[inner],
        edge_patches=extract_patches(edge_map, centres, smoothing.patch_radius),
        refined_patches=refined_patches,
        gaussian=smoothing.gaussian,
        joint_patches=joint,
        covariances=smoothing.gamma * patch_covariance(joint),
    )


def edge_alignment(covariances: np.ndarray, landmarks: np.ndarray, boundaries: Sequence[Boundary]) -> EdgeAlignment:
    """How far the covariances of a face follow its edges.

    Args:
        covariances: (K, 2, 2) heatmap px^2.
        landmarks: (K, 2) heatmap px, finite.
        boundaries: The curves.
    """
    values, vectors = np.linalg.eigh(np.asarray(covariances, dtype=np.float64))
    long_axis = vectors[..., 1]
    angle = np.full(len(landmarks), np.nan)
    for boundary in boundaries:
        index = list(boundary.indices)
        cosine = np.abs((long_axis[index] * tangents(landmarks, boundary)).sum(axis=-1))
        angle[index] = np.fmin(angle[index], np.degrees(np.arccos(np.minimum(cosine, 1))))
    return EdgeAlignment(angle, np.sqrt(np.maximum(values[:, ::-1], 0)))

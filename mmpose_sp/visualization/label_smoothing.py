"""The pictures of the label smoothing: its stages (Fig. 1) and its spread beside human annotations (Fig. A2)."""

from typing import Optional, Sequence

import cv2
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from mmpose_sp.codecs import ImageAwareLabelSmoothing, SmoothingStages
from mmpose_sp.utils.atomic import save_figure
from mmpose_sp.utils.images import as_bgr

from .draw import ellipse_axes

STAGES = ('(b) image', '(c) edge map', '(d) processed', '(e) Gaussian', '(f) sum M', r'(g) N(y, $\Sigma_M$)')


def gaussian_density(covariance: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """exp(-d^T C^-1 d / 2) of a (2, 2) covariance at (..., 2) offsets: a Gaussian with maximum 1.

    Raises:
        ValueError: The covariance is singular.
    """
    covariance = np.asarray(covariance, dtype=np.float64)
    if not np.linalg.det(covariance) > 0:
        raise ValueError(f'covariance {covariance.tolist()} is singular: there is no smoothing to draw')
    inverse = np.linalg.inv(covariance)
    return np.exp(-0.5 * np.einsum('...i,ij,...j->...', offsets, inverse, offsets))


def label_heatmap(landmarks: np.ndarray, covariances: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """The largest of all landmarks' Gaussians (maximum 1 each) on a map, Fig. 1 (a).

    Args:
        landmarks: (K, 2) px of the map.
        covariances: (K, 2, 2) px^2 of the map.
        size: (w, h).

    Returns:
        (h, w) float32 in [0, 1].
    """
    grid = np.stack(np.meshgrid(np.arange(size[0]), np.arange(size[1])), axis=-1).astype(np.float64)
    heatmap = np.zeros(grid.shape[:2], dtype=np.float32)
    for landmark, covariance in zip(landmarks, covariances):
        reach = 4 * np.sqrt(np.trace(covariance))
        low = np.clip(np.floor(landmark - reach), 0, size).astype(int)
        high = np.clip(np.ceil(landmark + reach) + 1, 0, size).astype(int)
        part = np.s_[low[1] : high[1], low[0] : high[0]]
        heatmap[part] = np.maximum(heatmap[part], gaussian_density(covariance, grid[part] - landmark))
    return heatmap


def image_patch(image: np.ndarray, centre: np.ndarray, stride: np.ndarray, cells: int, pixels: int = 120) -> np.ndarray:
    """The part of an image under a patch of ``cells`` x ``cells`` heatmap pixels.

    Args:
        image: uint8 BGR input image.
        centre: (2,) input px.
        stride: (2,) input px per heatmap px.
        cells: Side of the patch in heatmap px.
        pixels: Side of the result.
    """
    scale = pixels / (cells * np.asarray(stride, dtype=np.float64))
    matrix = np.array(
        [[scale[0], 0, (pixels - 1) / 2 - scale[0] * centre[0]], [0, scale[1], (pixels - 1) / 2 - scale[1] * centre[1]]]
    )
    return cv2.warpAffine(as_bgr(image), matrix, (pixels, pixels), flags=cv2.INTER_CUBIC, borderValue=(114, 114, 114))


def plot_stages(
    image: np.ndarray,
    landmarks: np.ndarray,
    codec: ImageAwareLabelSmoothing,
    selected: Sequence[int],
    path: str,
) -> str:
    """Draw the smoothing pipeline of a face (Fig. 1 a-g): the face, and one row of stages per selected landmark.

    The Gaussians of (a) and (g) are drawn with Sigma_M, that is without gamma: at the published 0.01 they are narrower
    than a heatmap pixel and nothing would be seen. The standard deviations that the loss uses stand below (g).

    Args:
        image: uint8 BGR network input (the crop).
        landmarks: (K, 2) input px.
        codec: Its sizes must match the image.
        selected: Landmarks to show.
        path: Picture to write.

    Raises:
        ValueError: Image of another size, or a landmark that does not exist.
    """
    _check(image, landmarks, codec, selected)
    stages = codec.smoothing_stages(landmarks)
    stride = np.asarray(codec.scale_factor, dtype=np.float64)
    shapes = _unit_covariances(stages, codec)
    cells = stages.joint_patches.shape[-1]
    rows, columns = len(selected), len(STAGES)
    figure = Figure(figsize=(1.1 * (rows + columns) + 0.4, 1.2 * rows + 0.4), layout='constrained')
    grid = figure.add_gridspec(rows, rows + columns)
    face = figure.add_subplot(grid[:, :rows])
    heat = label_heatmap(landmarks, shapes * np.outer(stride, stride), image.shape[1::-1])
    # light on a grey face: the Gaussians, not the picture, are the subject
    face.imshow(cv2.cvtColor(as_bgr(image), cv2.COLOR_BGR2GRAY), cmap='gray', vmin=-120, vmax=320)
    face.imshow(heat, cmap='hot', alpha=np.clip(1.4 * heat, 0, 1), vmin=0, vmax=1.3)
    for number, index in enumerate(selected):
        face.add_patch(
            Rectangle(landmarks[index] - cells * stride / 2, *(cells * stride), fill=False, color='yellow', lw=0.8)
        )
        corner = landmarks[index] + np.array([0.5, -0.55]) * cells * stride
        face.annotate(str(index), corner, color='yellow', fontsize=9)
        offsets = np.stack(np.meshgrid(*[np.linspace(-cells / 2, cells / 2, 60)] * 2), axis=-1)
        pictures = [
            cv2.cvtColor(image_patch(image, landmarks[index], stride, cells), cv2.COLOR_BGR2RGB),
            stages.edge_patches[index],
            stages.refined_patches[index],
            stages.gaussian,
            stages.joint_patches[index],
            gaussian_density(shapes[index], offsets),
        ]
        for column, (name, picture) in enumerate(zip(STAGES, pictures)):
            axis = figure.add_subplot(grid[number, rows + column])
            # the edges have weight 0.01 in M: a fourth root makes them visible beside the Gaussian
            axis.imshow(picture**0.25 if column == 4 else picture, cmap='inferno' if column else None)
            if column == 0:
                middle = (picture.shape[0] - 1) / 2
                axis.plot(middle, middle, '+', color='yellow', ms=9)
            axis.set_xticks([])
            axis.set_yticks([])
            if number == 0:
                axis.set_title(name, fontsize=10)
            if column == 0:
                axis.set_ylabel(f'landmark {index}', fontsize=10)
            if column == len(STAGES) - 1:
                major, minor, _ = ellipse_axes(stages.covariances[index], 1)
                axis.set_xlabel(f'{major:.2f} x {minor:.2f} px', fontsize=10)
            if column == 4:
                axis.set_xlabel('fourth root', fontsize=10)
    face.set_title(r'(a) all N(y, $\Sigma_M$)', fontsize=10)
    face.axis('off')
    save_figure(figure, path, 140)
    return path


def plot_spread(
    image: np.ndarray,
    landmarks: np.ndarray,
    codec: ImageAwareLabelSmoothing,
    selected: Sequence[int],
    path: str,
    annotations: Optional[np.ndarray] = None,
    scale: float = 1.0,
    num_samples: int = 200,
    seed: int = 0,
) -> str:
    """Draw where annotators and our smoothing put selected landmarks (Fig. A2).

    Args:
        image: uint8 BGR network input.
        landmarks: (K, 2) input px, the labels.
        codec: Its sizes must match the image.
        selected: Landmarks to show, one row each.
        path: Picture to write.
        annotations: (A, K, 2) input px, the same face by A annotators; None leaves their column out.
        scale: The covariance is drawn multiplied by this (1: as the loss uses it); stands in the picture.
        num_samples: Points drawn from the smoothing.
        seed: Of these points.
    """
    _check(image, landmarks, codec, selected)
    stages = codec.smoothing_stages(landmarks)
    stride = np.asarray(codec.scale_factor, dtype=np.float64)
    cells = stages.joint_patches.shape[-1]
    generator = np.random.default_rng(seed)
    columns = 1 if annotations is None else 2
    per_line = max(1, 6 // columns)
    lines = -(-len(selected) // per_line)
    figure = Figure(figsize=(2.1 * columns * min(per_line, len(selected)), 2.3 * lines + 0.3), layout='constrained')
    axes = figure.subplots(lines, columns * min(per_line, len(selected)), squeeze=False).ravel()
    for axis in axes:
        axis.axis('off')
    axes = iter(axes)
    for index in selected:
        covariance = stages.covariances[index].astype(np.float64) * np.outer(stride, stride) * scale
        drawn = generator.multivariate_normal(landmarks[index], covariance, num_samples)
        groups = [] if annotations is None else [('human', np.asarray(annotations)[:, index])]
        for name, points in [*groups, ('ours', drawn)]:
            axis = next(axes)
            patch = image_patch(image, landmarks[index], stride, cells, 160)
            half = cells * stride / 2
            centre = landmarks[index]
            extent = (centre[0] - half[0], centre[0] + half[0], centre[1] + half[1], centre[1] - half[1])
            axis.imshow(cv2.cvtColor(patch, cv2.COLOR_BGR2RGB), extent=extent)
            dots = dict(s=26, edgecolor='w', lw=0.6) if name == 'human' else dict(s=3, alpha=0.6, lw=0)
            axis.scatter(*points.T, color='#ff3030', **dots)
            axis.scatter(*centre, marker='+', s=50, color='#30ff30', lw=1.3)
            axis.set(xlim=extent[:2], ylim=extent[2:])
            scaled = f' (variance x {scale:g})' if name == 'ours' and scale != 1 else ''
            axis.set_title(f'{index}: {name}{scaled}', fontsize=8)
    save_figure(figure, path, 140)
    return path


def _unit_covariances(stages: SmoothingStages, codec: ImageAwareLabelSmoothing) -> np.ndarray:
    """Sigma_M: the covariances without gamma, (K, 2, 2) heatmap px^2."""
    if not codec.gamma > 0:
        raise ValueError('gamma is 0: there is no smoothing to draw')
    return stages.covariances.astype(np.float64) / codec.gamma


def _check(image: np.ndarray, landmarks: np.ndarray, codec: ImageAwareLabelSmoothing, selected: Sequence[int]) -> None:
    if tuple(image.shape[1::-1]) != tuple(codec.input_size):
        raise ValueError(f"the image has {image.shape[1::-1]} px but the codec's input_size is {codec.input_size}")
    unknown = [index for index in selected if not 0 <= index < len(landmarks)]
    if unknown or not len(selected):
        raise ValueError(f'select landmarks from 0 to {len(landmarks) - 1}, got {list(selected)}')

"""From parameters to a picture, its landmarks and its flags."""

from dataclasses import dataclass
from typing import Dict, Union

import cv2
import numpy as np

from . import appearance
from .occluders import draw_occluder
from .params import OCCLUDED_LANDMARKS, FaceParams, param_attributes, sample_face
from .projection import ProjectedFace
from .raster import Canvas, Splat, background


@dataclass(frozen=True)
class RenderedFace:
    """A rendered face.

    Attributes:
        image: (size, size, 3) uint8 BGR.
        landmarks: 'wflw' (98, 2), '300w' (68, 2), 'cofw' (29, 2) float64, 0-based px (pixel centres).
        occluded: the same keys, (K,) bool: hidden by an occluder or by the face itself.
        attributes: the six WFLW flags, name -> 0 or 1.
        params: what was drawn.
    """

    image: np.ndarray
    landmarks: Dict[str, np.ndarray]
    occluded: Dict[str, np.ndarray]
    attributes: Dict[str, int]
    params: FaceParams


# (ambient, diffuse, gloss) of a light
_LIGHTS = {
    'soft': (0.62, 0.42, 0.10),
    'side': (0.22, 0.95, 0.12),
    'low_key': (0.19, 0.28, 0.06),
    'overexposed': (0.95, 0.62, 0.3),
    'coloured': (0.55, 0.5, 0.12),
}


def render_face(face: Union[FaceParams, np.random.Generator], size: int = 256) -> RenderedFace:
    """Renders one face.

    Args:
        face: the parameters, or a random generator from which a plain face (no flag set) is drawn.
        size: side of the picture in px, even and at least 64.

    Raises:
        ValueError: ``size`` is odd or below 64.
    """
    if size < 64 or size % 2:
        raise ValueError(f'size of a face picture must be even and at least 64, got {size}')
    p = face if isinstance(face, FaceParams) else sample_face(face)
    rng = np.random.default_rng(p.seed)
    projected = ProjectedFace(p, size)

    canvas = Canvas(background(rng, size))
    skin_mask = appearance.draw_head(canvas, projected, rng)
    image, mask = canvas.finish(), skin_mask.finish()

    azimuth = np.deg2rad(p.light_azimuth)
    direction = np.array([np.sin(azimuth) * 0.95, -0.45, 0.3 + 0.7 * np.cos(azimuth)])
    direction /= np.linalg.norm(direction)
    ambient, diffuse, gloss = _LIGHTS[p.light]
    splat = Splat(projected, direction, ambient, diffuse, gloss)
    image = _light(image, mask, splat.shade, direction, ambient + 0.55 * diffuse, p)

    cover = None
    if p.occluder is not None:
        image, cover = draw_occluder(image, projected, p.occluder, rng, p)
    image = _photograph(image, p, rng)

    landmarks3d = projected.landmarks3d()
    landmarks = {k: v[:, :2].copy() for k, v in landmarks3d.items()}
    covered = {k: _covered(cover, v) for k, v in landmarks.items()}
    attributes = param_attributes(p)
    attributes['occlusion'] = int(covered['wflw'].sum() >= OCCLUDED_LANDMARKS)
    occluded = {k: covered[k] | splat.hidden(v) for k, v in landmarks3d.items()}
    for k, outline in (('wflw', slice(33)), ('300w', slice(17)), ('cofw', slice(28, 29))):
        occluded[k][outline] = covered[k][outline]  # these follow the visible outline: the face never hides them
    return RenderedFace(image, landmarks, occluded, attributes, p)


def _light(image, mask, shade, direction, base, p: FaceParams) -> np.ndarray:
    size = len(image)
    ramp = np.linspace(-1, 1, size, dtype=np.float32)
    around = base * (1 + 0.35 * direction[0] * ramp[None] + 0.2 * direction[1] * ramp[:, None])
    a = mask.astype(np.float32) / 255
    factor = around + a * (shade - around)
    factor = cv2.merge([factor * t for t in p.light_tint])
    return np.clip(cv2.multiply(image.astype(np.float32), factor.astype(np.float32)), 0, 255).astype(np.uint8)


def _photograph(image: np.ndarray, p: FaceParams, rng: np.random.Generator) -> np.ndarray:
    size = len(image)
    if p.blur == 'gaussian':
        image = cv2.GaussianBlur(image, (0, 0), p.blur_amount * size)
    elif p.blur == 'motion':
        n = max(3, int(p.blur_amount * size) | 1)
        kernel = np.zeros((n, n), np.float32)
        a = rng.uniform(0, np.pi)
        reach = (n // 2) * np.array([np.cos(a), np.sin(a)])
        ends = np.round((n // 2 + np.stack([-reach, reach])) * 16).astype(int)
        cv2.line(kernel, tuple(ends[0].tolist()), tuple(ends[1].tolist()), 1.0, 1, cv2.LINE_8, 4)
        image = cv2.filter2D(image, -1, kernel / kernel.sum())
    if p.noise > 0:
        noise = np.empty((size, size), np.int16)
        # one 64 x 64 tile, shifted at random per row of tiles, is indistinguishable from fresh noise and much faster
        tile = np.round(p.noise * rng.standard_normal((64, size + 64), np.float32)).astype(np.int16)
        for y in range(0, size, 64):
            x = int(rng.integers(64))
            noise[y : y + 64] = tile[: min(64, size - y), x : x + size]
        image = np.clip(image + noise[..., None], 0, 255).astype(np.uint8)
    return image


def _covered(cover, points: np.ndarray) -> np.ndarray:
    if cover is None:
        return np.zeros(len(points), bool)
    ij = np.round(points).astype(int)
    inside = ((ij >= 0) & (ij < len(cover))).all(1)
    ij = np.clip(ij, 0, len(cover) - 1)
    return inside & (cover[ij[:, 1], ij[:, 0]] > 127)

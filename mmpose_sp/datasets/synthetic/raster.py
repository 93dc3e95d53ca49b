"""Drawing: anti-aliased shapes at sub-pixel positions, backgrounds, and the shading of a projected surface."""

from copy import copy
from typing import Tuple

import cv2
import numpy as np

from .projection import ProjectedFace
from .shape import surface_grid

_SHIFT = 4  # fractional bits of OpenCV's fixed-point coordinates
SUPERSAMPLING = 2


def _fixed(points: np.ndarray) -> np.ndarray:
    return np.round(np.asarray(points) * (1 << _SHIFT)).astype(np.int32).reshape(-1, 1, 2)


class Canvas:
    """A supersampled picture on which shapes are drawn in the (0-based, pixel centre) pixels of the final one."""

    def __init__(self, picture: np.ndarray):
        """``picture``: uint8 (H, W, 3) or (H, W) of the final size."""
        h, w = picture.shape[:2]
        self.offset = 0.5 * (SUPERSAMPLING - 1)  # of pixel centres; less the corner of the part in `inside`
        self.data = cv2.resize(picture, (w * SUPERSAMPLING, h * SUPERSAMPLING), interpolation=cv2.INTER_LINEAR)

    def to_canvas(self, points: np.ndarray) -> np.ndarray:
        return np.asarray(points, float) * SUPERSAMPLING + self.offset

    def polygon(self, points: np.ndarray, colour) -> None:
        cv2.fillPoly(self.data, [_fixed(self.to_canvas(points))], colour, cv2.LINE_AA, _SHIFT)

    def line(self, points: np.ndarray, colour, width: float, closed: bool = False) -> None:
        """A polyline ``width`` px wide (at least one pixel of the canvas)."""
        width = max(1, int(round(width * SUPERSAMPLING)))
        cv2.polylines(self.data, [_fixed(self.to_canvas(points))], closed, colour, width, cv2.LINE_AA, _SHIFT)

    def lines(self, curves, colour, width: float) -> None:
        """Several open polylines of one colour and one number of points: (count, n, 2)."""
        width = max(1, int(round(width * SUPERSAMPLING)))
        fixed = np.round(self.to_canvas(curves) * (1 << _SHIFT)).astype(np.int32)
        cv2.polylines(self.data, list(fixed), False, colour, width, cv2.LINE_8, _SHIFT)  # many: AA would be slow

    def ellipse(self, centre, axes, angle: float, colour) -> None:
        """A filled ellipse with semi-axes ``axes`` in px and ``angle`` in degrees."""
        a = np.linspace(0, 2 * np.pi, 32, endpoint=False)
        c, s = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
        xy = np.stack([axes[0] * np.cos(a), axes[1] * np.sin(a)], -1) @ np.array([[c, s], [-s, c]])
        self.polygon(np.asarray(centre) + xy, colour)

    def region(self, points: np.ndarray, margin: float = 2.0) -> Tuple[slice, slice]:
        """Slices of the canvas around some points."""
        q = self.to_canvas(points)
        low = np.clip(np.floor(q.min(0) - margin).astype(int), 0, None)
        high = np.maximum(np.ceil(q.max(0) + margin).astype(int) + 1, low)
        return slice(low[1], high[1]), slice(low[0], high[0])

    def blend(self, points: np.ndarray, colour, strength: float, blur: float = 0.0) -> None:
        """Mixes ``colour`` into a polygon whose edge is softened over ``blur`` px."""
        where = self.region(points, 3 * blur * SUPERSAMPLING + 2)
        patch = self.data[where]
        if not patch.size:
            return
        mask = np.zeros(patch.shape[:2], np.uint8)
        offset = np.array([where[1].start, where[0].start])
        cv2.fillPoly(mask, [_fixed(self.to_canvas(points) - offset)], 255, cv2.LINE_AA, _SHIFT)
        if blur > 0:
            k = 2 * int(np.ceil(blur * SUPERSAMPLING)) + 1
            mask = cv2.blur(cv2.blur(mask, (k, k)), (k, k))
        self._mix(patch, mask, colour, strength)

    @staticmethod
    def _mix(patch: np.ndarray, mask: np.ndarray, colour, strength: float) -> None:
        a = mask * np.float32(strength / 255.0)
        flat = np.empty_like(patch)
        flat[:] = np.round(colour)
        patch[:] = cv2.blendLinear(flat, np.ascontiguousarray(patch), a, 1 - a)

    def inside(self, clip: np.ndarray, draw) -> None:
        """Runs ``draw(canvas)`` with its effect limited to the polygon ``clip``."""
        where = self.region(clip)
        patch = self.data[where]
        if not patch.size:
            return
        part = copy(self)
        part.data, part.offset = patch.copy(), self.offset - np.array([where[1].start, where[0].start])
        draw(part)
        mask = np.zeros(patch.shape[:2], np.uint8)
        cv2.fillPoly(mask, [_fixed(part.to_canvas(clip))], 255, cv2.LINE_8, _SHIFT)
        cv2.copyTo(part.data, mask, patch)

    def finish(self) -> np.ndarray:
        h, w = self.data.shape[:2]
        return cv2.resize(self.data, (w // SUPERSAMPLING, h // SUPERSAMPLING), interpolation=cv2.INTER_AREA)


def background(rng: np.random.Generator, size: int) -> np.ndarray:
    """A cluttered, more or less blurred background: uint8 (size, size, 3)."""
    grid = int(rng.integers(2, 9))
    base = muted(rng.uniform(15, 235, 3))
    cells = rng.normal(0, rng.uniform(8, 45), (grid, grid, 1)) + rng.normal(0, 10, (grid, grid, 3))
    cells = np.clip(base + cells, 0, 255).astype(np.uint8)
    picture = cv2.resize(cells, (size, size), interpolation=cv2.INTER_CUBIC)
    for _ in range(int(rng.integers(0, 16))):
        colour = muted(rng.uniform(0, 255, 3)).tolist()
        x, y = rng.uniform(-0.1, 1.1, 2) * size
        a, b = rng.uniform(0.03, 0.3, 2) * size
        kind = rng.integers(3)
        if kind == 0:
            corners = cv2.boxPoints(((float(x), float(y)), (float(2 * a), float(2 * b)), float(rng.uniform(0, 180))))
            cv2.fillPoly(picture, [_fixed(corners)], colour, cv2.LINE_AA, _SHIFT)
        elif kind == 1:
            cv2.circle(picture, (int(x), int(y)), max(1, int(a / 2)), colour, -1, cv2.LINE_AA)
        else:
            end = (int(x + _reach(rng, size)), int(y + _reach(rng, size)))
            cv2.line(picture, (int(x), int(y)), end, colour, max(1, int(b / 8)), cv2.LINE_AA)
    blur = int(rng.integers(0, 6))
    if blur:
        picture = cv2.blur(cv2.blur(picture, (2 * blur + 1,) * 2), (2 * blur + 1,) * 2)
    return picture


def muted(colour: np.ndarray, saturation: float = 0.45) -> np.ndarray:
    """A colour brought nearer to the grey of its own brightness."""
    return colour.mean() + saturation * (colour - colour.mean())


def _reach(rng: np.random.Generator, size: int) -> float:
    return float(rng.uniform(-1, 1) * size)


class Splat:
    """The face surface splatted into an image of half the size: nearest point per pixel, holes filled.

    Attributes:
        shade: (size, size) float32 light on the surface, 1 on a surface facing a frontal light;
            continued smoothly beyond the outline.
        depth: (size / 2, size / 2) float32 depth towards the viewer in eye distances, -inf where there
            is no face.
    """

    def __init__(self, face: ProjectedFace, light: np.ndarray, ambient: float, diffuse: float, gloss: float):
        half = face.size // 2
        columns = int(np.clip(1.7 * face.unit, 60, 220))
        points, normals = surface_grid(face.shape, columns, int(columns * 0.9))
        q = face.project(points).reshape(-1, 3)
        n = (normals @ face.rotation.T.astype(np.float32)).reshape(-1, 3)
        facing = n[:, 2] > -0.15  # the rest cannot be seen
        q, n = q[facing], n[facing]
        reflected = 2 * (n @ light) * n[:, 2] - light[2]
        shiny = np.maximum(reflected, 0) ** 2
        shiny *= shiny  # the fourth power; powers by multiplication are much the fastest
        value = ambient + diffuse * np.maximum(n @ light, 0) + gloss * shiny * shiny * shiny
        value = value * (0.72 + 0.28 * np.clip(n[:, 2], 0, 1))  # grazing surfaces look darker, which rounds the head
        ij = np.round((q[:, :2] + 0.5) / 2 - 0.5).astype(int)
        inside = ((ij >= 0) & (ij < half)).all(1)
        ij, z, value = ij[inside], q[inside, 2], value[inside]
        order = np.argsort(z, kind='stable')
        flat = ij[order, 1] * half + ij[order, 0]
        shade, depth = np.zeros(half * half, np.float32), np.full(half * half, -np.inf, np.float32)
        shade[flat], depth[flat] = value[order], z[order]  # the last, nearest point wins
        self.depth = depth.reshape(half, half)
        shade = shade.reshape(half, half)
        self.shade = cv2.resize(_fill(shade, np.isfinite(self.depth)), (face.size, face.size))

    def hidden(self, points: np.ndarray, tolerance: float = 0.16) -> np.ndarray:
        """Which of (n, 3) projected points lie behind the surface: (n,) bool."""
        depth = cv2.dilate(np.maximum(self.depth, -9), np.ones((2, 2)))
        ij = np.round((points[:, :2] + 0.5) / 2 - 0.5).astype(int)
        ij = np.clip(ij, 0, len(depth) - 1)
        return depth[ij[:, 1], ij[:, 0]] > points[:, 2] + tolerance


def _fill(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Values known here and there -> everywhere, by local means over growing windows."""
    weight = known.astype(np.float32)
    out = values * weight
    filled, have = np.zeros_like(out), np.zeros(out.shape, bool)
    for k, least in ((3, 0.1), (7, 1e-4), (31, 1e-4)):
        num, den = cv2.blur(out, (k, k)), cv2.blur(weight, (k, k))
        new = (den > least) & ~have
        filled[new] = num[new] / den[new]
        have |= new
    rest = float(values[known].mean()) if known.any() else 1.0
    return np.where(have, filled, rest).astype(np.float32)


def mixed(a, b, share: float) -> tuple:
    """The colour ``a`` with a ``share`` of ``b``."""
    return tuple((np.asarray(a, float) * (1 - share) + np.asarray(b, float) * share).tolist())


def darker(colour, factor: float) -> tuple:
    """A colour times a factor."""
    return tuple((np.asarray(colour, float) * factor).tolist())

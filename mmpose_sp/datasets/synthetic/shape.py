"""The 3-D face at rest: its curves and its surface in the head frame.

The head frame (see :class:`~.params.FaceParams`) measures in eye distances; its origin lies midway between the
pupils. Every curve is a cubic spline through a few control points of the left half of the face, mirrored for the
right half, and is lifted onto one surface ``z = depth(x, y)``; the picture and the landmarks of every layout are
taken from the same curves.
"""

from functools import lru_cache
from typing import Dict, Tuple

import numpy as np
from scipy.interpolate import CubicSpline, PchipInterpolator

from .params import FaceParams

# of points along the right half, from the temple to the chin: all x, all y
_CONTOUR = np.array(
    [
        [1.07, 1.1, 1.085, 1.045, 0.985, 0.88, 0.71, 0.49, 0.25, 0.0],
        [-0.24, 0.0, 0.3, 0.58, 0.86, 1.12, 1.345, 1.53, 1.665, 1.715],
    ]
).T
# depth along the outline and along the middle of the face without the nose: all y, all z
_EDGE_Z = np.array(
    [
        [-1.8, -1.0, -0.24, 0.3, 0.6, 0.9, 1.12, 1.345, 1.53, 1.665, 1.715],
        [0.55, 0.1, 0.0, 0.02, 0.08, 0.2, 0.38, 0.62, 0.9, 1.1, 1.2],
    ]
).T
_MIDLINE_Z = np.array(
    [
        [-1.8, -1.5, -1.0, -0.6, -0.25, 0.0, 0.4, 0.75, 1.0, 1.25, 1.5, 1.65, 1.715],
        [0.6, 0.95, 1.27, 1.4, 1.45, 1.37, 1.4, 1.42, 1.45, 1.37, 1.4, 1.3, 1.2],
    ]
).T
# height of the nose above it
_RIDGE = np.array(
    [
        [-0.25, -0.1, 0.05, 0.2, 0.4, 0.54, 0.62, 0.68, 0.735, 0.8],
        [0.02, 0.07, 0.12, 0.22, 0.38, 0.47, 0.42, 0.27, 0.1, 0.0],
    ]
).T


def _table(profile: np.ndarray) -> np.ndarray:
    """A profile sampled so finely that its linear interpolation shades smoothly: (2, n)."""
    y = np.linspace(profile[0, 0], profile[-1, 0], 400)
    return np.stack([y, PchipInterpolator(*profile.T)(y)])


_EDGE_TABLE, _MIDLINE_TABLE = _table(_EDGE_Z), _table(_MIDLINE_Z)


@lru_cache(maxsize=None)
def _spline_basis(controls: int, samples: int) -> np.ndarray:
    t = np.linspace(0, controls - 1, samples)
    return CubicSpline(np.arange(controls), np.eye(controls), bc_type='natural')(t)


def spline(controls, samples: int) -> np.ndarray:
    """(n, d) control points -> (samples, d) points on the uniform natural cubic spline through them."""
    controls = np.asarray(controls, float)
    return _spline_basis(len(controls), samples) @ controls


def _mirror(curve: np.ndarray, side: int) -> np.ndarray:
    return curve * np.array([-side, 1.0]) if side > 0 else curve


class FaceShape:
    """Curves and surface of one face in the head frame.

    Attributes:
        curves: name -> (n, 2) canonical x, y. ``side`` is 'l' or 'r' (of the image) in
            ``brow_top_<side>`` and ``brow_bottom_<side>`` (outer to inner), ``lid_top_<side>`` and
            ``lid_bottom_<side>`` (outer to inner corner); ``lip_top``, ``lip_bottom``, ``lip_inner_top``,
            ``lip_inner_bottom`` (left to right); ``bridge`` (top to tip), ``nose_base`` (left to right);
            ``contour`` (left temple, chin, right temple), ``hairline`` (left to right temple).
        pupils: (2, 2) canonical x, y of the pupils, left of the image first.
    """

    def __init__(self, params: FaceParams):
        p = self.params = params
        self.length, self.drop = p.face_length, 0.36 * p.mouth_open
        self.chin_y = 1.715 * self.length + self.drop
        c = _CONTOUR.copy()
        c[:, 0] *= p.face_width
        c[:, 0] += p.jaw_width * np.array([0, 0, 0.2, 0.5, 0.8, 1, 1, 0.5, 0.2, 0])
        c[:, 0] += p.chin_width * np.array([0, 0, 0, 0, 0, 0.2, 0.7, 1, 0.6, 0])
        c[:, 1] = np.where(c[:, 1] > 0, c[:, 1] * self.length, c[:, 1])
        c[:, 1] += self.drop * np.clip((c[:, 1] - 0.5) / (1.715 * self.length - 0.5), 0, 1) ** 1.5
        half = spline(c, 61)  # right half, temple to chin
        self._half = half
        self._y_to_template = (np.array([-2.0, 0.0, self.chin_y]), np.array([-2.0, 0.0, 1.715]))
        self.nose_y = self.length * p.nose_length
        # clear of the nose in any case
        mouth_y = 0.99 * self.length + 0.06 * (self.nose_y - 1) + p.mouth_height
        self.mouth_y = max(mouth_y, 0.73 * self.nose_y + 0.07 + 0.1 * p.upper_lip + 0.03 * p.mouth_open)
        self._ridge = _table(_RIDGE * [self.nose_y, p.nose_height])
        self.curves: Dict[str, np.ndarray] = {}
        self.curves['contour'] = np.concatenate([half * [-1, 1], half[-2::-1]])
        a = np.linspace(0, np.pi, 41)
        top = c[0]
        self.curves['hairline'] = np.stack([-top[0] * np.cos(a), top[1] - 0.88 * np.sin(a) ** 0.8], -1)
        self._add_eyes_and_brows(p)
        self._add_nose(p)
        self._add_mouth(p)

    # -- curves -----------------------------------------------------------------------------------------------------
    def _add_eyes_and_brows(self, p: FaceParams):
        t = np.linspace(0, 1, 25)
        pupils = []
        for k, (name, side) in enumerate((('l', -1), ('r', 1))):
            cx = -0.5 * p.eye_spacing
            half = 0.205 * p.eye_size
            outer, inner = np.array([cx - half, 0.0 - p.eye_tilt]), np.array([cx + half, 0.025 + p.eye_tilt])
            base = outer + t[:, None] * (inner - outer)
            bulge = (4 * t * (1 - t)) ** 0.75
            squint = 0.3 * p.smile + 0.2 * p.frown
            low = 0.070 * p.eye_size * (1 - 0.6 * squint)
            up = 0.118 * p.eye_size * (1 - 0.25 * squint) * (1 + 0.15 * max(p.brow_raise[k], 0))
            up = up + (-low * 0.75 - up) * p.eye_closure[k]  # the upper lid comes down to the lower one
            skew = 1 + 0.25 * (t - 0.5)  # the highest point lies a little towards the nose
            self.curves[f'lid_top_{name}'] = _mirror(base - np.stack([0 * t, up * bulge * skew], -1), side)
            self.curves[f'lid_bottom_{name}'] = _mirror(base + np.stack([0 * t, low * bulge * (2 - skew)], -1), side)
            middle = (self.curves[f'lid_top_{name}'][12] + self.curves[f'lid_bottom_{name}'][12]) / 2
            opening = abs(up + low)
            pupils.append(middle + np.array([0.055 * p.gaze[0], 0.3 * opening * p.gaze[1]]))

            lift = -0.09 * p.brow_raise[k] + p.brow_height
            arch = 0.07 * p.brow_arch
            frown = p.frown
            height = [-0.17, -0.25 - 0.6 * arch, -0.285 - arch, -0.29 - 0.6 * arch, -0.28]
            centre = np.stack([[-0.94, -0.82, -0.62, -0.40, -0.19], height], -1)
            centre[:, 1] += lift + frown * np.array([-0.02, -0.01, 0.02, 0.06, 0.10])
            centre[:, 0] += frown * np.array([0, 0, 0.01, 0.03, 0.05])
            centre[:, 0] -= 0.5 * (p.eye_spacing - 1)
            thick = 0.037 * p.brow_thickness * np.array([0.05, 0.55, 0.9, 1.05, 0.95])
            for edge, sign in (('top', -1), ('bottom', 1)):
                pts = centre + np.stack([0 * thick, sign * thick], -1)
                if edge == 'bottom':
                    pts[0] = centre[0] + [0, thick[0]]
                self.curves[f'brow_{edge}_{name}'] = _mirror(spline(pts, 33), side)
        self.pupils = np.array(pupils)

    def _add_nose(self, p: FaceParams):
        ny, w = self.nose_y, p.nose_width
        self.tip_y = 0.535 * ny
        y = np.linspace(-0.04, self.tip_y, 25)
        self.curves['bridge'] = np.stack([0 * y, y], -1)
        flare = w * (1 + 0.08 * p.smile)
        base = np.array(
            [[-0.235 * flare, 0.645], [-0.125 * flare, 0.70], [0, 0.73], [0.125 * flare, 0.70], [0.235 * flare, 0.645]]
        )
        self.curves['nose_base'] = spline(base * [1, ny], 33)

    def _add_mouth(self, p: FaceParams):
        y0, w, o, s, f = self.mouth_y, p.mouth_width, p.mouth_open, p.smile, p.frown
        corner = np.array(
            [-0.43 * w * (1 + 0.2 * s - 0.16 * o - 0.06 * f), y0 - 0.09 * s + 0.05 * f + 0.42 * self.drop]
        )
        wide = -corner[0] / 0.43
        thin = 1 - 0.25 * s
        up, low = 0.085 * p.upper_lip * thin, 0.105 * p.lower_lip * thin
        lift = 0.03 * o + 0.02 * s
        gap = 0.012 + 0.012 * s + 0.85 * self.drop + 0.05 * o + 0.05 * s * (o > 0.05)
        seam = np.array([0.0, 0.004, 0.012])  # inner upper lip below y0 at quarter, peak and middle
        start, near, peak = corner + [0.055, 0.003], -0.23 * wide, -0.11 * wide
        tops, lows = y0 + seam - lift * np.array([0.7, 1, 1]), y0 + seam + gap * np.array([0.7, 0.95, 1])
        inner_top = [start, [near, tops[0]], [peak, tops[1]], [0, tops[2]]]
        inner_low = [start, [near, lows[0]], [peak, lows[1]], [0, lows[2]]]
        tops = y0 - 0.62 * up - lift * 0.8, y0 - up - lift, y0 - 0.78 * up - lift
        lows = y0 + 0.72 * low + gap * 0.8, y0 + low + gap * 0.98, y0 + 1.06 * low + gap
        outer_top = [corner, [-0.27 * wide, tops[0]], [-0.105 * wide, tops[1]], [0, tops[2]]]
        outer_low = [corner, [-0.28 * wide, lows[0]], [-0.125 * wide, lows[1]], [0, lows[2]]]
        for q in (inner_top, outer_top):  # a smile lifts the lips with the corners
            q[1] = q[1] + np.array([0, -0.035 * s + 0.02 * f])
        for q in (inner_low, outer_low):
            q[1] = q[1] + np.array([0, -0.03 * s + 0.02 * f])
        lips = dict(lip_top=outer_top, lip_bottom=outer_low, lip_inner_top=inner_top, lip_inner_bottom=inner_low)
        for name, q in lips.items():
            q = np.array(q)
            self.curves[name] = spline(np.concatenate([q, q[-2::-1] * [-1, 1]]), 49)
        self.lip_low_y = y0 + 1.06 * low + gap

    # -- surface ----------------------------------------------------------------------------------------------------
    def half_width(self, y: np.ndarray) -> np.ndarray:
        """Half the width of the face at height ``y``: the contour below the temples, an ellipse above."""
        w = np.interp(y, self._half[:, 1], self._half[:, 0])
        top = self._half[0]
        skull = top[0] * np.sqrt(np.clip(1 - (np.minimum(y - top[1], 0) / 1.62) ** 2, 0.02, None))
        return np.where(y < top[1], skull, w)

    def depth(self, x: np.ndarray, y: np.ndarray, nose: bool = True) -> np.ndarray:
        """z of the surface, with or without the nose, at canonical x, y (shapes that broadcast, of one dtype)."""
        p = self.params
        yt = np.interp(y, *self._y_to_template)
        s = np.clip(np.abs(x) / np.maximum(self.half_width(y), 1e-3).astype(x.dtype), 0, 1)
        edge, mid = (np.interp(yt, *t).astype(x.dtype) for t in (_EDGE_TABLE, _MIDLINE_TABLE))
        z = edge + (mid - edge) * (1 - s**2.3) ** 0.55
        ax = np.abs(x)

        def bump(height, cx, cy, sx, sy):
            return height * np.exp(-(((y - cy) / sy) ** 2)) * np.exp(-(((ax - cx) / sx) ** 2))

        eye = 0.5 * p.eye_spacing
        z = z - bump(0.16, eye - 0.08, 0.0, 0.26, 0.17) + bump(0.07, eye, 0.0, 0.17, 0.12)
        z = z + bump(0.07, 0.35, -0.3, 0.4, 0.12)
        z = z + bump(0.09, 0.62, 0.42, 0.28, 0.22) - bump(0.04, 0.0, self.lip_low_y + 0.1, 0.3, 0.09)
        z = z + bump(0.05, 0.0, self.mouth_y, 0.42, 0.14) + bump(0.06, 0.0, self.chin_y - 0.2, 0.25, 0.15)
        if nose:
            ridge = np.interp(y, *self._ridge, left=0.0, right=0.0).astype(x.dtype)
            width = np.interp(y / self.nose_y, [-0.1, 0.3, 0.55, 0.75], [0.10, 0.125, 0.17, 0.16]).astype(x.dtype)
            z = z + ridge * np.exp(-((ax / (width * p.nose_width)) ** 2))
            z = z + bump(0.14 * p.nose_height, 0.17 * p.nose_width, 0.63 * self.nose_y, 0.09 * p.nose_width, 0.085)
        return z

    def lift(self, xy: np.ndarray, nose: bool = True) -> np.ndarray:
        """Canonical (n, 2) -> (n, 3) on the surface."""
        return np.concatenate([xy, self.depth(xy[:, 0], xy[:, 1], nose)[:, None]], -1)


def surface_grid(shape: FaceShape, columns: int, rows: int) -> Tuple[np.ndarray, np.ndarray]:
    """A mesh (rows, columns, 3) of the face and its outward unit normals in the head frame, float32."""
    y = np.linspace(-1.75, shape.chin_y, rows, dtype=np.float32)[:, None]
    s = np.sin(np.linspace(-np.pi / 2, np.pi / 2, columns, dtype=np.float32))
    x = s * shape.half_width(y).astype(np.float32)
    z = shape.depth(x, y)
    points = np.stack([x, np.broadcast_to(y, x.shape), z], -1)
    # the normal is the cross product of the tangents along a row, (x_s, 0, z_s), and along a column, (x_t, y_t, z_t)
    (x_t, x_s), (z_t, z_s) = np.gradient(x), np.gradient(z)
    y_t = np.float32((shape.chin_y + 1.75) / (rows - 1))
    normals = np.stack([-z_s * y_t, z_s * x_t - x_s * z_t, x_s * y_t], -1)
    normals /= np.maximum(np.sqrt((normals * normals).sum(-1, keepdims=True)), 1e-9)
    return points, normals

"""The 3-D face: curves and surface in the head frame, their projection, and the landmarks of the three layouts.

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

_CENTRE = np.array([0., 0.6, 0.35])  # what the head turns about
_CONTOUR = np.array([[1.07, -.24], [1.10, 0.], [1.085, .30], [1.045, .58], [.985, .86], [.88, 1.12], [.71, 1.345],
                     [.49, 1.53], [.25, 1.665], [0., 1.715]])
# depth along the outline and along the middle of the face without the nose: (y, z)
_EDGE_Z = np.array([[-1.8, .55], [-1.0, .1], [-.24, .0], [.3, .02], [.6, .08], [.9, .2], [1.12, .38], [1.345, .62],
                    [1.53, .9], [1.665, 1.1], [1.715, 1.2]])
_MIDLINE_Z = np.array([[-1.8, .6], [-1.5, .95], [-1.0, 1.27], [-.6, 1.4], [-.25, 1.45], [0., 1.37], [.4, 1.40],
                       [.75, 1.42], [1.0, 1.45], [1.25, 1.37], [1.5, 1.40], [1.65, 1.3], [1.715, 1.2]])
# height of the nose above it
_RIDGE = np.array([[-.25, .02], [-.1, .07], [.05, .12], [.2, .22], [.4, .38], [.54, .47], [.62, .42], [.68, .27],
                   [.735, .10], [.80, .0]])


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


def resample(curve: np.ndarray, fractions: np.ndarray) -> np.ndarray:
    """Points of an open polyline (n, d) at fractions of its length; length counts the first two coordinates."""
    steps = np.hypot(*np.diff(curve[:, :2], axis=0).T)
    s = np.concatenate([[0.], np.cumsum(steps)])
    at = np.asarray(fractions) * s[-1]
    return np.stack([np.interp(at, s, c) for c in curve.T], -1)


def rotation(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """Rotation matrix of the head, angles in degrees: pitch first, then yaw, then roll in the image."""
    (sy, sp, sr), (cy, cp, cr) = (f(np.deg2rad([yaw, pitch, roll])) for f in (np.sin, np.cos))
    rx = np.array([[1, 0, 0], [0, cp, sp], [0, -sp, cp]])
    ry = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    rz = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return rz @ ry @ rx


def _mirror(curve: np.ndarray, side: int) -> np.ndarray:
    return curve * np.array([-side, 1.]) if side > 0 else curve


class FaceShape:
    """Curves and surface of one face in the head frame.

    Attributes:
        curves (dict): name -> (n, 2) canonical x, y. ``side`` is 'l' or 'r' (of the image) in
            ``brow_top_<side>`` and ``brow_bottom_<side>`` (outer to inner), ``lid_top_<side>`` and
            ``lid_bottom_<side>`` (outer to inner corner); ``lip_top``, ``lip_bottom``, ``lip_inner_top``,
            ``lip_inner_bottom`` (left to right); ``bridge`` (top to tip), ``nose_base`` (left to right);
            ``contour`` (left temple, chin, right temple), ``hairline`` (left to right temple).
        pupils (np.ndarray): (2, 2) canonical x, y of the pupils, left of the image first.
    """

    def __init__(self, params: FaceParams):
        p = self.params = params
        self.length, self.drop = p.face_length, .36 * p.mouth_open
        self.chin_y = 1.715 * self.length + self.drop
        c = _CONTOUR.copy()
        c[:, 0] *= p.face_width
        c[:, 0] += p.jaw_width * np.array([0, 0, .2, .5, .8, 1, 1, .5, .2, 0])
        c[:, 0] += p.chin_width * np.array([0, 0, 0, 0, 0, .2, .7, 1, .6, 0])
        c[:, 1] = np.where(c[:, 1] > 0, c[:, 1] * self.length, c[:, 1])
        c[:, 1] += self.drop * np.clip((c[:, 1] - .5) / (1.715 * self.length - .5), 0, 1)**1.5
        half = spline(c, 61)  # right half, temple to chin
        self._half = half
        self._y_to_template = (np.array([-2., 0., self.chin_y]), np.array([-2., 0., 1.715]))
        self.nose_y = self.length * p.nose_length
        self.mouth_y = .99 * self.length + .06 * (self.nose_y - 1) + p.mouth_height
        self._ridge = _table(_RIDGE * [self.nose_y, p.nose_height])
        self.curves: Dict[str, np.ndarray] = {}
        self.curves['contour'] = np.concatenate([half * [-1, 1], half[-2::-1]])
        a = np.linspace(0, np.pi, 41)
        top = c[0]
        self.curves['hairline'] = np.stack([-top[0] * np.cos(a), top[1] - .88 * np.sin(a)**.8], -1)
        self._add_eyes_and_brows(p)
        self._add_nose(p)
        self._add_mouth(p)

    # -- curves -----------------------------------------------------------------------------------------------------
    def _add_eyes_and_brows(self, p: FaceParams):
        t = np.linspace(0, 1, 25)
        pupils = []
        for k, (name, side) in enumerate((('l', -1), ('r', 1))):
            cx = -.5 * p.eye_spacing
            half = .205 * p.eye_size
            outer, inner = np.array([cx - half, .0 - p.eye_tilt]), np.array([cx + half, .025 + p.eye_tilt])
            base = outer + t[:, None] * (inner - outer)
            bulge = (4 * t * (1 - t))**.75
            squint = .3 * p.smile + .2 * p.frown
            low = .070 * p.eye_size * (1 - .6 * squint)
            up = .118 * p.eye_size * (1 - .25 * squint) * (1 + .15 * max(p.brow_raise[k], 0))
            up = up + (-low * .75 - up) * p.eye_closure[k]  # the upper lid comes down to the lower one
            skew = 1 + .25 * (t - .5)  # the highest point lies a little towards the nose
            self.curves[f'lid_top_{name}'] = _mirror(base - np.stack([0 * t, up * bulge * skew], -1), side)
            self.curves[f'lid_bottom_{name}'] = _mirror(base + np.stack([0 * t, low * bulge * (2 - skew)], -1), side)
            middle = (self.curves[f'lid_top_{name}'][12] + self.curves[f'lid_bottom_{name}'][12]) / 2
            opening = abs(up + low)
            pupils.append(middle + np.array([.055 * p.gaze[0], .3 * opening * p.gaze[1]]))

            lift = -.09 * p.brow_raise[k] + p.brow_height
            arch = .07 * p.brow_arch
            frown = p.frown
            centre = np.array([[-.94, -.17], [-.82, -.25 - .6 * arch], [-.62, -.285 - arch], [-.40, -.29 - .6 * arch],
                               [-.19, -.28]])
            centre[:, 1] += lift + frown * np.array([-.02, -.01, .02, .06, .10])
            centre[:, 0] += frown * np.array([0, 0, .01, .03, .05])
            centre[:, 0] -= .5 * (p.eye_spacing - 1)
            thick = .037 * p.brow_thickness * np.array([.05, .55, .9, 1.05, .95])
            for edge, sign in (('top', -1), ('bottom', 1)):
                pts = centre + np.stack([0 * thick, sign * thick], -1)
                if edge == 'bottom':
                    pts[0] = centre[0] + [0, thick[0]]
                self.curves[f'brow_{edge}_{name}'] = _mirror(spline(pts, 33), side)
        self.pupils = np.array(pupils)

    def _add_nose(self, p: FaceParams):
        ny, w = self.nose_y, p.nose_width
        self.tip_y = .535 * ny
        y = np.linspace(-.04, self.tip_y, 25)
        self.curves['bridge'] = np.stack([0 * y, y], -1)
        flare = w * (1 + .08 * p.smile)
        base = np.array([[-.235 * flare, .645], [-.125 * flare, .70], [0, .73], [.125 * flare, .70], [.235 * flare, .645]])
        self.curves['nose_base'] = spline(base * [1, ny], 33)

    def _add_mouth(self, p: FaceParams):
        y0, w, o, s, f = self.mouth_y, p.mouth_width, p.mouth_open, p.smile, p.frown
        corner = np.array([-.43 * w * (1 + .2 * s - .16 * o - .06 * f), y0 - .09 * s + .05 * f + .42 * self.drop])
        wide = -corner[0] / .43
        thin = 1 - .25 * s
        up, low = .085 * p.upper_lip * thin, .105 * p.lower_lip * thin
        lift = .05 * o + .02 * s
        gap = .012 + .012 * s + .85 * self.drop + .05 * o + .05 * s * (o > .05)
        seam = np.array([0., .004, .012])  # inner upper lip below y0 at quarter, peak and middle
        inner_top = [corner + [.055, .003], [-.23 * wide, y0 + seam[0] - lift * .7], [-.11 * wide, y0 + seam[1] - lift],
                     [0, y0 + seam[2] - lift]]
        inner_low = [corner + [.055, .003], [-.23 * wide, y0 + seam[0] + gap * .7], [-.11 * wide, y0 + seam[1] + gap * .95],
                     [0, y0 + seam[2] + gap]]
        outer_top = [corner, [-.27 * wide, y0 - .62 * up - lift * .8], [-.105 * wide, y0 - up - lift],
                     [0, y0 - .78 * up - lift]]
        outer_low = [corner, [-.28 * wide, y0 + .72 * low + gap * .8], [-.125 * wide, y0 + low + gap * .98],
                     [0, y0 + 1.06 * low + gap]]
        for q in (inner_top, outer_top):  # a smile lifts the lips with the corners
            q[1] = q[1] + np.array([0, -.035 * s + .02 * f])
        for q in (inner_low, outer_low):
            q[1] = q[1] + np.array([0, -.03 * s + .02 * f])
        for name, q in (('lip_top', outer_top), ('lip_bottom', outer_low), ('lip_inner_top', inner_top),
                        ('lip_inner_bottom', inner_low)):
            q = np.array(q)
            self.curves[name] = spline(np.concatenate([q, q[-2::-1] * [-1, 1]]), 49)
        self.lip_low_y = y0 + 1.06 * low + gap

    # -- surface ----------------------------------------------------------------------------------------------------
    def half_width(self, y: np.ndarray) -> np.ndarray:
        """Half the width of the face at height ``y``: the contour below the temples, an ellipse above."""
        w = np.interp(y, self._half[:, 1], self._half[:, 0])
        top = self._half[0]
        skull = top[0] * np.sqrt(np.clip(1 - (np.minimum(y - top[1], 0) / 1.62)**2, .02, None))
        return np.where(y < top[1], skull, w)

    def depth(self, x: np.ndarray, y: np.ndarray, nose: bool = True) -> np.ndarray:
        """z of the surface at canonical x, y (any shape); without the nose where ``nose`` is False."""
        p = self.params
        yt = np.interp(y, *self._y_to_template)
        s = np.clip(np.abs(x) / np.maximum(self.half_width(y), 1e-3), 0, 1)
        edge, mid = np.interp(yt, *_EDGE_TABLE), np.interp(yt, *_MIDLINE_TABLE)
        z = edge + (mid - edge) * (1 - s**2.3)**.55
        ax = np.abs(x)

        def bump(height, cx, cy, sx, sy):
            return height * np.exp(-((ax - cx) / sx)**2 - ((y - cy) / sy)**2)

        eye = .5 * p.eye_spacing
        z = z - bump(.16, eye - .08, .0, .26, .17) + bump(.07, eye, .0, .17, .12) + bump(.07, .35, -.3, .4, .12)
        z = z + bump(.09, .62, .42, .28, .22) - bump(.04, 0., self.lip_low_y + .1, .3, .09)
        z = z + bump(.05, 0., self.mouth_y, .42, .14) + bump(.06, 0., self.chin_y - .2, .25, .15)
        if nose:
            ridge = np.interp(y, *self._ridge, left=0., right=0.)
            width = np.interp(y / self.nose_y, [-.1, .3, .55, .75], [.10, .125, .17, .16]) * p.nose_width
            z = z + ridge * np.exp(-(ax / width)**2) + bump(.14 * p.nose_height, .17 * p.nose_width, .63 * self.nose_y,
                                                            .09 * p.nose_width, .085)
        return z

    def lift(self, xy: np.ndarray, nose: bool = True) -> np.ndarray:
        """Canonical (n, 2) -> (n, 3) on the surface."""
        return np.concatenate([xy, self.depth(xy[:, 0], xy[:, 1], nose)[:, None]], -1)


class ProjectedFace:
    """A :class:`FaceShape` in its pose, in the pixels of a square image of side ``size`` (0-based, pixel centres)."""

    def __init__(self, params: FaceParams, size: int):
        self.params, self.size = params, size
        self.shape = FaceShape(params)
        self.rotation = rotation(params.yaw, params.pitch, params.roll)
        self._upright = rotation(params.yaw, params.pitch, 0.)
        self.unit = params.scale * size  # px of one eye distance
        self.origin = np.asarray(params.centre, float) * size - .5
        self.contour = self._silhouette('contour')
        self.hairline = self._silhouette('hairline')
        curves = dict(self.shape.curves, pupils=self.shape.pupils)
        self._projected: Dict[str, np.ndarray] = {}  # (n, 3)
        for names, nose in ((('bridge', 'nose_base'), True), (set(curves) - {'bridge', 'nose_base'}, False)):
            names = sorted(set(names) - {'contour', 'hairline'})
            points = self.project(self.shape.lift(np.concatenate([curves[k] for k in names]), nose))
            ends = np.cumsum([len(curves[k]) for k in names])[:-1]
            self._projected.update(zip(names, np.split(points, ends)))
        self.curves = {k: v[:, :2] for k, v in self._projected.items()}
        self.pupils = self.curves['pupils']

    def project(self, points: np.ndarray) -> np.ndarray:
        """Head frame (..., 3) -> (..., 3): image x, y in px and depth towards the viewer in eye distances."""
        q = (points - _CENTRE) @ self.rotation.T
        q[..., :2] = q[..., :2] * self.unit + self.origin
        return q

    def extreme(self, rows: np.ndarray, side: int) -> np.ndarray:
        """Of each row (n, k, 3) the point whose projection lies farthest to ``side`` before the roll: (n, 3)."""
        reach = side * (rows @ self._upright[0])
        return rows[np.arange(len(rows)), reach.argmax(1)]

    def _silhouette(self, name: str) -> np.ndarray:
        """The curve as seen: where the cheek hides the far edge, the visible outline replaces it, as annotators do."""
        xy = self.shape.curves[name]
        far = int(np.sign(self.params.yaw))
        k = np.linspace(1, 0, 25)
        x = xy[:, :1] * k
        y = np.broadcast_to(xy[:, 1:], x.shape)
        rows = np.stack([x, y, self.shape.depth(x, y, False)], -1)
        pts = rows[:, 0].copy()
        if far:
            hidden = np.sign(xy[:, 0]) == far
            pts[hidden] = self.extreme(rows[hidden], far)
        if name == 'contour':
            self.contour3d = pts
        return self.project(pts)[:, :2]

    def landmarks(self) -> Dict[str, np.ndarray]:
        """Landmarks of every layout: dict(wflw (98, 2), '300w' (68, 2), cofw (29, 2)), 0-based px, float64."""
        return {k: v[:, :2] for k, v in self.landmarks3d().items()}

    def landmarks3d(self) -> Dict[str, np.ndarray]:
        """As :meth:`landmarks` with the depth towards the viewer in eye distances as a third column."""
        c = self._projected
        contour = self.project(self.contour3d)
        middle = len(contour) // 2
        halves = contour[:middle + 1], contour[:middle - 1:-1]  # both from temple to chin

        def outline(n, start):
            f = np.linspace(start, 1, n)
            left, right = (resample(h, f) for h in halves)
            return np.concatenate([left, right[-2::-1]])

        def at(name, fractions):
            curve = c[name]
            i = np.asarray(fractions) * (len(curve) - 1)
            return np.stack([np.interp(i, np.arange(len(curve)), v) for v in curve.T], -1)

        def brow(side, top, bottom):
            return np.concatenate([at(f'brow_top_{side}', top), at(f'brow_bottom_{side}', bottom)])

        def eye(side, inside):
            inside = np.asarray(inside)
            return np.concatenate([at(f'lid_top_{side}', [0, *inside, 1]), at(f'lid_bottom_{side}', inside[::-1])])

        quarters = np.array([0, .25, .5, .75, 1])
        bridge, base = at('bridge', np.array([0, 1, 2, 3]) / 3), at('nose_base', quarters)
        six = np.arange(7) / 6
        mouth = np.concatenate([at('lip_top', six), at('lip_bottom', six[-2:0:-1]),
                                at('lip_inner_top', [0, *six[2:5], 1]), at('lip_inner_bottom', six[4:1:-1])])
        pupils = c['pupils']
        l98, r98 = brow('l', quarters, quarters[:0:-1]), brow('r', quarters, quarters[:0:-1])
        # the right brow and eye run from the nose outwards
        r98 = np.concatenate([r98[4::-1], r98[8:4:-1]])
        el, er = eye('l', quarters[1:4]), eye('r', quarters[1:4])
        er = np.concatenate([er[4::-1], er[:4:-1]])
        wflw = np.concatenate([outline(17, 0.), l98, r98, bridge, base, el, er, mouth, pupils])
        thirds = np.array([1, 2]) / 3
        el6, er6 = eye('l', thirds), eye('r', thirds)
        er6 = np.concatenate([er6[3::-1], er6[:3:-1]])
        w300 = np.concatenate([outline(9, .12), l98[:5], r98[:5], bridge, base, el6, er6, mouth])
        lb, rb = (brow(s, [0, .5, 1], [.5, 1]) for s in 'lr')  # tail, top, inner top, bottom, inner bottom
        cofw = np.stack([
            lb[0], rb[0], (lb[2] + lb[4]) / 2, (rb[2] + rb[4]) / 2, lb[1], lb[3], rb[1], rb[3],
            el[0], er[4], el[4], er[0], el[2], el[6], er[2], er[6], *pupils,
            base[0], base[4], bridge[3], base[2], mouth[0], mouth[6], mouth[3], mouth[14], mouth[18], mouth[9],
            wflw[16]])
        return {'wflw': wflw, '300w': w300, 'cofw': cofw}


def head_outline(face: ProjectedFace, centre, radii, samples: int = 48) -> np.ndarray:
    """Outline (samples, 2) in px of an ellipsoid fixed to the head."""
    r = face.rotation
    cov = (r * np.asarray(radii)**2) @ r.T
    root = np.linalg.cholesky(cov[:2, :2])
    a = np.linspace(0, 2 * np.pi, samples, endpoint=False)
    centre = face.project(np.asarray(centre, float)[None])[0, :2]
    return centre + face.unit * np.stack([np.cos(a), np.sin(a)], -1) @ root.T


def surface_grid(shape: FaceShape, columns: int, rows: int) -> Tuple[np.ndarray, np.ndarray]:
    """A mesh (rows, columns, 3) of the face and its outward unit normals, both in the head frame."""
    y = np.linspace(-1.75, shape.chin_y, rows)[:, None]
    s = np.sin(np.linspace(-np.pi / 2, np.pi / 2, columns))[None]
    x = s * shape.half_width(y)
    y = np.broadcast_to(y, x.shape)
    points = np.stack([x, y, shape.depth(x, y)], -1)
    normals = np.cross(np.gradient(points, axis=1), np.gradient(points, axis=0))
    normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-9)
    return points, normals

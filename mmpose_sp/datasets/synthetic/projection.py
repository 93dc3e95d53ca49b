"""The face in its pose: projected curves, the visible outline, and the landmarks of the three layouts."""

from typing import Dict

import numpy as np

from .params import FaceParams
from .shape import FaceShape

_CENTRE = np.array([0.0, 0.6, 0.35])  # what the head turns about, in the head frame


def resample(curve: np.ndarray, fractions: np.ndarray) -> np.ndarray:
    """Points of an open polyline (n, d) at fractions of its length; length counts the first two coordinates."""
    steps = np.hypot(*np.diff(curve[:, :2], axis=0).T)
    s = np.concatenate([[0.0], np.cumsum(steps)])
    at = np.asarray(fractions) * s[-1]
    return np.stack([np.interp(at, s, c) for c in curve.T], -1)


def rotation(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """Rotation matrix of the head, angles in degrees: pitch first, then yaw, then roll in the image."""
    (sy, sp, sr), (cy, cp, cr) = (f(np.deg2rad([yaw, pitch, roll])) for f in (np.sin, np.cos))
    rx = np.array([[1, 0, 0], [0, cp, sp], [0, -sp, cp]])
    ry = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    rz = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return rz @ ry @ rx


class ProjectedFace:
    """A :class:`FaceShape` in its pose, in the pixels of a square image of side ``size`` (0-based, pixel centres)."""

    def __init__(self, params: FaceParams, size: int):
        self.params, self.size = params, size
        self.shape = FaceShape(params)
        self.rotation = rotation(params.yaw, params.pitch, params.roll)
        self._upright = rotation(params.yaw, params.pitch, 0.0)
        self.unit = params.scale * size  # px of one eye distance
        self.origin = np.asarray(params.centre, float) * size - 0.5
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
        q = (points - _CENTRE.astype(points.dtype)) @ self.rotation.T.astype(points.dtype)
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
        halves = contour[: middle + 1], contour[: middle - 1 : -1]  # both from temple to chin

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

        quarters = np.array([0, 0.25, 0.5, 0.75, 1])
        bridge, base = at('bridge', np.array([0, 1, 2, 3]) / 3), at('nose_base', quarters)
        six = np.arange(7) / 6
        outer = at('lip_top', six), at('lip_bottom', six[-2:0:-1])
        mouth = np.concatenate([*outer, at('lip_inner_top', [0, *six[2:5], 1]), at('lip_inner_bottom', six[4:1:-1])])
        pupils = c['pupils']
        l98, r98 = brow('l', quarters, quarters[:0:-1]), brow('r', quarters, quarters[:0:-1])
        # the right brow and eye run from the nose outwards
        r98 = np.concatenate([r98[4::-1], r98[8:4:-1]])
        el, er = eye('l', quarters[1:4]), eye('r', quarters[1:4])
        er = np.concatenate([er[4::-1], er[:4:-1]])
        wflw = np.concatenate([outline(17, 0.0), l98, r98, bridge, base, el, er, mouth, pupils])
        thirds = np.array([1, 2]) / 3
        el6, er6 = eye('l', thirds), eye('r', thirds)
        er6 = np.concatenate([er6[3::-1], er6[:3:-1]])
        w300 = np.concatenate([outline(9, 0.12), l98[:5], r98[:5], bridge, base, el6, er6, mouth])
        lb, rb = (brow(s, [0, 0.5, 1], [0.5, 1]) for s in 'lr')  # tail, top, inner top, bottom, inner bottom
        brows = [lb[0], rb[0], (lb[2] + lb[4]) / 2, (rb[2] + rb[4]) / 2, lb[1], lb[3], rb[1], rb[3]]
        eyes = [el[0], er[4], el[4], er[0], el[2], el[6], er[2], er[6], *pupils]
        cofw = np.stack([*brows, *eyes, base[0], base[4], bridge[3], base[2], *mouth[[0, 6, 3, 14, 18, 9]], wflw[16]])
        return {'wflw': wflw, '300w': w300, 'cofw': cofw}


def head_outline(face: ProjectedFace, centre, radii, samples: int = 48) -> np.ndarray:
    """Outline (samples, 2) in px of an ellipsoid fixed to the head."""
    r = face.rotation
    cov = (r * np.asarray(radii) ** 2) @ r.T
    root = np.linalg.cholesky(cov[:2, :2])
    a = np.linspace(0, 2 * np.pi, samples, endpoint=False)
    centre = face.project(np.asarray(centre, float)[None])[0, :2]
    return centre + face.unit * np.stack([np.cos(a), np.sin(a)], -1) @ root.T

"""Things in front of a face."""

from typing import Tuple

import cv2
import numpy as np

from .appearance import lens
from .params import FaceParams
from .projection import ProjectedFace
from .raster import Canvas


def draw_occluder(
    image: np.ndarray, face: ProjectedFace, kind: str, rng: np.random.Generator, p: FaceParams
) -> Tuple[np.ndarray, np.ndarray]:
    """Draws an occluder; returns the picture and its mask (H, W) uint8."""
    try:
        draw = {'sunglasses': _sunglasses, 'hand': _hand, 'object': _object, 'stripe': _stripe, 'mask': _mask}[kind]
    except KeyError:
        raise ValueError(f'unknown occluder {kind!r}; known are sunglasses, hand, object, stripe, mask') from None
    canvas, mask = Canvas(image), Canvas(np.zeros(image.shape[:2], np.uint8))
    draw(canvas, mask, face, rng, p)
    a = mask.finish()
    return canvas.finish(), a


def _gain(p: FaceParams) -> float:
    return {'low_key': 0.3, 'side': 0.7, 'overexposed': 1.2}.get(p.light, 0.95)


def _both(canvas: Canvas, mask: Canvas, points, colour):
    canvas.polygon(points, colour)
    mask.polygon(points, 255)


def _target(face: ProjectedFace, rng) -> np.ndarray:
    """A landmark towards which an occluder is pushed."""
    points = face.landmarks()['wflw']
    return points[int(rng.integers(len(points)))]


def _sunglasses(canvas, mask, face, rng, p):
    u = face.unit
    colour = tuple((rng.uniform(5, 45, 3)).tolist())
    for side in (-1, 1):
        q = face.project(lens(side, 0.38, 0.28, 0.05))[:, :2]
        _both(canvas, mask, q, colour)
        shine = q.mean(0) + 0.55 * (q[[18, 20, 22, 24]] - q.mean(0))
        canvas.line(shine, tuple(min(255, c + 70) for c in colour), 0.03 * u)
    bridge = face.project(np.array([[-0.14, -0.02, 1.5], [0, -0.06, 1.52], [0.14, -0.02, 1.5]]))[:, :2]
    canvas.line(bridge, colour, 0.06 * u)


def _hand(canvas, mask, face, rng, p):
    u = face.unit
    skin = np.asarray(p.skin) * _gain(p) * rng.uniform(0.8, 1.0)
    skin, dark = tuple(skin.tolist()), tuple((skin * 0.6).tolist())
    target = _target(face, rng)
    centre = np.full(2, face.size / 2.0)
    side = 1.0 if target[0] >= centre[0] else -1.0
    angle = np.deg2rad(rng.uniform(20, 70))
    d = np.array([-side * np.cos(angle), -np.sin(angle)])  # fingers point up and inwards
    n = np.array([-d[1], d[0]])
    palm = target - d * 0.35 * u

    def blob(c, along, half, length):
        a = np.linspace(0, 2 * np.pi, 28, endpoint=False)
        cosine, sine = np.cos(a), np.sin(a)
        e = np.stack([np.sign(v) * np.abs(v) ** 0.5 * r for v, r in ((cosine, length), (sine, half))], -1)
        return c + e[:, :1] * along + e[:, 1:] * np.array([-along[1], along[0]])

    arm = blob(palm - d * 1.6 * u, d, 0.33 * u, 1.5 * u)
    _both(canvas, mask, arm, skin)
    for k in range(4):
        spread = (k - 1.5) * 0.08
        f = d * np.cos(spread) + n * np.sin(spread)
        c = palm + n * (k - 1.5) * 0.215 * u + f * (0.55 + 0.1 * (k in (1, 2))) * u
        finger = blob(c, f, 0.1 * u, 0.45 * u)
        _both(canvas, mask, finger, skin)
        canvas.line(finger, dark, 0.02 * u, closed=True)
    hand = blob(palm, d, 0.43 * u, 0.42 * u)
    _both(canvas, mask, hand, skin)
    thumb = palm + n * side * 0.5 * u
    t = blob(thumb, (d + n * side * 0.8) / np.hypot(*(d + n * side * 0.8)), 0.11 * u, 0.32 * u)
    _both(canvas, mask, t, skin)
    canvas.line(t, dark, 0.02 * u, closed=True)


def _object(canvas, mask, face, rng, p):
    u = face.unit
    colour = rng.uniform(10, 240, 3) * _gain(p)
    target = _target(face, rng)
    half = rng.uniform(0.35, 0.7, 2) * u
    turn = float(rng.uniform(0, 180))
    if rng.random() < 0.5:
        points = cv2.boxPoints((tuple(map(float, target)), tuple((2 * half).tolist()), turn))
    else:
        a = np.linspace(0, 2 * np.pi, 32, endpoint=False)
        points = target + half.mean() * np.stack([np.cos(a), np.sin(a)], -1)
    _both(canvas, mask, points, tuple(colour.tolist()))
    inner = points.mean(0) + 0.7 * (points - points.mean(0))
    canvas.polygon(inner, tuple(np.clip(colour * rng.uniform(0.5, 1.5), 0, 255).tolist()))


def _stripe(canvas, mask, face, rng, p):
    u = face.unit
    target = _target(face, rng)
    a = rng.uniform(0, np.pi)
    d = np.array([np.cos(a), np.sin(a)]) * 2 * face.size
    n = np.array([-np.sin(a), np.cos(a)]) * rng.uniform(0.12, 0.26) * u
    colour = rng.uniform(10, 240, 3) * _gain(p)
    _both(
        canvas, mask, np.array([target - d - n, target + d - n, target + d + n, target - d + n]), tuple(colour.tolist())
    )
    canvas.line(np.array([target - d, target + d]), tuple((colour * 0.7).tolist()), 0.06 * u)


def _mask(canvas, mask, face, rng, p):
    """A face mask over nose, mouth and chin."""
    u, shape = face.unit, face.shape
    colour = np.array([[225.0, 215.0, 190.0], [235.0, 235.0, 235.0], [60.0, 55.0, 50.0]])[int(rng.integers(3))] * _gain(
        p
    )
    n = len(face.contour)
    low = face.contour[int(n * 0.24) : n - int(n * 0.24)]
    top = np.array([[0.75, 0.42], [0.3, 0.28], [0.0, 0.22], [-0.3, 0.28], [-0.75, 0.42]]) * [1, shape.length]
    top = face.project(shape.lift(top))[:, :2]
    middle = face.contour[n // 2]
    points = np.concatenate([middle + 1.03 * (low - middle) + [0, 0.02 * u], top])
    _both(canvas, mask, points, tuple(colour.tolist()))
    for k in (0.3, 0.5, 0.7):
        i = np.linspace(0, 1, 9)
        a = low[[0, -1]].mean(0)
        left, right = low[int(len(low) * 0.18 * k)], low[-1 - int(len(low) * 0.18 * k)]
        line = left + i[:, None] * (right - left) + np.sin(i * np.pi)[:, None] * (middle - a) * k * 0.3
        canvas.line(line, tuple((colour * 0.8).tolist()), 0.02 * u)

"""The head, painted without light from back to front with the projected curves."""

import numpy as np

from .features import draw_beard, draw_brow, draw_eye, draw_folds, draw_mouth, draw_nose, draw_sockets, nose_outline
from .projection import ProjectedFace, head_outline
from .raster import Canvas, darker
from .shape import spline

_ARC = np.linspace(0, np.pi, 41)
_CIRCLE = np.linspace(0, 2 * np.pi, 32, endpoint=False)


def draw_head(canvas: Canvas, face: ProjectedFace, rng: np.random.Generator) -> Canvas:
    """Paints body, hair and face without light; returns the mask (a canvas) of what the face surface covers."""
    p = face.params
    outline = np.concatenate([face.contour, face.hairline[::-1]])
    nose = nose_outline(face)
    mask = Canvas(np.zeros((face.size, face.size), np.uint8))
    mask.polygon(outline, 255)
    mask.polygon(nose, 255)

    _hair_behind(canvas, face, rng)
    _neck_and_clothes(canvas, face, rng)
    _scalp(canvas, mask, face, rng)
    _ears(canvas, face)
    canvas.polygon(outline, p.skin)
    draw_sockets(canvas, face)
    draw_folds(canvas, face)
    for side, name in enumerate('lr'):
        draw_eye(canvas, face, side, name)
        draw_brow(canvas, face, name)
    draw_beard(canvas, face)
    draw_mouth(canvas, face)
    draw_nose(canvas, face, nose)
    if p.hair_style != 'bald':
        _hair_front(canvas, face, rng)
    if p.glasses:
        _glasses(canvas, face)
    return mask


def _strands(canvas: Canvas, curves: np.ndarray, colour, unit: float, width: float = 0.014):
    """Hairs (count, n, 2), some a little darker and some a little lighter than ``colour``."""
    for k, shade in enumerate((0.72, 0.86, 1.18, 1.36)):
        tone = np.clip(np.asarray(colour) * shade + (5 if shade > 1 else 0), 0, 255).tolist()
        canvas.lines(curves[k::4], tone, width * unit)


def _along(curve: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Points (..., 2) of polylines (..., n, 2) at parameters t (...) in [0, 1]."""
    last = curve.shape[-2] - 1
    at = np.clip(t, 0, 1) * last
    low = np.minimum(at.astype(int), last - 1)
    ends = (curve[low + k] if curve.ndim == 2 else np.take_along_axis(curve, (low + k)[..., None], -2) for k in (0, 1))
    a, b = ends
    return a + (at - low)[..., None] * (b - a)


def _hair_behind(canvas: Canvas, face: ProjectedFace, rng):
    p, u = face.params, face.unit
    if p.hair_style != 'long':
        return
    colour = darker(p.hair, 0.88)
    length = rng.uniform(1.6, 2.5)
    left = spline([[-1.0, -0.6], [-1.32, 0.3], [-1.40, 1.1], [-1.30, length], [-0.75, length + 0.12]], 24)
    xy = np.concatenate([left, left[::-1] * [-1, 1]])
    fall = face.project(np.concatenate([xy, np.full((len(xy), 1), -0.35)], -1))[:, :2]
    canvas.polygon(fall, colour)
    t = rng.uniform(0, 1, (60, 1, 1))
    a, b = fall[:24][None, 4:22:3], fall[::-1][:24][None, 4:22:3]
    _strands(canvas, a + t * (b - a), colour, u, 0.02)


def _neck_and_clothes(canvas: Canvas, face: ProjectedFace, rng):
    p, u = face.params, face.unit
    neck = face.project(np.array([[0.0, 1.15, -0.2]]))[0, :2]
    w = 0.60 * p.face_width
    side = spline([[w, -0.5], [w * 0.96, 0.3], [w, 0.8], [w + 0.25, 1.05], [1.5, 1.35]], 20)
    skin = np.concatenate([side, [[1.5, 2.0], [-1.5, 2.0]], side[::-1] * [-1, 1]])
    skin = neck + u * skin
    canvas.polygon(skin, darker(p.skin, 0.82))
    # the shadow of the jaw on the neck makes the jaw line visible
    n = len(face.contour)
    jaw = face.contour[n // 6 : n - n // 6]
    canvas.inside(
        skin, lambda c: c.blend(np.concatenate([jaw, jaw[::-1] + [0, 0.3 * u]]), darker(p.skin, 0.4), 0.8, 0.06 * u)
    )
    deep = rng.uniform(0.15, 0.6) if rng.random() < 0.5 else 0.0
    collar = spline(
        [[-w - 0.22, 0.98], [-0.35, 1.22 + deep * 0.5], [0, 1.27 + deep], [0.35, 1.22 + deep * 0.5], [w + 0.22, 0.98]],
        25,
    )
    shoulder = spline([[w + 0.22, 0.98], [1.2, 1.2], [1.75, 1.5], [2.1, 2.2], [2.3, 4.0]], 20)
    cloth = neck + u * np.concatenate([collar, shoulder, shoulder[::-1] * [-1, 1]])
    canvas.polygon(cloth, p.clothes)
    canvas.line(cloth[:25], darker(p.clothes, 0.7), 0.06 * u)


def _scalp(canvas: Canvas, mask: Canvas, face: ProjectedFace, rng):
    p, u = face.params, face.unit
    bald = p.hair_style == 'bald'
    volume = rng.uniform(1.04, 1.14)
    skull = head_outline(
        face, [0, -0.36, 0.02], np.array([1.12 * p.face_width, 1.42, 1.42]) * (0.93 if bald else volume)
    )
    if bald:
        canvas.polygon(skull, p.skin)
        mask.polygon(skull, 255)
        return
    waves = rng.normal(0, rng.choice((0.003, 0.02)), 16)  # a smooth or an uneven head of hair
    rough = 1 + spline(np.concatenate([waves, waves[:1]])[:, None], len(skull))
    skull = skull.mean(0) + rough * (skull - skull.mean(0))
    canvas.polygon(skull, p.hair)
    # combed from a parting to both temples: strands run between the hair line and arcs farther back on the skull
    part = rng.uniform(0.25, 0.75)
    arcs = np.stack([face.hairline] + [_skull_arc(face, z, volume) for z in (0.5, -0.4, -1.15)])
    r = np.sort(rng.uniform(0, 3, 110))
    i = np.minimum(r.astype(int), 2)
    t = part + np.linspace(0, 1, 10) * np.where(rng.random((110, 1)) < part, -part, 1 - part)
    a, b = (_along(arcs[i + k], t) for k in (0, 1))
    order = rng.permutation(110)
    strands = (a + (r - i)[:, None, None] * (b - a))[order]
    canvas.inside(skull, lambda c: _strands(c, strands, p.hair, u))


def _skull_arc(face: ProjectedFace, z: float, volume: float = 1.04) -> np.ndarray:
    """An arc over the hair from left to right at depth z of the head frame: (41, 2) px."""
    radius = 1.01 * volume * np.sqrt(max(1 - (z / 1.55) ** 2, 0))
    lower = np.interp(z, [-1.15, 0.5], [0.9, 0.1])  # radians: hair reaches lower behind the ears
    a = np.linspace(-lower, np.pi + lower, len(_ARC))
    arc = np.stack(
        [-1.12 * face.params.face_width * radius * np.cos(a), -0.36 - 1.4 * radius * np.sin(a), np.full(len(a), z)], -1
    )
    return face.project(arc)[:, :2]


def _ears(canvas: Canvas, face: ProjectedFace):
    p, u = face.params, face.unit
    if p.hair_style == 'long':
        return
    w = float(face.shape.half_width(np.array(0.2)))
    lobe = 1 - 0.3 * np.clip(np.sin(_CIRCLE), 0, 1)
    out = (1 + np.cos(_CIRCLE)) * lobe
    for side in (-1, 1):
        ear = np.stack([side * (w - 0.04 + 0.085 * out), 0.20 + 0.33 * np.sin(_CIRCLE), 0.06 - 0.15 * out], -1)
        xy = face.project(ear)[:, :2]
        canvas.polygon(xy, darker(p.skin, 0.9))
        inner = xy.mean(0) + 0.62 * (xy - xy.mean(0))
        canvas.line(inner[[20, 23, 26, 29, 0, 3, 6, 8]], darker(p.skin, 0.6), 0.035 * u)


def _hair_front(canvas: Canvas, face: ProjectedFace, rng):
    """Hair that falls over the hair line: a little, or a fringe over the forehead."""
    p, u = face.params, face.unit
    line = face.hairline
    depth = 0.5 if p.hair_style == 'fringe' else rng.uniform(0.05, 0.2)
    middle = face.contour[[0, -1]].mean(0)
    lean = rng.uniform(-0.6, 0.6)
    weight = depth * np.sin(_ARC) ** 0.7 * (1 + lean * np.cos(_ARC))
    fall = line + (middle - line) * weight[:, None]
    canvas.polygon(np.concatenate([line, fall[::-1]]), p.hair)
    t = rng.uniform(0.12, 0.88, 70)
    slope = rng.uniform(-0.12, 0.12)
    root, tip = _along(_skull_arc(face, 0.9), t), _along(fall, np.clip(t + slope, 0, 1))
    mid = _along(line, np.clip(t + slope * 0.3, 0, 1))
    s = np.linspace(0, 1, 6)[None, :, None]
    root, mid, tip = (v[:, None] for v in (0.5 * root + 0.5 * mid, mid, tip))
    _strands(canvas, (1 - s) ** 2 * root + 2 * s * (1 - s) * mid + s**2 * tip, p.hair, u)


def _glasses(canvas: Canvas, face: ProjectedFace):
    u = face.unit
    frame = (40.0, 35.0, 30.0)
    for side in (-1, 1):
        rim = lens(side, 0.34, 0.25, 0.03)
        canvas.line(face.project(rim)[:, :2], frame, 0.035 * u, closed=True)
        if side * np.sin(np.deg2rad(face.params.yaw)) < 0.3:
            temple = np.array([[side * 0.84, 0.0, 1.16], [side * 1.13, 0.02, 0.1]])
            canvas.line(face.project(temple)[:, :2], frame, 0.035 * u)
    bridge = face.project(np.array([[-0.16, 0.0, 1.5], [0, -0.05, 1.54], [0.16, 0.0, 1.5]]))[:, :2]
    canvas.line(bridge, frame, 0.035 * u)


def lens(side: int, half_width: float, half_height: float, y: float) -> np.ndarray:
    """The rim of a spectacle lens in the head frame, bent around the face: (32, 3)."""
    c, s = np.cos(_CIRCLE), np.sin(_CIRCLE)
    xy = np.stack(
        [side * 0.5 + half_width * np.sign(c) * np.abs(c) ** 0.7, y + half_height * np.sign(s) * np.abs(s) ** 0.7], -1
    )
    return np.concatenate([xy, 1.52 - 0.5 * xy[:, :1] ** 2], -1)

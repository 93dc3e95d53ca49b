"""The head, painted without light from back to front with the projected curves."""
import numpy as np

from .features import draw_beard, draw_brow, draw_eye, draw_folds, draw_mouth, draw_nose, draw_sockets, nose_outline
from .raster import Canvas, darker
from .shape import ProjectedFace, head_outline, spline

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


def _strands(canvas: Canvas, curves: np.ndarray, colour, unit: float, width: float = .014):
    """Hairs (count, n, 2), some a little darker and some a little lighter than ``colour``."""
    for k, shade in enumerate((.72, .86, 1.18, 1.36)):
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
    colour = darker(p.hair, .88)
    length = rng.uniform(1.6, 2.5)
    left = spline([[-1.0, -.6], [-1.32, .3], [-1.40, 1.1], [-1.30, length], [-.75, length + .12]], 24)
    xy = np.concatenate([left, left[::-1] * [-1, 1]])
    fall = face.project(np.concatenate([xy, np.full((len(xy), 1), -.35)], -1))[:, :2]
    canvas.polygon(fall, colour)
    t = rng.uniform(0, 1, (60, 1, 1))
    a, b = fall[:24][None, 4:22:3], fall[::-1][:24][None, 4:22:3]
    _strands(canvas, a + t * (b - a), colour, u, .02)


def _neck_and_clothes(canvas: Canvas, face: ProjectedFace, rng):
    p, u = face.params, face.unit
    neck = face.project(np.array([[0., 1.15, -.2]]))[0, :2]
    w = .60 * p.face_width
    side = spline([[w, -.5], [w * .96, .3], [w, .8], [w + .25, 1.05], [1.5, 1.35]], 20)
    skin = np.concatenate([side, [[1.5, 2.], [-1.5, 2.]], side[::-1] * [-1, 1]])
    skin = neck + u * skin
    canvas.polygon(skin, darker(p.skin, .82))
    # the shadow of the jaw on the neck makes the jaw line visible
    n = len(face.contour)
    jaw = face.contour[n // 6: n - n // 6]
    canvas.inside(skin, lambda c: c.blend(np.concatenate([jaw, jaw[::-1] + [0, .3 * u]]),
                                            darker(p.skin, .4), .8, .06 * u))
    deep = rng.uniform(.15, .6) if rng.random() < .5 else 0.
    collar = spline([[-w - .22, .98], [-.35, 1.22 + deep * .5], [0, 1.27 + deep], [.35, 1.22 + deep * .5], [w + .22, .98]], 25)
    shoulder = spline([[w + .22, .98], [1.2, 1.2], [1.75, 1.5], [2.1, 2.2], [2.3, 4.]], 20)
    cloth = neck + u * np.concatenate([collar, shoulder, shoulder[::-1] * [-1, 1]])
    canvas.polygon(cloth, p.clothes)
    canvas.line(cloth[:25], darker(p.clothes, .7), .06 * u)


def _scalp(canvas: Canvas, mask: Canvas, face: ProjectedFace, rng):
    p, u = face.params, face.unit
    bald = p.hair_style == 'bald'
    volume = rng.uniform(1.04, 1.14)
    skull = head_outline(face, [0, -.36, .02], np.array([1.12 * p.face_width, 1.42, 1.42]) * (.93 if bald else volume))
    if bald:
        canvas.polygon(skull, p.skin)
        mask.polygon(skull, 255)
        return
    waves = rng.normal(0, rng.choice((.003, .02)), 16)  # a smooth or an uneven head of hair
    rough = 1 + spline(np.concatenate([waves, waves[:1]])[:, None], len(skull))
    skull = skull.mean(0) + rough * (skull - skull.mean(0))
    canvas.polygon(skull, p.hair)
    # combed from a parting to both temples: strands run between the hair line and arcs farther back on the skull
    part = rng.uniform(.25, .75)
    arcs = np.stack([face.hairline] + [_skull_arc(face, z, volume) for z in (.5, -.4, -1.15)])
    r = np.sort(rng.uniform(0, 3, 110))
    i = np.minimum(r.astype(int), 2)
    t = part + np.linspace(0, 1, 10) * np.where(rng.random((110, 1)) < part, -part, 1 - part)
    a, b = (_along(arcs[i + k], t) for k in (0, 1))
    order = rng.permutation(110)
    strands = (a + (r - i)[:, None, None] * (b - a))[order]
    canvas.inside(skull, lambda c: _strands(c, strands, p.hair, u))


def _skull_arc(face: ProjectedFace, z: float, volume: float = 1.04) -> np.ndarray:
    """An arc over the hair from the left to the right ear at depth z of the head frame: (41, 2) px."""
    radius = 1.01 * volume * np.sqrt(max(1 - (z / 1.55)**2, 0))
    drop = np.interp(z, [-1.2, .5], [.35, 0])
    arc = np.stack([-1.12 * face.params.face_width * radius * np.cos(_ARC),
                    -.3 + drop - 1.44 * radius * np.sin(_ARC) + .2 * np.abs(np.cos(_ARC))**4,
                    np.full(len(_ARC), z)], -1)
    return face.project(arc)[:, :2]


def _ears(canvas: Canvas, face: ProjectedFace):
    p, u = face.params, face.unit
    if p.hair_style == 'long':
        return
    w = float(face.shape.half_width(np.array(.2)))
    lobe = 1 - .3 * np.clip(np.sin(_CIRCLE), 0, 1)
    out = (1 + np.cos(_CIRCLE)) * lobe
    for side in (-1, 1):
        ear = np.stack([side * (w - .04 + .085 * out), .20 + .33 * np.sin(_CIRCLE), .06 - .15 * out], -1)
        xy = face.project(ear)[:, :2]
        canvas.polygon(xy, darker(p.skin, .9))
        inner = xy.mean(0) + .62 * (xy - xy.mean(0))
        canvas.line(inner[[20, 23, 26, 29, 0, 3, 6, 8]], darker(p.skin, .6), .035 * u)


def _hair_front(canvas: Canvas, face: ProjectedFace, rng):
    """Hair that falls over the hair line: a little, or a fringe over the forehead."""
    p, u = face.params, face.unit
    line = face.hairline
    depth = .5 if p.hair_style == 'fringe' else rng.uniform(.05, .2)
    middle = face.contour[[0, -1]].mean(0)
    lean = rng.uniform(-.6, .6)
    weight = depth * np.sin(_ARC)**.7 * (1 + lean * np.cos(_ARC))
    fall = line + (middle - line) * weight[:, None]
    canvas.polygon(np.concatenate([line, fall[::-1]]), p.hair)
    t = rng.uniform(.12, .88, 70)
    slope = rng.uniform(-.12, .12)
    root, tip = _along(_skull_arc(face, .9), t), _along(fall, np.clip(t + slope, 0, 1))
    mid = _along(line, np.clip(t + slope * .3, 0, 1))
    s = np.linspace(0, 1, 6)[None, :, None]
    root, mid, tip = (v[:, None] for v in (.5 * root + .5 * mid, mid, tip))
    _strands(canvas, (1 - s)**2 * root + 2 * s * (1 - s) * mid + s**2 * tip, p.hair, u)


def _glasses(canvas: Canvas, face: ProjectedFace):
    u = face.unit
    frame = (40., 35., 30.)
    for side in (-1, 1):
        rim = lens(side, .34, .25, .03)
        canvas.line(face.project(rim)[:, :2], frame, .035 * u, closed=True)
        if side * np.sin(np.deg2rad(face.params.yaw)) < .3:
            temple = np.array([[side * .84, .0, 1.16], [side * 1.13, .02, .1]])
            canvas.line(face.project(temple)[:, :2], frame, .035 * u)
    bridge = face.project(np.array([[-.16, .0, 1.5], [0, -.05, 1.54], [.16, .0, 1.5]]))[:, :2]
    canvas.line(bridge, frame, .035 * u)


def lens(side: int, half_width: float, half_height: float, y: float) -> np.ndarray:
    """The rim of a spectacle lens in the head frame, bent around the face: (32, 3)."""
    c, s = np.cos(_CIRCLE), np.sin(_CIRCLE)
    xy = np.stack([side * .5 + half_width * np.sign(c) * np.abs(c)**.7, y + half_height * np.sign(s) * np.abs(s)**.7], -1)
    return np.concatenate([xy, 1.52 - .5 * xy[:, :1]**2], -1)

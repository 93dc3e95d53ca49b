"""Eyes, brows, nose, mouth and beard, painted exactly where the curves say."""

import numpy as np

from .projection import ProjectedFace
from .raster import Canvas, darker, mixed

_CIRCLE = np.linspace(0, 2 * np.pi, 24, endpoint=False)
_UNIT_CIRCLE = np.stack([np.cos(_CIRCLE), np.sin(_CIRCLE)], -1)


def _band(curve: np.ndarray, low, high) -> np.ndarray:
    """The polygon between a curve shifted by ``low`` and by ``high`` px."""
    return np.concatenate([curve + low, (curve + high)[::-1]])


def draw_sockets(canvas: Canvas, face: ProjectedFace):
    """Shade between eye and brow, eye shadow, shade below the eye, and colour on the cheeks."""
    p, u, c, shape = face.params, face.unit, face.curves, face.shape
    for side, name in ((-1, 'l'), (1, 'r')):
        top, bottom = c[f'lid_top_{name}'], c[f'lid_bottom_{name}']
        brow = c[f'brow_bottom_{name}'][np.linspace(2, 32, 25).astype(int)]
        hollow = np.concatenate([top, (top * 0.4 + brow * 0.6)[::-1]])
        canvas.blend(hollow, darker(p.skin, 0.72), 0.4, 0.05 * u)
        if p.eye_shadow is not None:
            canvas.blend(hollow, p.eye_shadow, 0.75, 0.025 * u)
        canvas.blend(_band(bottom, 0, [0, 0.08 * u]), darker(p.skin, 0.78), 0.3, 0.03 * u)
        cheek = np.stack([side * 0.64 + 0.25 * _UNIT_CIRCLE[:, 0], 0.5 * shape.length + 0.16 * _UNIT_CIRCLE[:, 1]], -1)
        red = mixed(p.skin, (95.0, 85.0, 225.0), 0.8) if p.blush > 0 else mixed(p.skin, (90.0, 100.0, 215.0), 0.35)
        canvas.blend(face.project(shape.lift(cheek, False))[:, :2], red, 0.2 + 0.4 * p.blush, 0.1 * u)


def draw_folds(canvas: Canvas, face: ProjectedFace):
    """The folds from the wings of the nose to the corners of the mouth, deeper with a smile."""
    p, u, shape = face.params, face.unit, face.shape
    for corner, side in zip(shape.curves['lip_top'][[0, -1]], (-1, 1)):
        top, middle = [side * 0.28 * p.nose_width, 0.60 * shape.nose_y], [side * 0.42, 0.77 * shape.length]
        fold = np.array([top, middle, corner + [side * 0.08, -0.03]])
        xy = face.project(shape.lift(fold, False))[:, :2]
        canvas.blend(_band(xy, 0, [0.03 * u, 0.02 * u]), darker(p.skin, 0.6), 0.2 + 0.5 * p.smile, 0.02 * u)


def draw_eye(canvas: Canvas, face: ProjectedFace, side: int, name: str):
    p, u, c = face.params, face.unit, face.curves
    top, bottom = c[f'lid_top_{name}'], c[f'lid_bottom_{name}']
    opening = np.concatenate([top, bottom[::-1]])
    squeeze = np.array([0.25 + 0.75 * np.cos(np.deg2rad(p.yaw)), 1.0])

    def ball(cv: Canvas):
        cv.polygon(opening, mixed((236.0, 238.0, 242.0), p.skin, 0.08))
        cv.line(_towards(top, bottom, 0.1), mixed((150.0, 155.0, 165.0), p.skin, 0.3), 0.05 * u)  # the lid's shadow
        r = 0.118 * u * (0.85 + 0.15 * p.eye_size)
        centre = face.pupils[side]
        cv.ellipse(centre, r * squeeze, p.roll, darker(p.iris, 0.45))
        cv.ellipse(centre, 0.84 * r * squeeze, p.roll, p.iris)
        cv.ellipse(centre, 0.5 * r * squeeze, p.roll, (12.0, 10.0, 10.0))
        cv.ellipse(centre + r * np.array([0.42, -0.44]), 0.19 * r * np.ones(2), 0, (250.0, 250.0, 250.0))
        cv.ellipse(top[-1], np.array([0.035, 0.03]) * u, 0, mixed(p.skin, (110.0, 110.0, 215.0), 0.5))

    if p.eye_closure[side] < 0.85:
        canvas.inside(opening, ball)
    made_up = p.eye_shadow is not None
    canvas.line(bottom, darker(p.skin, 0.5), 0.018 * u)
    lash = (15.0, 12.0, 15.0) if made_up else darker(mixed(p.hair, (20.0, 20.0, 20.0), 0.8), 0.7)
    canvas.line(top, lash, (0.055 if made_up else 0.04) * u)
    if p.eye_closure[side] < 0.7:
        crease = top + (top[12] - bottom[12]) * 0.35
        canvas.line(crease[3:-2], darker(p.skin, 0.6), 0.018 * u)


def _towards(curve: np.ndarray, other: np.ndarray, share: float) -> np.ndarray:
    return curve + share * (other - curve)


def brow_colour(p) -> tuple:
    """The colour of the hair, kept clearly darker than the skin so that the brows can be seen."""
    colour = np.asarray(darker(p.hair, 0.8))
    limit = 0.5 * np.mean(p.skin)
    return tuple((colour * min(1.0, limit / max(colour.mean(), 1.0))).tolist())


def draw_brow(canvas: Canvas, face: ProjectedFace, name: str):
    p, u, c = face.params, face.unit, face.curves
    top, bottom = c[f'brow_top_{name}'], c[f'brow_bottom_{name}']
    colour = brow_colour(p)
    canvas.polygon(np.concatenate([top, bottom[::-1]]), mixed(colour, p.skin, 0.12))
    root = bottom[2:32:2]
    hairs = np.stack([root, top[np.arange(2, 32, 2) - 2]], 1)
    canvas.lines(hairs, darker(colour, 0.7), 0.012 * u)


def nose_outline(face: ProjectedFace) -> np.ndarray:
    """The nose as seen: of each row of its surface the points farthest left and right; (n, 2) px."""
    shape = face.shape
    y = np.concatenate([np.linspace(0.0, shape.tip_y, 14), np.linspace(shape.tip_y, 0.70 * shape.nose_y, 8)[1:]])
    width = (
        np.interp(y / shape.nose_y, [0, 0.3, 0.5, 0.62, 0.70], [0.10, 0.12, 0.19, 0.235, 0.16]) * face.params.nose_width
    )
    x = width[:, None] * np.linspace(-1, 1, 25)
    yy = np.broadcast_to(y[:, None], x.shape)
    rows = np.stack([x, yy, shape.depth(x, yy)], -1)
    base = shape.lift(shape.curves['nose_base'])
    return face.project(np.concatenate([face.extreme(rows, -1), base, face.extreme(rows, 1)[::-1]]))[:, :2]


def draw_nose(canvas: Canvas, face: ProjectedFace, outline: np.ndarray):
    p, u, c, shape = face.params, face.unit, face.curves, face.shape
    if abs(p.yaw) > 18:  # the ridge hides part of the far eye and cheek
        canvas.polygon(outline, p.skin)
        far = outline[:21] if p.yaw < 0 else outline[:-22:-1]
        canvas.line(far[3:], darker(p.skin, 0.62), 0.022 * u)
    lit = tuple(np.minimum(np.asarray(p.skin) * 1.22 + 8, 255).tolist())

    def highlights(cv: Canvas):
        cv.blend(_band(c['bridge'][3:], [-0.02 * u, 0], [0.02 * u, 0]), lit, 0.55, 0.02 * u)
        cv.blend(c['bridge'][-1] + 0.06 * u * _UNIT_CIRCLE, lit, 0.8, 0.035 * u)

    canvas.inside(outline, highlights)
    arc = np.linspace(-1.2, 1.15, 12)
    for side in (-1, 1):
        wing = np.stack([side * (0.135 + 0.105 * np.cos(arc)), 0.60 + 0.085 * np.sin(arc)], -1)
        wing = face.project(shape.lift(wing * [p.nose_width, shape.nose_y]))[:, :2]
        canvas.line(wing, darker(p.skin, 0.55), 0.024 * u)
    base = c['nose_base']
    canvas.line(base[3:-3], darker(p.skin, 0.5), 0.028 * u)
    for side in (-1, 1):
        hole = np.stack([side * 0.115 + 0.055 * _UNIT_CIRCLE[:, 0], 0.675 + 0.022 * _UNIT_CIRCLE[:, 1]], -1)
        hole = face.project(shape.lift(hole * [p.nose_width, shape.nose_y]))[:, :2]
        canvas.polygon(hole, darker(p.skin, 0.25))


def lip_colour(p) -> tuple:
    """The lipstick, or the skin turned redder and darker."""
    if p.lip_colour is not None:
        return p.lip_colour
    return tuple((np.asarray(p.skin) * [0.62, 0.55, 0.80] + [8.0, 2.0, 16.0]).tolist())


def draw_mouth(canvas: Canvas, face: ProjectedFace):
    p, u, c = face.params, face.unit, face.curves
    lip = lip_colour(p)
    top, bottom, inner_top, inner_low = (c[k] for k in ('lip_top', 'lip_bottom', 'lip_inner_top', 'lip_inner_bottom'))
    canvas.polygon(np.concatenate([top, bottom[::-1]]), lip)
    canvas.blend(np.concatenate([top, inner_top[::-1]]), darker(lip, 0.78), 0.8)
    inside = np.concatenate([inner_top, inner_low[::-1]])
    height = inner_low[24] - inner_top[24]
    tall = float(np.hypot(*height))

    def cavity(cv: Canvas):
        cv.polygon(inside, (35.0, 20.0, 60.0))
        if tall > 0.2 * u:
            cv.ellipse(inner_low[24] - height * 0.1, np.array([0.22 * u, 0.36 * tall]), p.roll, (95.0, 85.0, 185.0))
        if tall > 0.04 * u:
            t = np.linspace(0, 1, 35)[:, None]
            chord = inner_top[7] + t * (inner_top[-8] - inner_top[7])
            edge = inner_top[24] + height / tall * min(0.12 * u, 0.8 * tall)
            edge = chord + (4 * t * (1 - t)) ** 0.5 * (edge - chord[17])
            cv.polygon(np.concatenate([inner_top[7:-7] - height * 0.3, edge[::-1]]), (226.0, 234.0, 238.0))

    if tall > 0.02 * u:
        canvas.inside(inside, cavity)
        canvas.line(inner_top, darker(lip, 0.5), 0.012 * u)
        canvas.line(inner_low, darker(lip, 0.6), 0.012 * u)
    else:
        canvas.line((inner_top + inner_low) / 2, darker(lip, 0.35), 0.026 * u)
    shine = ((inner_low + bottom) / 2)[17:32]
    canvas.blend(_band(shine, [0, -0.012 * u], [0, 0.012 * u]), mixed(lip, (255.0, 255.0, 255.0), 0.6), 0.4, 0.014 * u)
    canvas.blend(_band(bottom[12:37], [0, 0.02 * u], [0, 0.07 * u]), darker(p.skin, 0.6), 0.35, 0.025 * u)


def draw_beard(canvas: Canvas, face: ProjectedFace):
    p, u, shape = face.params, face.unit, face.shape
    if p.beard <= 0:
        return
    n = len(face.contour)
    jaw = face.contour[int(n * 0.16) : n - int(n * 0.16)]
    mouth_y = shape.mouth_y
    height = [0.55, 0.85, mouth_y - 0.05, mouth_y - 0.16, mouth_y - 0.21, mouth_y - 0.18]
    upper = np.stack([[0.98, 0.85, 0.62, 0.45, 0.2, 0], height], -1)
    upper = np.concatenate([upper, upper[-2::-1] * [-1, 1]])
    upper = face.project(shape.lift(upper * [p.face_width, 1], False))[:, :2]
    canvas.blend(np.concatenate([jaw, upper]), brow_colour(p), 0.25 + 0.5 * p.beard, 0.035 * u)

"""Eyes, brows, nose, mouth and beard, painted exactly where the curves say."""
import numpy as np

from .raster import Canvas, darker, mixed
from .shape import ProjectedFace

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
        hollow = np.concatenate([top, (top * .4 + brow * .6)[::-1]])
        canvas.blend(hollow, darker(p.skin, .72), .4, .05 * u)
        if p.eye_shadow is not None:
            canvas.blend(hollow, p.eye_shadow, .75, .025 * u)
        canvas.blend(_band(bottom, 0, [0, .08 * u]), darker(p.skin, .78), .3, .03 * u)
        cheek = np.stack([side * .64 + .25 * _UNIT_CIRCLE[:, 0], .5 * shape.length + .16 * _UNIT_CIRCLE[:, 1]], -1)
        red = mixed(p.skin, (95., 85., 225.), .8) if p.blush > 0 else mixed(p.skin, (90., 100., 215.), .35)
        canvas.blend(face.project(shape.lift(cheek, False))[:, :2], red, .2 + .4 * p.blush, .1 * u)


def draw_folds(canvas: Canvas, face: ProjectedFace):
    """The folds from the wings of the nose to the corners of the mouth, deeper with a smile."""
    p, u, shape = face.params, face.unit, face.shape
    for corner, side in zip(shape.curves['lip_top'][[0, -1]], (-1, 1)):
        fold = np.array([[side * .28 * p.nose_width, .60 * shape.nose_y], [side * .42, .77 * shape.length],
                         [corner[0] + side * .08, corner[1] - .03]])
        xy = face.project(shape.lift(fold, False))[:, :2]
        canvas.blend(_band(xy, 0, [.03 * u, .02 * u]), darker(p.skin, .6), .2 + .5 * p.smile, .02 * u)


def draw_eye(canvas: Canvas, face: ProjectedFace, side: int, name: str):
    p, u, c = face.params, face.unit, face.curves
    top, bottom = c[f'lid_top_{name}'], c[f'lid_bottom_{name}']
    opening = np.concatenate([top, bottom[::-1]])
    squeeze = np.array([.25 + .75 * np.cos(np.deg2rad(p.yaw)), 1.])

    def ball(cv: Canvas):
        cv.polygon(opening, mixed((236., 238., 242.), p.skin, .08))
        cv.line(_towards(top, bottom, .1), mixed((150., 155., 165.), p.skin, .3), .05 * u)  # the lid's shadow
        r = .118 * u * (.85 + .15 * p.eye_size)
        centre = face.pupils[side]
        cv.ellipse(centre, r * squeeze, p.roll, darker(p.iris, .45))
        cv.ellipse(centre, .84 * r * squeeze, p.roll, p.iris)
        cv.ellipse(centre, .5 * r * squeeze, p.roll, (12., 10., 10.))
        cv.ellipse(centre + r * np.array([.42, -.44]), .19 * r * np.ones(2), 0, (250., 250., 250.))
        cv.ellipse(top[-1], np.array([.035, .03]) * u, 0, mixed(p.skin, (110., 110., 215.), .5))

    if p.eye_closure[side] < .85:
        canvas.inside(opening, ball)
    made_up = p.eye_shadow is not None
    canvas.line(bottom, darker(p.skin, .5), .018 * u)
    lash = (15., 12., 15.) if made_up else darker(mixed(p.hair, (20., 20., 20.), .8), .7)
    canvas.line(top, lash, (.055 if made_up else .04) * u)
    if p.eye_closure[side] < .7:
        crease = top + (top[12] - bottom[12]) * .35
        canvas.line(crease[3:-2], darker(p.skin, .6), .018 * u)


def _towards(curve: np.ndarray, other: np.ndarray, share: float) -> np.ndarray:
    return curve + share * (other - curve)


def brow_colour(p) -> tuple:
    """The colour of the hair, kept clearly darker than the skin so that the brows can be seen."""
    colour = np.asarray(darker(p.hair, .8))
    limit = .5 * np.mean(p.skin)
    return tuple((colour * min(1., limit / max(colour.mean(), 1.))).tolist())


def draw_brow(canvas: Canvas, face: ProjectedFace, name: str):
    p, u, c = face.params, face.unit, face.curves
    top, bottom = c[f'brow_top_{name}'], c[f'brow_bottom_{name}']
    colour = brow_colour(p)
    canvas.polygon(np.concatenate([top, bottom[::-1]]), mixed(colour, p.skin, .12))
    root = bottom[2:32:2]
    hairs = np.stack([root, top[np.arange(2, 32, 2) - 2]], 1)
    canvas.lines(hairs, darker(colour, .7), .012 * u)


def nose_outline(face: ProjectedFace) -> np.ndarray:
    """The nose as seen: of each row of its surface the points farthest left and right; (n, 2) px."""
    shape = face.shape
    y = np.concatenate([np.linspace(.0, shape.tip_y, 14), np.linspace(shape.tip_y, .70 * shape.nose_y, 8)[1:]])
    width = np.interp(y / shape.nose_y, [0, .3, .5, .62, .70], [.10, .12, .19, .235, .16]) * face.params.nose_width
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
        canvas.line(far[3:], darker(p.skin, .62), .022 * u)
    lit = tuple(np.minimum(np.asarray(p.skin) * 1.22 + 8, 255).tolist())

    def highlights(cv: Canvas):
        cv.blend(_band(c['bridge'][3:], [-.02 * u, 0], [.02 * u, 0]), lit, .55, .02 * u)
        cv.blend(c['bridge'][-1] + .06 * u * _UNIT_CIRCLE, lit, .8, .035 * u)

    canvas.inside(outline, highlights)
    arc = np.linspace(-1.2, 1.15, 12)
    for side in (-1, 1):
        wing = np.stack([side * (.135 + .105 * np.cos(arc)), .60 + .085 * np.sin(arc)], -1)
        wing = face.project(shape.lift(wing * [p.nose_width, shape.nose_y]))[:, :2]
        canvas.line(wing, darker(p.skin, .55), .024 * u)
    base = c['nose_base']
    canvas.line(base[3:-3], darker(p.skin, .5), .028 * u)
    for side in (-1, 1):
        hole = np.stack([side * .115 + .055 * _UNIT_CIRCLE[:, 0], .675 + .022 * _UNIT_CIRCLE[:, 1]], -1)
        hole = face.project(shape.lift(hole * [p.nose_width, shape.nose_y]))[:, :2]
        canvas.polygon(hole, darker(p.skin, .25))


def lip_colour(p) -> tuple:
    """The lipstick, or the skin turned redder and darker."""
    if p.lip_colour is not None:
        return p.lip_colour
    return tuple((np.asarray(p.skin) * [.62, .55, .80] + [8., 2., 16.]).tolist())


def draw_mouth(canvas: Canvas, face: ProjectedFace):
    p, u, c = face.params, face.unit, face.curves
    lip = lip_colour(p)
    top, bottom, inner_top, inner_low = (c[k] for k in ('lip_top', 'lip_bottom', 'lip_inner_top', 'lip_inner_bottom'))
    canvas.polygon(np.concatenate([top, bottom[::-1]]), lip)
    canvas.blend(np.concatenate([top, inner_top[::-1]]), darker(lip, .78), .8)
    inside = np.concatenate([inner_top, inner_low[::-1]])
    height = inner_low[24] - inner_top[24]
    tall = float(np.hypot(*height))

    def cavity(cv: Canvas):
        cv.polygon(inside, (35., 20., 60.))
        if tall > .2 * u:
            cv.ellipse(inner_low[24] - height * .1, np.array([.22 * u, .36 * tall]), p.roll, (95., 85., 185.))
        if tall > .04 * u:
            t = np.linspace(0, 1, 35)[:, None]
            chord = inner_top[7] + t * (inner_top[-8] - inner_top[7])
            edge = inner_top[24] + height / tall * min(.12 * u, .8 * tall)
            edge = chord + (4 * t * (1 - t))**.5 * (edge - chord[17])
            cv.polygon(np.concatenate([inner_top[7:-7] - height * .3, edge[::-1]]), (226., 234., 238.))

    if tall > .02 * u:
        canvas.inside(inside, cavity)
        canvas.line(inner_top, darker(lip, .5), .012 * u)
        canvas.line(inner_low, darker(lip, .6), .012 * u)
    else:
        canvas.line((inner_top + inner_low) / 2, darker(lip, .35), .026 * u)
    shine = ((inner_low + bottom) / 2)[17:32]
    canvas.blend(_band(shine, [0, -.012 * u], [0, .012 * u]), mixed(lip, (255., 255., 255.), .6), .4, .014 * u)
    canvas.blend(_band(bottom[12:37], [0, .02 * u], [0, .07 * u]), darker(p.skin, .6), .35, .025 * u)


def draw_beard(canvas: Canvas, face: ProjectedFace):
    p, u, shape = face.params, face.unit, face.shape
    if p.beard <= 0:
        return
    n = len(face.contour)
    jaw = face.contour[int(n * .16): n - int(n * .16)]
    mouth_y = shape.mouth_y
    upper = np.array([[.98, .55], [.85, .85], [.62, mouth_y - .05], [.45, mouth_y - .16], [.2, mouth_y - .21],
                      [0, mouth_y - .18]])
    upper = np.concatenate([upper, upper[-2::-1] * [-1, 1]])
    upper = face.project(shape.lift(upper * [p.face_width, 1], False))[:, :2]
    canvas.blend(np.concatenate([jaw, upper]), brow_colour(p), .25 + .5 * p.beard, .035 * u)

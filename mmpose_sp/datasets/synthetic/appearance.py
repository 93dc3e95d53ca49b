"""The face itself, painted from back to front with the projected curves."""
import numpy as np

from .params import FaceParams
from .raster import Canvas
from .shape import ProjectedFace, head_outline


def _mix(a, b, w: float) -> tuple:
    return tuple((np.asarray(a, float) * (1 - w) + np.asarray(b, float) * w).tolist())


def _darker(colour, factor: float) -> tuple:
    return tuple((np.asarray(colour, float) * factor).tolist())


def draw_head(canvas: Canvas, face: ProjectedFace, rng: np.random.Generator) -> Canvas:
    """Paints body, hair and face without light; returns the mask (a canvas) of what the face surface covers."""
    p = face.params
    _body(canvas, face, rng)
    _hair_behind(canvas, face, rng)
    _ears(canvas, face)
    outline = np.concatenate([face.contour, face.hairline[::-1]])
    mask = Canvas(np.zeros((face.size, face.size), np.uint8))
    nose = _nose_outline(face)
    mask.polygon(outline, 255)
    mask.polygon(nose, 255)
    canvas.polygon(outline, p.skin)
    _skin(canvas, face, rng)
    for side, name in enumerate('lr'):
        _eye(canvas, face, side, name)
        _brow(canvas, face, name, rng)
    _beard(canvas, face, outline, rng)
    _mouth(canvas, face)
    _nose(canvas, face, nose)
    if p.hair_style != 'bald':
        _hair_front(canvas, face, rng)
    if p.glasses:
        _glasses(canvas, face)
    return mask


def _strands(canvas: Canvas, rng, roots: np.ndarray, tips: np.ndarray, colour, unit: float, count: int, width=.012):
    """Hair from random points of one curve to the matching points of another, a little darker or lighter."""
    t = rng.uniform(0, 1, count)
    i = np.linspace(0, 1, len(roots))
    a, b = (np.stack([np.interp(t, i, v) for v in c.T], -1) for c in (roots, tips))
    bow = rng.normal(0, .05 * unit, (count, 2))
    curves = np.stack([a, (a + b) / 2 + bow, b], 1)
    for k, shade in enumerate((.7, .85, 1.2, 1.4)):
        tone = np.clip(np.asarray(colour) * shade + (6 if shade > 1 else 0), 0, 255).tolist()
        canvas.lines(curves[k::4], tone, width * unit)


def _body(canvas: Canvas, face: ProjectedFace, rng):
    p, u = face.params, face.unit
    neck = face.project(np.array([[0., 1.15, -.2]]))[0, :2]
    w = .62 * p.face_width + .3 * max(p.jaw_width, 0)
    down = np.array([0., u])
    shoulder = neck + 1.25 * down
    side = np.array([u, 0.])
    canvas.polygon(np.array([neck - w * side, neck + w * side, shoulder + (w + .1) * side + .3 * down,
                             shoulder - (w + .1) * side + .3 * down]), _darker(p.skin, .8))
    cloth = np.array([shoulder - (w + .06) * side - .12 * down, shoulder + .35 * down,
                      shoulder + (w + .06) * side - .12 * down, shoulder + 1.7 * side + .3 * down,
                      shoulder + 2.1 * side + 3 * down, shoulder - 2.1 * side + 3 * down,
                      shoulder - 1.7 * side + .3 * down])
    canvas.polygon(cloth, p.clothes)
    if rng.random() < .5:
        for k in range(1, 8):
            y = (.25 * k + .2) * down
            canvas.line(np.array([shoulder - 2 * side + y, shoulder + .35 * down + y, shoulder + 2 * side + y]),
                        _darker(p.clothes, .8), .05 * u)
    canvas.line(cloth[:3], _darker(p.clothes, .6), .05 * u)


def _hair_behind(canvas: Canvas, face: ProjectedFace, rng):
    p, u = face.params, face.unit
    bald = p.hair_style == 'bald'
    colour = _darker(p.skin, .92) if bald else p.hair
    grow = .93 if bald else 1.05
    skull = head_outline(face, [0, -.36, .02], np.array([1.12 * p.face_width, 1.42, 1.42]) * grow)
    if p.hair_style == 'long':
        low = face.project(np.array([[-1.3, 1.9, -.5], [1.3, 1.9, -.5], [1.15, .2, -.4], [-1.15, .2, -.4],
                                     [-1.42, 1.0, -.5], [1.42, 1.0, -.5]]))[:, :2]
        fall = np.concatenate([low[3:4], low[4:5], low[0:1], low[1:2], low[5:6], low[2:3]])
        canvas.polygon(fall, _darker(p.hair, .85))
        _strands(canvas, rng, np.stack([low[3], low[2]]), np.stack([low[0], low[1]]), _darker(p.hair, .85), u, 60, .02)
        neck = face.project(np.array([[0., 1.15, -.2]]))[0, :2]
        w = .6 * p.face_width
        box = neck + u * np.array([[-w, -.2], [w, -.2], [w + .03, 1.15], [0, 1.4], [-w - .03, 1.15]])
        canvas.polygon(box, _darker(p.skin, .8))
    # the shadow of the jaw on the neck makes the jaw line visible
    jaw = face.contour[len(face.contour) // 6: -(len(face.contour) // 6)]
    canvas.blend(np.concatenate([jaw, jaw[::-1] + [0, .2 * u]]), _darker(p.skin, .45), .8, .03 * u)
    canvas.polygon(skull, colour)
    if not bald:
        crown = face.project(np.array([[0., -1.6, -.3]]))[0, :2]
        _strands(canvas, rng, crown + .25 * (skull - crown), skull, p.hair, u, 100)


def _ears(canvas: Canvas, face: ProjectedFace):
    p, u = face.params, face.unit
    if p.hair_style == 'long':
        return
    a = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    for side in (-1, 1):
        lobe = 1 - .25 * np.clip(np.sin(a), 0, 1)
        ear = np.stack([side * (1.06 * p.face_width + .10 * (1 + .8 * np.cos(a) * lobe)),
                        .22 + .34 * np.sin(a), -.22 - .17 * np.cos(a) * -1], -1)
        xy = face.project(ear)[:, :2]
        canvas.polygon(xy, _darker(p.skin, .88))
        inner = xy.mean(0) + .6 * (xy - xy.mean(0))
        canvas.line(inner[[15, 18, 21, 0, 3, 6]] if side > 0 else inner[[15, 18, 21, 0, 3, 6]],
                    _darker(p.skin, .62), .035 * u)


def _skin(canvas: Canvas, face: ProjectedFace, rng):
    p, u, c = face.params, face.unit, face.curves
    shape = face.shape
    for name in 'lr':
        top, bottom = c[f'lid_top_{name}'], c[f'lid_bottom_{name}']
        brow = c[f'brow_bottom_{name}']
        # the hollow between eye and brow, then the eye shadow
        hollow = np.concatenate([top, (top * .4 + brow[np.linspace(0, 32, 25).astype(int)] * .6)[::-1]])
        canvas.blend(hollow, _darker(p.skin, .72), .45, .04 * u)
        if p.eye_shadow is not None:
            canvas.blend(hollow, p.eye_shadow, .75, .02 * u)
        bag = np.concatenate([bottom, bottom[::-1] + (bottom.mean(0) - top.mean(0)) * .4 + 0 * bottom])
        canvas.blend(bag, _darker(p.skin, .78), .35, .03 * u)
    a = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    if p.blush > 0:
        for side in (-1, 1):
            xy = np.stack([side * .62 + .24 * np.cos(a), .48 * shape.length + .15 * np.sin(a)], -1)
            canvas.blend(face.project(shape.lift(xy, False))[:, :2], (90., 80., 225.), .45 * p.blush, .1 * u)
    # folds from the nose to the mouth
    corners = shape.curves['lip_top'][[0, -1]]
    for corner, side in zip(corners, (-1, 1)):
        fold = np.array([[side * .27 * p.nose_width, .60 * shape.nose_y], [side * .40, .76 * shape.length],
                         [corner[0] + side * .08, corner[1] - .03]])
        xy = face.project(shape.lift(fold, False))[:, :2]
        strip = np.concatenate([xy, (xy + [.03 * u, .02 * u])[::-1]])
        canvas.blend(strip, _darker(p.skin, .6), .25 + .5 * p.smile, .02 * u)


def _eye(canvas: Canvas, face: ProjectedFace, side: int, name: str):
    p, u, c = face.params, face.unit, face.curves
    top, bottom = c[f'lid_top_{name}'], c[f'lid_bottom_{name}']
    opening = np.concatenate([top, bottom[::-1]])
    outwards = np.array([np.cos(np.deg2rad(p.yaw)) * .75 + .25, 1.])

    def ball(cv: Canvas):
        cv.polygon(opening, _mix((232., 236., 240.), p.skin, .12))
        cv.line(top + [0, .02 * u], _mix((150., 155., 160.), p.skin, .3), .05 * u)  # the lid's shadow on the eye
        r = .108 * u * (.9 + .1 * p.eye_size)
        centre = face.pupils[side]
        cv.ellipse(centre, r * outwards, p.roll, _darker(p.iris, .45))
        cv.ellipse(centre, .86 * r * outwards, p.roll, p.iris)
        cv.ellipse(centre, .52 * r * outwards, p.roll, (12., 10., 10.))
        glint = centre + r * np.array([.38, -.42])
        cv.ellipse(glint, .2 * r * np.ones(2), 0, (250., 250., 250.))

    if p.eye_closure[side] < .85:
        canvas.inside(opening, ball)
    lash = _darker(_mix(p.hair, (20., 20., 20.), .7), .8) if p.eye_shadow is None else (15., 12., 15.)
    canvas.line(bottom, _darker(p.skin, .55), .018 * u)
    canvas.line(top, lash, (.034 if p.eye_shadow is None else .05) * u)
    if p.eye_closure[side] < .7:
        crease = top + (top[12] - bottom[12]) * .38
        canvas.line(crease[3:-2], _darker(p.skin, .62), .016 * u)
    # the pink corner next to the nose
    canvas.ellipse(top[-1] * .9 + bottom[12] * .1, np.array([.022, .018]) * u, 0, _mix(p.skin, (90., 90., 190.), .5))


def _brow(canvas: Canvas, face: ProjectedFace, name: str, rng):
    p, u, c = face.params, face.unit, face.curves
    top, bottom = c[f'brow_top_{name}'], c[f'brow_bottom_{name}']
    colour = _mix(_darker(p.hair, .75), p.skin, .12 if sum(p.hair) < 300 else .3)
    canvas.polygon(np.concatenate([top, bottom[::-1]]), colour)
    t = np.linspace(0, 1, 14)
    i = t * 32
    lo = np.stack([np.interp(i, np.arange(33), v) for v in bottom.T], -1)
    hi = np.stack([np.interp(np.clip(i - 3, 0, 32), np.arange(33), v) for v in top.T], -1)
    canvas.lines(np.stack([lo, hi], 1), _darker(colour, .7), .012 * u)


def _nose_outline(face: ProjectedFace) -> np.ndarray:
    """The nose as seen: of each row of its surface the points farthest left and right."""
    shape = face.shape
    y = np.concatenate([np.linspace(.0, shape.tip_y, 14), np.linspace(shape.tip_y, .70 * shape.nose_y, 8)[1:]])
    width = np.interp(y / shape.nose_y, [0, .3, .5, .62, .70], [.10, .12, .19, .235, .16]) * face.params.nose_width
    x = width[:, None] * np.linspace(-1, 1, 25)
    yy = np.broadcast_to(y[:, None], x.shape)
    rows = np.stack([x, yy, shape.depth(x, yy)], -1)
    left, right = face.extreme(rows, -1), face.extreme(rows, 1)
    base = shape.lift(shape.curves['nose_base'][::-1])
    return face.project(np.concatenate([left, base[::-1], right[::-1]]))[:, :2]


def _nose(canvas: Canvas, face: ProjectedFace, outline: np.ndarray):
    p, u, c, shape = face.params, face.unit, face.curves, face.shape
    if abs(p.yaw) > 18:  # the ridge hides part of the far eye and cheek
        canvas.polygon(outline, p.skin)
        n = len(outline)
        far = outline[:n // 3] if p.yaw < 0 else outline[-n // 3:]
        canvas.line(far[2:], _darker(p.skin, .68), .02 * u)
    base = c['nose_base']
    # wings
    for side in (-1, 1):
        a = np.linspace(-2.0, 1.15, 14)
        wing = np.stack([side * (.135 + .105 * np.cos(a)), .60 + .085 * np.sin(a)], -1) * [p.nose_width, shape.nose_y]
        xy = face.project(shape.lift(wing))[:, :2]
        canvas.line(xy[4:], _darker(p.skin, .55), .022 * u)
    canvas.line(base[4:-4], _darker(p.skin, .52), .028 * u)
    for side in (-1, 1):
        a = np.linspace(0, 2 * np.pi, 16, endpoint=False)
        hole = np.stack([side * .115 + .055 * np.cos(a), .675 + .022 * np.sin(a) - side * .012 * np.cos(a) * 0], -1)
        xy = face.project(shape.lift(hole * [p.nose_width, shape.nose_y]))[:, :2]
        canvas.polygon(xy, _darker(p.skin, .25))
    tip = c['bridge'][-1]
    canvas.blend(tip + .06 * u * np.stack([np.cos(np.arange(12) * np.pi / 6), np.sin(np.arange(12) * np.pi / 6)], -1),
                 _mix(p.skin, (255., 255., 255.), .6), .5, .03 * u)
    canvas.blend(np.concatenate([c['bridge'][3:] - [.018 * u, 0], (c['bridge'][3:] + [.018 * u, 0])[::-1]]),
                 _mix(p.skin, (255., 255., 255.), .5), .4, .015 * u)


def _mouth(canvas: Canvas, face: ProjectedFace):
    p, u, c = face.params, face.unit, face.curves
    lip = p.lip_colour if p.lip_colour is not None else tuple(
        (np.asarray(p.skin) * [.66, .58, .80] + [8., 2., 14.]).tolist())
    top, bottom, inner_top, inner_low = (c[k] for k in ('lip_top', 'lip_bottom', 'lip_inner_top', 'lip_inner_bottom'))
    outer = np.concatenate([top, bottom[::-1]])
    canvas.polygon(outer, lip)
    upper = np.concatenate([top, inner_top[::-1]])
    canvas.blend(upper, _darker(lip, .72), .8)
    inside = np.concatenate([inner_top, inner_low[::-1]])

    def cavity(cv: Canvas):
        cv.polygon(inside, (35., 20., 60.))
        height = inner_low[24] - inner_top[24]
        tall = np.hypot(*height) / u
        if tall > .2:
            tongue = inner_low[24] - height * .12
            cv.ellipse(tongue, np.array([.22 * u, .38 * np.hypot(*height)]), p.roll, (95., 85., 190.))
        if tall > .05:
            down = height / np.hypot(*height) * min(.13, .8 * tall) * u
            cv.polygon(np.concatenate([inner_top[3:-3] - down * .3, (inner_top[3:-3] + down)[::-1]]), (228., 236., 240.))

    if np.hypot(*(inner_low[24] - inner_top[24])) > .02 * u:
        canvas.inside(inside, cavity)
        canvas.line(inner_top, _darker(lip, .45), .012 * u)
        canvas.line(inner_low, _darker(lip, .55), .012 * u)
    else:
        canvas.line((inner_top + inner_low) / 2, _darker(lip, .35), .026 * u)
    shine = (inner_low + bottom)[17:32] / 2
    canvas.blend(np.concatenate([shine - [0, .012 * u], (shine + [0, .012 * u])[::-1]]),
                 _mix(lip, (255., 255., 255.), .6), .45, .012 * u)
    below = bottom[12:37]
    canvas.blend(np.concatenate([below + [0, .02 * u], (below + [0, .07 * u])[::-1]]), _darker(p.skin, .6), .35, .02 * u)


def _beard(canvas: Canvas, face: ProjectedFace, outline: np.ndarray, rng):
    p, u, shape = face.params, face.unit, face.shape
    if p.beard <= 0:
        return
    n = len(face.contour)
    jaw = face.contour[n // 5: -(n // 5)]
    upper = np.array([[.85, .62], [.6, .95], [.5, .84], [.2, .80], [0, .82], [-.2, .80], [-.5, .84], [-.6, .95], [-.85, .62]])
    upper = face.project(shape.lift(upper * [1, shape.length], False))[:, :2]
    colour = _mix(p.hair, p.skin, .25)
    area = np.concatenate([jaw, upper])
    canvas.blend(area, colour, .35 + .5 * p.beard, .04 * u)


def _hair_front(canvas: Canvas, face: ProjectedFace, rng):
    """Hair that falls over the hair line, and a fringe over the forehead."""
    p, u = face.params, face.unit
    line = face.hairline
    crown = face.project(np.array([[0., -1.72, .6]]))[0, :2]
    away = crown + 1.0 * (line - crown)
    depth = .55 if p.hair_style == 'fringe' else rng.uniform(.05, .2)
    centre = face.contour[[0, -1]].mean(0)
    fall = line + (centre - line) * depth * np.sin(np.linspace(0, np.pi, len(line)))[:, None]
    canvas.polygon(np.concatenate([line, fall[::-1]]), p.hair)
    _strands(canvas, rng, (crown + .55 * (away - crown))[3:-3], fall[3:-3], p.hair, u, 90, .014)


def _glasses(canvas: Canvas, face: ProjectedFace):
    u, shape = face.unit, face.shape
    a = np.linspace(0, 2 * np.pi, 28, endpoint=False)
    frame = (40., 35., 30.)
    for side in (-1, 1):
        xy = np.stack([side * .5 + .36 * np.sign(np.cos(a)) * np.abs(np.cos(a))**.7,
                       .03 + .25 * np.sign(np.sin(a)) * np.abs(np.sin(a))**.7], -1)
        rim = np.concatenate([xy, np.full((len(xy), 1), 1.5) - .25 * (np.abs(xy[:, :1]) > .7) * (np.abs(xy[:, :1]) - .7)], -1)
        q = face.project(rim)[:, :2]
        canvas.line(q, frame, .035 * u, closed=True)
    bridge = face.project(np.array([[-.14, .0, 1.5], [0, -.04, 1.52], [.14, .0, 1.5]]))[:, :2]
    canvas.line(bridge, frame, .035 * u)
    for side in (-1, 1):
        if side * np.sin(np.deg2rad(face.params.yaw)) < .25:
            temple = face.project(np.array([[side * .86, -.02, 1.46], [side * 1.1, -.04, .2]]))[:, :2]
            canvas.line(temple, frame, .035 * u)
    _ = shape


__all__ = ['draw_head', 'FaceParams']

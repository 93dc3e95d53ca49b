"""What a synthetic face is made of: its parameters, how they are drawn, and the flags that follow from them."""

from dataclasses import dataclass
from typing import Dict, Mapping, Optional, Tuple

import numpy as np

from mmpose_sp.faces import find_scheme

LAYOUTS = ('wflw', 'cofw', '300w')  # of files, in which faces can be written
ATTRIBUTES = find_scheme('wflw').subsets

# A flag is a function of the parameters through these thresholds, so that it is true by construction.
LARGE_YAW = 30.0  # degrees
LARGE_PITCH = 20.0  # degrees
STRONG_EXPRESSION = 0.5  # of a mouth opening, smile, frown or eye closure, each in [0, 1]
OCCLUDED_LANDMARKS = 5  # of the 98, hidden by something that is not the face itself
LIGHTS = ('soft', 'side', 'low_key', 'overexposed', 'coloured')  # all but the first raise the flag


@dataclass(frozen=True)
class FaceParams:
    """One synthetic face. Lengths are in eye distances (pupil to pupil of the neutral face = 1).

    The head frame has x to the right of the image, y down and z towards the viewer; ``yaw > 0`` turns the face to
    the right of the image, ``pitch > 0`` makes it look down, ``roll > 0`` turns it clockwise. Pairs are
    (left of the image, right of the image).
    """

    # identity: factors around 1 and offsets around 0
    face_width: float = 1.0
    face_length: float = 1.0
    jaw_width: float = 0.0
    chin_width: float = 0.0
    eye_size: float = 1.0
    eye_spacing: float = 1.0
    eye_tilt: float = 0.0
    brow_height: float = 0.0
    brow_arch: float = 1.0
    brow_thickness: float = 1.0
    nose_width: float = 1.0
    nose_length: float = 1.0
    nose_height: float = 1.0
    mouth_width: float = 1.0
    mouth_height: float = 0.0
    upper_lip: float = 1.0
    lower_lip: float = 1.0
    # expression, in [0, 1] except brow_raise in [-1, 1] and gaze
    mouth_open: float = 0.0
    smile: float = 0.0
    frown: float = 0.0
    brow_raise: Tuple[float, float] = (0.0, 0.0)
    eye_closure: Tuple[float, float] = (0.0, 0.0)
    gaze: Tuple[float, float] = (0.0, 0.0)
    # pose in degrees, eye distance and position in units of the image side
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    scale: float = 0.25
    centre: Tuple[float, float] = (0.5, 0.5)
    # appearance (colours are BGR, 0 to 255)
    skin: Tuple[float, float, float] = (150.0, 180.0, 225.0)
    hair: Tuple[float, float, float] = (35.0, 45.0, 60.0)
    hair_style: str = 'short'  # short | long | bald | fringe
    iris: Tuple[float, float, float] = (70.0, 90.0, 60.0)
    beard: float = 0.0
    glasses: bool = False
    clothes: Tuple[float, float, float] = (120.0, 80.0, 60.0)
    lip_colour: Optional[Tuple[float, float, float]] = None
    eye_shadow: Optional[Tuple[float, float, float]] = None
    blush: float = 0.0
    # photograph
    light: str = 'soft'
    light_azimuth: float = 0.0  # degrees, > 0: light from the right of the image
    light_tint: Tuple[float, float, float] = (1.0, 1.0, 1.0)
    occluder: Optional[str] = None  # sunglasses | hand | object | stripe | mask
    blur: Optional[str] = None  # gaussian | motion
    blur_amount: float = 0.0  # in units of the image side
    noise: float = 2.0  # grey levels
    seed: int = 0  # of everything drawn at random while rendering: background, strands, occluder, noise


def param_attributes(p: FaceParams) -> Dict[str, int]:
    """The WFLW flags that follow from the parameters alone: all but ``occlusion``, which needs the picture."""
    strongest = max(p.mouth_open, p.smile, p.frown, max(p.eye_closure), max(map(abs, p.brow_raise)))
    return {
        'largepose': int(abs(p.yaw) > LARGE_YAW or abs(p.pitch) > LARGE_PITCH),
        'expression': int(strongest > STRONG_EXPRESSION),
        'illumination': int(p.light != LIGHTS[0]),
        'makeup': int(p.lip_colour is not None or p.eye_shadow is not None or p.blush > 0.0),
        'blur': int(p.blur is not None),
    }


# Skin, hair and iris palettes (BGR): ends of ranges between which faces are drawn.
_SKINS = np.array(
    [[185, 205, 240], [160, 190, 235], [135, 170, 222], [110, 145, 200], [80, 112, 165], [55, 80, 125], [42, 60, 95]],
    float,
)
_HAIRS = np.array([[25, 25, 28], [30, 40, 60], [45, 70, 110], [90, 150, 195], [40, 75, 150], [150, 155, 160]], float)
_IRISES = np.array([[30, 50, 80], [40, 70, 105], [90, 115, 80], [150, 120, 80], [110, 110, 100]], float)
_LIPSTICKS = np.array([[50, 30, 190], [80, 40, 150], [130, 60, 210], [40, 30, 120], [90, 90, 220]], float)
_SHADOWS = np.array([[150, 80, 90], [120, 60, 120], [60, 50, 50], [150, 130, 60], [70, 80, 140]], float)


def _colour(rng: np.random.Generator, palette: np.ndarray, jitter: float = 8.0) -> Tuple[float, float, float]:
    i, j = rng.integers(len(palette), size=2)
    w = rng.uniform(0.0, 0.35)
    c = palette[i] * (1 - w) + palette[j] * w + rng.normal(0.0, jitter / 2, 3)
    return tuple(np.clip(c, 5, 250).tolist())


def _signed(rng: np.random.Generator, low: float, high: float) -> float:
    return float(rng.choice((-1.0, 1.0)) * rng.uniform(low, high))


def sample_face(rng: np.random.Generator, attributes: Optional[Mapping[str, int]] = None) -> FaceParams:
    """Draws a face at random; ``attributes`` (any of :data:`ATTRIBUTES`, default 0) says which WFLW flags it has."""
    want = dict.fromkeys(ATTRIBUTES, 0)
    unknown = set(attributes or ()) - set(want)
    if unknown:
        raise ValueError(f'unknown face attributes {sorted(unknown)}; known are {list(ATTRIBUTES)}')
    want.update(attributes or {})

    def near(mean, std):
        return float(mean + std * np.clip(rng.standard_normal(), -2, 2))

    d = {
        'face_width': near(1.0, 0.045),
        'face_length': near(1.0, 0.045),
        'jaw_width': near(0.0, 0.04),
        'chin_width': near(0.0, 0.05),
        'eye_size': near(1.0, 0.1),
        'eye_spacing': near(1.0, 0.03),
        'eye_tilt': near(0.0, 0.02),
        'brow_height': near(0.0, 0.025),
        'brow_arch': near(1.0, 0.3),
        'brow_thickness': near(1.0, 0.22),
        'nose_width': near(1.0, 0.1),
        'nose_length': near(1.0, 0.06),
        'nose_height': near(1.0, 0.12),
        'mouth_width': near(1.0, 0.08),
        'mouth_height': near(0.0, 0.025),
        'upper_lip': near(1.0, 0.2),
        'lower_lip': near(1.0, 0.2),
        'mouth_open': float(rng.uniform(0.0, 0.25) * (rng.random() < 0.4)),
        'smile': float(rng.uniform(0.0, 0.45)),
        'frown': float(rng.uniform(0.0, 0.2) * (rng.random() < 0.3)),
        'gaze': (near(0.0, 0.3), near(0.0, 0.2)),
    }
    raise_ = near(0.0, 0.15)
    d['brow_raise'] = (raise_ + near(0.0, 0.05), raise_ + near(0.0, 0.05))
    close = float(rng.uniform(0.0, 0.3))
    d['eye_closure'] = (close, close)
    d.update(
        yaw=near(0.0, 11.0),
        pitch=near(0.0, 6.0),
        roll=near(0.0, 9.0),
        scale=float(rng.uniform(0.205, 0.255)),
        centre=(near(0.5, 0.025), near(0.54, 0.02)),
    )
    if want['largepose']:
        d['yaw'] = _signed(rng, LARGE_YAW + 2, 60.0)
        if rng.random() < 0.2:
            d['yaw'], d['pitch'] = near(0.0, 11.0), _signed(rng, LARGE_PITCH + 1, 30.0)
        d['roll'] = near(0.0, 14.0)
    if want['expression']:
        low = STRONG_EXPRESSION + 0.1
        kind = rng.choice(
            ('open', 'smile', 'laugh', 'closed', 'wink', 'brows', 'frown'), p=(0.25, 0.15, 0.2, 0.1, 0.1, 0.1, 0.1)
        )
        if kind in ('open', 'laugh'):
            d['mouth_open'] = float(rng.uniform(low, 1.0))
        if kind in ('smile', 'laugh'):
            d['smile'] = float(rng.uniform(low, 1.0))
        if kind == 'closed':
            d['eye_closure'] = (1.0, 1.0)
        if kind == 'wink':
            d['eye_closure'] = tuple(rng.permutation([1.0, close]).tolist())
        if kind in ('brows', 'open') and rng.random() < 0.8 or kind == 'brows':
            r = float(rng.uniform(low, 1.0))
            d['brow_raise'] = (r, r)
        if kind == 'frown':
            d.update(frown=float(rng.uniform(low, 1.0)), smile=0.0)

    skin = _colour(rng, _SKINS)
    style = str(rng.choice(('short', 'long', 'fringe', 'bald'), p=(0.42, 0.34, 0.16, 0.08)))
    hair = _colour(rng, _HAIRS if np.mean(skin) > 150 else _HAIRS[:2])
    d.update(
        skin=skin,
        hair=hair,
        hair_style=style,
        iris=_colour(rng, _IRISES),
        clothes=tuple(rng.uniform(20, 235, 3).tolist()),
        glasses=bool(rng.random() < 0.12),
        beard=float((style != 'long') * (rng.random() < 0.3) * rng.uniform(0.3, 1.0)),
    )
    if want['makeup']:
        kinds = rng.random(3) < (0.85, 0.7, 0.5)
        if not kinds[:2].any():
            kinds[0] = True
        d['lip_colour'] = _colour(rng, _LIPSTICKS) if kinds[0] else None
        d['eye_shadow'] = _colour(rng, _SHADOWS) if kinds[1] else None
        d['blush'] = float(kinds[2] * rng.uniform(0.5, 1.0))
        d['beard'] = 0.0
    d['light_azimuth'] = near(0.0, 30.0)
    if want['illumination']:
        d['light'] = str(rng.choice(LIGHTS[1:], p=(0.4, 0.25, 0.15, 0.2)))
        if d['light'] == 'side':
            d['light_azimuth'] = _signed(rng, 55.0, 90.0)
        if d['light'] == 'coloured':
            warm = _signed(rng, 0.2, 0.4)
            d['light_tint'] = (1.0 - warm, float(rng.uniform(0.9, 1.0)), 1.0 + warm)
    if want['occlusion']:
        d['occluder'] = str(
            rng.choice(('sunglasses', 'hand', 'object', 'stripe', 'mask'), p=(0.2, 0.25, 0.25, 0.15, 0.15))
        )
        d['glasses'] = False
    if want['blur']:
        d['blur'] = str(rng.choice(('gaussian', 'motion')))
        d['blur_amount'] = float(rng.uniform(0.007, 0.014) if d['blur'] == 'gaussian' else rng.uniform(0.03, 0.06))
    d['noise'] = float(rng.uniform(1.0, 5.0) * (2.0 if d.get('light') == 'low_key' else 1.0))
    d['seed'] = int(rng.integers(2**31))
    return FaceParams(**d)

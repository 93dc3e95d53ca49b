"""The curves of the face on which the landmarks of WFLW, COFW and 300W lie.

A boundary is an ordered list of landmark indices; a smooth curve through them, closed or open, is one line of the
edge map. Sides are the subject's, as in mmpose's keypoint names. Every set but ``'cofw_star'`` maps onto itself when
the face is mirrored.
"""

from typing import Dict, NamedTuple, Tuple


class Boundary(NamedTuple):
    """One curve: its name, the landmarks it passes through in order, and whether the last joins the first."""

    name: str
    indices: Tuple[int, ...]
    closed: bool


def _span(first: int, last: int) -> Tuple[int, ...]:
    return tuple(range(first, last + 1))


_WFLW = (
    Boundary('jaw', _span(0, 32), closed=False),
    Boundary('right_eyebrow', _span(33, 41), closed=True),
    Boundary('left_eyebrow', _span(42, 50), closed=True),
    Boundary('nose_bridge', _span(51, 54), closed=False),
    Boundary('nose_base', _span(55, 59), closed=False),
    Boundary('right_eye', _span(60, 67), closed=True),
    Boundary('left_eye', _span(68, 75), closed=True),
    Boundary('outer_lip', _span(76, 87), closed=True),
    Boundary('inner_lip', _span(88, 95), closed=True),
)

_FACE300W = (
    Boundary('jaw', _span(0, 16), closed=False),
    Boundary('right_eyebrow', _span(17, 21), closed=False),
    Boundary('left_eyebrow', _span(22, 26), closed=False),
    Boundary('nose_bridge', _span(27, 30), closed=False),
    Boundary('nose_base', _span(31, 35), closed=False),
    Boundary('right_eye', _span(36, 41), closed=True),
    Boundary('left_eye', _span(42, 47), closed=True),
    Boundary('outer_lip', _span(48, 59), closed=True),
    Boundary('inner_lip', _span(60, 67), closed=True),
)

_COFW = (
    Boundary('right_eyebrow', (0, 4, 2, 5), closed=True),
    Boundary('left_eyebrow', (1, 6, 3, 7), closed=True),
    Boundary('right_eye', (8, 12, 10, 13), closed=True),
    Boundary('left_eye', (9, 14, 11, 15), closed=True),
    Boundary('nose', (18, 20, 19, 21), closed=True),
    Boundary('lower_lip', (22, 26, 23, 27), closed=True),
    Boundary('upper_lip', (22, 24, 23, 25), closed=True),
)

# The set that ADNet and STAR train with leaves the left eye open at the lower lid while the right eye is closed. Use
# it with networks that were trained on it; new ones are better off with the symmetric 'cofw'.
_COFW_STAR = tuple(b._replace(closed=False) if b.name == 'left_eye' else b for b in _COFW)

BOUNDARIES: Dict[str, Tuple[Boundary, ...]] = {
    'wflw': _WFLW,
    '300w': _FACE300W,
    'cofw': _COFW,
    'cofw_star': _COFW_STAR,
}

#: Landmarks of each annotation scheme, including those on no boundary (pupils, chin).
NUM_LANDMARKS: Dict[str, int] = {'wflw': 98, '300w': 68, 'cofw': 29, 'cofw_star': 29}

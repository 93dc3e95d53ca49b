"""Which face stands at which place of a synthetic dataset: a pure function of (seed, layout, split, index)."""

import zlib
from typing import Dict

import numpy as np

from .params import ATTRIBUTES, FaceParams, sample_face

# Share of the faces on which a flag is asked for. Every flag is set on some of any 48 consecutive faces.
RATES = {
    layout: dict(zip(ATTRIBUTES, rates))
    for layout, rates in {  # pose, expression, illumination, make-up, occlusion, blur
        'wflw': (0.16, 0.18, 0.20, 0.15, 0.22, 0.22),
        'cofw': (0.10, 0.20, 0.15, 0.10, 0.55, 0.10),
        '300w': (0.10, 0.25, 0.15, 0.12, 0.10, 0.10),
        'ibug': (0.45, 0.45, 0.45, 0.15, 0.35, 0.25),
    }.items()
}
# Steps of six low-discrepancy sequences: fractional parts of square roots of primes.
_STEPS = dict(zip(ATTRIBUTES, np.sqrt([2.0, 3.0, 5.0, 7.0, 11.0, 13.0]) % 1.0))


def _stream(seed: int, *names: str) -> tuple:
    return (int(seed), zlib.crc32('/'.join(names).encode()))


def wanted_attributes(seed: int, rates: str, split: str, index: int) -> Dict[str, int]:
    """The flags asked for on face ``index``: spread evenly, so that small sets have all of them too."""
    start = np.random.default_rng(_stream(seed, rates, split, 'flags')).random(len(ATTRIBUTES))
    return {a: int((start[i] + index * _STEPS[a]) % 1.0 < RATES[rates][a]) for i, a in enumerate(ATTRIBUTES)}


def face_rng(seed: int, layout: str, split: str, index: int) -> np.random.Generator:
    """The generator of face ``index``; it depends on nothing else, so neither do pictures on workers or counts."""
    return np.random.default_rng((*_stream(seed, layout, split), int(index)))


def planned_face(seed: int, layout: str, split: str, index: int, rates: str = '') -> FaceParams:
    """The parameters of face ``index`` of a split (``rates``: a key of :data:`RATES`, default the layout)."""
    return sample_face(face_rng(seed, layout, split, index), wanted_attributes(seed, rates or layout, split, index))

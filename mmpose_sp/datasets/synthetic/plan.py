"""Which face stands at which place of a synthetic dataset: a pure function of (seed, layout, split, index)."""
import zlib
from typing import Dict

import numpy as np

from .params import ATTRIBUTES, FaceParams, sample_face

# Share of the faces on which a flag is asked for. Every flag is set on some of any 48 consecutive faces.
RATES = {
    'wflw': dict(largepose=.16, expression=.18, illumination=.20, makeup=.15, occlusion=.22, blur=.22),
    'cofw': dict(largepose=.10, expression=.20, illumination=.15, makeup=.10, occlusion=.55, blur=.10),
    '300w': dict(largepose=.10, expression=.25, illumination=.15, makeup=.12, occlusion=.10, blur=.10),
    'ibug': dict(largepose=.45, expression=.45, illumination=.45, makeup=.15, occlusion=.35, blur=.25),
}
# Steps of six low-discrepancy sequences: fractional parts of square roots of primes.
_STEPS = dict(zip(ATTRIBUTES, np.sqrt([2., 3., 5., 7., 11., 13.]) % 1.))


def _stream(seed: int, *names: str) -> tuple:
    return (int(seed), zlib.crc32('/'.join(names).encode()))


def wanted_attributes(seed: int, rates: str, split: str, index: int) -> Dict[str, int]:
    """The flags asked for on face ``index``: spread evenly, so that small sets have all of them too."""
    start = np.random.default_rng(_stream(seed, rates, split, 'flags')).random(len(ATTRIBUTES))
    return {a: int((start[i] + index * _STEPS[a]) % 1. < RATES[rates][a]) for i, a in enumerate(ATTRIBUTES)}


def face_rng(seed: int, layout: str, split: str, index: int) -> np.random.Generator:
    """The generator of face ``index``; it depends on nothing else, so neither do pictures on workers or counts."""
    return np.random.default_rng((*_stream(seed, layout, split), int(index)))


def planned_face(seed: int, layout: str, split: str, index: int, rates: str = '') -> FaceParams:
    """The parameters of face ``index`` of a split (``rates``: a key of :data:`RATES`, default the layout)."""
    return sample_face(face_rng(seed, layout, split, index), wanted_attributes(seed, rates or layout, split, index))

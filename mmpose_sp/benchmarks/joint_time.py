"""What joining landmarks costs: FaceLandmarker on given boxes, each landmark alone and joined."""

from functools import partial

import numpy as np

from mmpose_sp.apis import FaceLandmarker
from mmpose_sp.apis.packaged import PACKAGED

from .report import Section
from .timing import Context, interleave


def run(context: Context) -> Section:
    picture = np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    box = [[60.0, 60.0, 240.0, 240.0]]
    rows = []
    for name in list(PACKAGED)[: 1 if context.quick else None]:
        ways = {
            joint: FaceLandmarker.from_packaged(name, device=str(context.device), joint=joint)
            for joint in ('off', 'offset')
        }
        for faces in (1,) if context.quick else (1, 8):
            calls = {joint: partial(way, picture, bboxes=box * faces) for joint, way in ways.items()}
            times = interleave(context, calls)
            rows += [
                {
                    'model': name,
                    'faces': faces,
                    'joint': joint,
                    'ms per face': times[joint].ms / faces,
                    'times off': times[joint].over(times['off']),
                }
                for joint in ways
            ]
    return Section(
        'Joined landmarks',
        'Packaged models on given boxes in one picture: crop, network with flip test, decoding, results; no detector.',
        rows,
    )

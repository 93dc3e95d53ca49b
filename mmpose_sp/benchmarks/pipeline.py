"""Images per second of the training pipeline, with each kind of target and with none."""

import copy
import random
from typing import Optional

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose

from .problems import face_records, load_configs
from .report import Goal, Section
from .timing import Context, interleave

OURS, WITH_EDGES, MSRA, NOTHING = 'ours', 'ours, edge maps', 'MSRAHeatmap', 'no target'
FACES = 8
SIDES = {256: 'crop of 256 px', 1024: 'photograph of 1024 px'}


def with_target(config: Config, codec: Optional[dict]) -> Compose:
    """The training pipeline of a config with another codec; without one, GenerateTarget is left out."""
    steps = copy.deepcopy(list(config.train_pipeline))
    return Compose(
        [
            dict(step, encoder=codec) if step['type'] == 'GenerateTarget' else step
            for step in steps
            if codec or step['type'] != 'GenerateTarget'
        ]
    )


def run(context: Context) -> Section:
    cv2.setNumThreads(context.threads)
    configs = load_configs()
    codec = configs['ours'].codec
    pipelines = {
        name: with_target(configs['ours'], target)
        for name, target in (
            (OURS, codec),
            (WITH_EDGES, dict(codec, edge_maps=True)),
            (MSRA, configs['stock'].model.head.decoder),
            (NOTHING, None),
        )
    }
    rows, goals = [], []
    for side, picture in SIDES.items():
        records = face_records(context.folder, FACES, side)

        def load(pipeline: Compose, records=records) -> None:
            # all pipelines see the same augmentations, those of the first call as well as of the last
            for seed, record in enumerate(records):
                random.seed(seed), torch.manual_seed(seed)
                np.random.seed(seed)  # noqa: NPY002  mmpose draws from it
                pipeline(copy.copy(record))

        times = interleave(
            context.on_cpu, {name: lambda p=p: load(p) for name, p in pipelines.items()}, 3 * context.repeats
        )
        rows += [
            {
                'picture': picture,
                'target': name,
                'images/s': FACES / times[name].seconds,
                'share of no target': times[NOTHING].over(times[name]),
            }
            for name in pipelines
        ]
        goals.append(
            Goal(
                f'{picture}: ours, share of the images/s without a target', times[NOTHING].over(times[OURS]), 0.9, True
            )
        )
    return Section(
        'Pipeline',
        'Training pipeline of the HRNetV2-W18 recipe on WFLW (load, flip, box transform, warp to '
        '256 x 256, target, texture, pack), one process, rendered faces. Photographs of WFLW are about 1024 px wide; '
        'pictures of 256 px are the hardest case, where reading the file costs least.',
        rows,
        goals,
    )

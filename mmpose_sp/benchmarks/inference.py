"""Images per second of the whole path: crop, network, decode."""

import copy
from typing import Callable, List

import torch
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from torch import nn

from .problems import build_models, face_records, load_configs
from .report import Section
from .timing import Context, interleave


def predictor(config: Config, model: nn.Module, records: List[dict]) -> Callable[[], list]:
    """As mmpose's ``inference_topdown``: the test pipeline for each face, one batch, landmarks in picture px."""
    pipeline = Compose(config.val_pipeline)
    model.eval()

    @torch.no_grad()
    def predict() -> list:
        return model.test_step(pseudo_collate([pipeline(copy.copy(record)) for record in records]))

    return predict


def run(context: Context) -> Section:
    configs = load_configs()
    models = build_models(context, configs)
    rows = []
    for batch in (1, 2) if context.quick else (1, 8, 64):
        records = face_records(context.folder, batch, 256)
        functions = {name: predictor(configs[name], models[name], records) for name in configs}
        repeats = 3 if context.device.type == 'cpu' and batch > 8 else context.repeats
        times = interleave(context, functions, repeats)
        rows += [
            {
                'batch': batch,
                'head': name,
                'images/s': batch / times[name].seconds,
                'ms per image': times[name].ms / batch,
                'times stock': times[name].over(times['stock']),
            }
            for name in functions
        ]
    return Section(
        'Inference',
        'Pictures of 256 px from files through the test pipeline, HRNetV2-W18 and the decoder, one '
        'process, without flip test; "stock" is HeatmapHead with MSRAHeatmap.',
        rows,
    )

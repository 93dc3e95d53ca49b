"""A model on the faces of a dataloader, for tools that measure it."""

import copy
from typing import Any, Dict, Iterator

import numpy as np
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from mmpose.structures import PoseDataSample
from tqdm import tqdm


def predicted_samples(model: torch.nn.Module, loader: Dict[str, Any], name: str) -> Iterator[PoseDataSample]:
    """Annotated and predicted faces of a dataloader (its config), read in this process; ``name`` is for the bar."""
    loader = dict(loader, num_workers=0, persistent_workers=False)
    for batch in tqdm(Runner.build_dataloader(loader), desc=name, unit='batch'):
        with torch.no_grad():
            yield from model.test_step(batch)


def loader_of(config: Config, split: str, faces: int = 0) -> Dict[str, Any]:
    """The validation loader on the faces of a split; ``faces`` of them, evenly spread, if there are more (0: all)."""
    loader = copy.deepcopy(config.test_dataloader if split == 'test' else config.val_dataloader)
    if split == 'train':
        for key in ('type', 'data_root', 'ann_file', 'data_prefix'):
            if key in config.train_dataloader.dataset:
                loader.dataset[key] = config.train_dataloader.dataset[key]
    total = len(Runner.build_dataloader(copy.deepcopy(loader)).dataset)
    if 0 < faces < total:
        loader.dataset.indices = np.linspace(0, total - 1, faces).round().astype(int).tolist()
    return loader


def counted_landmarks(sample: PoseDataSample) -> np.ndarray:
    """(K,) bool: which landmarks of a face are annotated."""
    visible = np.asarray(sample.gt_instances.keypoints_visible[0])
    return (visible if visible.ndim == 1 else visible[:, 0]) > 0

"""A model on the faces of a dataloader, for tools that measure it."""

from typing import Any, Dict, Iterator

import numpy as np
import torch
from mmengine.runner import Runner
from mmpose.structures import PoseDataSample
from tqdm import tqdm


def predicted_samples(model: torch.nn.Module, loader: Dict[str, Any], name: str) -> Iterator[PoseDataSample]:
    """Annotated and predicted faces of a dataloader (its config), read in this process; ``name`` is for the bar."""
    loader = dict(loader, num_workers=0, persistent_workers=False)
    for batch in tqdm(Runner.build_dataloader(loader), desc=name, unit='batch'):
        with torch.no_grad():
            yield from model.test_step(batch)


def counted_landmarks(sample: PoseDataSample) -> np.ndarray:
    """(K,) bool: which landmarks of a face are annotated."""
    visible = np.asarray(sample.gt_instances.keypoints_visible[0])
    return (visible if visible.ndim == 1 else visible[:, 0]) > 0

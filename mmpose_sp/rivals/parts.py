"""What mmpose's heads need to run beside ours; registered by importing this module."""

from typing import Dict, List, Optional, Sequence, Union

import torch
from mmengine.model import BaseModule, ModuleList
from mmpose.models.losses import JSDiscretLoss
from mmpose.models.pose_estimators import TopdownPoseEstimator
from mmpose.registry import MODELS
from mmpose.structures import PoseDataSample
from torch import Tensor


@MODELS.register_module()
class NeckChain(BaseModule):
    """Necks one after the other.

    Args:
        necks: Their configs; each takes what the one before gives.
    """

    def __init__(self, necks: List[dict]) -> None:
        super().__init__()
        self.necks = ModuleList([MODELS.build(neck) for neck in necks])

    def forward(self, features: Union[Tensor, Sequence[Tensor]]) -> Union[Tensor, Sequence[Tensor]]:
        for neck in self.necks:
            features = neck(features)
        return features


@MODELS.register_module()
class Float32HeadEstimator(TopdownPoseEstimator):
    """mmpose's estimator, whose head trains in float32 where backbone and neck run under autocast.

    mmpose's heads give what they predict to NumPy, which has no bfloat16; and 8 bits are few for scores.
    """

    def loss(self, inputs: Tensor, data_samples: List[PoseDataSample]) -> Dict[str, Tensor]:
        features = self.extract_feat(inputs)
        with torch.autocast(inputs.device.type, enabled=False):
            features = tuple(feature.to(inputs.dtype) for feature in features)
            return self.head.loss(features, data_samples, train_cfg=self.train_cfg)


@MODELS.register_module()
class GuardedJSDiscretLoss(JSDiscretLoss):
    """mmpose's loss of DSNT's heatmaps, whose gradient is NaN where a landmark has weight 0 (it lies outside the crop)
    or a heatmap underflows.

    The derivative of p log p is infinite at 0, and mmpose multiplies the maps by the weight. Here, maps without weight
    are left out, and the others are kept above the smallest number that log bears.
    """

    def forward(self, pred_hm: Tensor, gt_hm: Tensor, target_weight: Optional[Tensor] = None) -> Tensor:
        """Same as mmpose's for maps (N, K, H, W) where all weights (N, K) are 1."""
        assert target_weight is not None
        seen = target_weight > 0
        tiny = torch.finfo(pred_hm.dtype).tiny
        loss = super().forward(pred_hm[seen].clamp(min=tiny), gt_hm[seen].clamp(min=tiny), target_weight[seen])
        return loss * max(int(seen.sum()), 1) / len(gt_hm) if self.size_average else loss

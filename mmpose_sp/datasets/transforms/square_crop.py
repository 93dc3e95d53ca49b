"""The face crop of ADNet and STAR, to a fraction of a pixel."""

from typing import Tuple

import numpy as np
from mmcv.transforms import BaseTransform
from mmpose.registry import TRANSFORMS


@TRANSFORMS.register_module()
class GetSquareCenterScale(BaseTransform):
    """Square crop as long as the longer side of the box, placed on the pixel grid as ADNet and STAR place it.

    In place of mmpose's ``GetBBoxCenterScale``, before ``TopdownAffine``; for networks with the weights of ADNet or
    STAR. A crop of side s (image px) maps the centre c of the box to the middle of the input, ((W - 1) / 2,
    (H - 1) / 2) in pixel indices, so that x_input = (x - c) * W / s + (W - 1) / 2. mmpose puts its ``bbox_center`` at
    W / 2; half an input px is added to the centre to make up for it.

    Required Keys:

        - bbox, (1, 4) x1 y1 x2 y2 in image px

    Added Keys:

        - bbox_center, (1, 2) image px
        - bbox_scale, (1, 2) image px, both values s

    Args:
        input_size: (W, H) of the network's input.
        padding: s / longer side. Defaults to 1
    """

    def __init__(self, input_size: Tuple[int, int], padding: float = 1.0) -> None:
        super().__init__()
        if not padding > 0:
            raise ValueError(f'padding must be positive, got {padding}')
        self.input_size = tuple(input_size)
        self.padding = padding

    def transform(self, results: dict) -> dict:
        """Set centre and scale from the box; those of the dataset are replaced."""
        box = np.asarray(results['bbox'], dtype=np.float32).reshape(-1, 4)
        side = self.padding * (box[:, 2:] - box[:, :2]).max(axis=1, keepdims=True)
        results['bbox_center'] = (box[:, :2] + box[:, 2:]) / 2 + 0.5 * side / np.float32(self.input_size)
        results['bbox_scale'] = np.repeat(side, 2, axis=1)
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(input_size={self.input_size}, padding={self.padding})'

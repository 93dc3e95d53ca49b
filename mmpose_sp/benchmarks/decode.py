"""Score maps to landmarks: speed and accuracy of ours and of mmpose's MSRAHeatmap."""

from typing import Callable, Dict

import numpy as np
import torch
from mmpose.codecs import MSRAHeatmap
from torch import Tensor

from mmpose_sp.codecs import ImageAwareLabelSmoothing
from mmpose_sp.models.gaussian_maps import gaussian_maps

from .report import Goal, Section
from .timing import Context, interleave

SIZE, STRIDE, SIGMA = 64, 4, 2.0
OURS, PLAIN, DARK = 'ours', 'MSRAHeatmap', 'MSRAHeatmap, unbiased (DARK)'


def decoders(maps: Tensor) -> Dict[str, Callable[[], np.ndarray]]:
    """Each gives the landmarks (B, K, 2) in heatmap px, as NumPy, from maps (B, K, h, w) on their device."""
    sizes = ((SIZE * STRIDE,) * 2, (SIZE,) * 2)
    ours = ImageAwareLabelSmoothing(*sizes)

    def looped(codec: MSRAHeatmap) -> np.ndarray:
        return np.concatenate([codec.decode(face)[0] for face in maps.cpu().numpy()]) / STRIDE

    return {
        OURS: lambda: (np.concatenate(ours.batch_decode(maps)[0]) + 0.5) / STRIDE - 0.5,
        PLAIN: lambda: looped(MSRAHeatmap(*sizes, sigma=SIGMA)),
        DARK: lambda: looped(MSRAHeatmap(*sizes, sigma=SIGMA, unbiased=True)),
    }


def run(context: Context) -> Section:
    batch = 8 if context.quick else 64
    # six px from the border, where a blur of 11 px as DARK's has the whole peak
    points = torch.rand(batch, 98, 2, generator=torch.Generator().manual_seed(0)) * (SIZE - 13) + 6
    maps = gaussian_maps(points, (SIZE, SIZE), SIGMA).to(context.device)
    functions = decoders(maps)
    times = interleave(context, functions, max(3, context.repeats // 2))
    errors = {name: function() - points.numpy() for name, function in functions.items()}
    bias = {name: float(np.abs(error.mean((0, 1))).max()) for name, error in errors.items()}
    rms = {name: float(np.sqrt(np.square(error).sum(-1).mean())) for name, error in errors.items()}
    rows = [
        {
            'decoder': name,
            'ms per batch': times[name].ms,
            'times ours': times[name].over(times[OURS]),
            'bias px': bias[name],
            'RMS error px': rms[name],
        }
        for name in functions
    ]
    goals = [
        Goal(f'times faster than {DARK}', times[DARK].over(times[OURS]), 10, True),
        Goal(f'times faster than {PLAIN}', times[PLAIN].over(times[OURS]), 2, True),
        Goal('RMS error over the better one of the others', rms[OURS] / min(rms[PLAIN], rms[DARK]), 1),
        Goal('bias over the better one of the others', bias[OURS] / min(bias[PLAIN], bias[DARK]), 1),
    ]
    return Section(
        'Decode',
        f'{batch} faces of 98 maps of {SIZE} x {SIZE}, copies to the host included. Accuracy on the same '
        f'maps: Gaussians of sigma {SIGMA:g} px about sub-pixel landmarks; bias is the larger component of the mean '
        'error, in heatmap px.',
        rows,
        goals,
    )

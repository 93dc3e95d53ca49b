"""The training step of our head against the stock head with MSE, on one backbone; AMP and torch.compile."""

from typing import Callable, Dict, List

import numpy as np
import torch
from mmengine.structures import InstanceData, PixelData
from mmpose.registry import KEYPOINT_CODECS
from mmpose.structures import PoseDataSample
from torch import nn

from .problems import build_models, face_landmarks, load_configs
from .report import Goal, Section
from .timing import Context, interleave

OURS, STOCK = 'ours', 'stock'
BATCH = {'cpu': 4, 'cuda': 32}


def labelled_samples(codec_cfg: dict, landmarks: List[np.ndarray], device: torch.device) -> List[PoseDataSample]:
    """What the pipeline would pack for these landmarks (1, K, 2) in input px."""
    codec = KEYPOINT_CODECS.build(codec_cfg)
    samples = []
    for points in landmarks:
        encoded = {key: torch.from_numpy(value).to(device) for key, value in codec.encode(points, None).items()}
        sample = PoseDataSample()
        fields = {'heatmaps'} & set(encoded)
        sample.gt_fields = PixelData(**{key: encoded[key] for key in fields})
        sample.gt_instance_labels = InstanceData(**{key: encoded[key] for key in encoded if key not in fields})
        samples.append(sample)
    return samples


class Trainer:
    """Training steps of one network on one batch."""

    def __init__(self, model: nn.Module, images: torch.Tensor, samples: List[PoseDataSample]):
        self.model, self.images, self.samples = model.train(), images, samples
        self.optimizer = torch.optim.Adam(model.parameters(), lr=1e-5)
        self.half = torch.float16 if images.is_cuda else torch.bfloat16
        scaler = getattr(torch.amp, 'GradScaler', None) or torch.cuda.amp.GradScaler  # torch < 2.3
        # the default of 2**16 overflows first, and these few steps are too few for it to find its way down
        self.scaler = scaler(init_scale=2.0**10, enabled=images.is_cuda)

    def loss(self) -> torch.Tensor:
        losses = self.model(self.images, self.samples, mode='loss')
        return sum(value for name, value in losses.items() if 'loss' in name)

    def step(self) -> None:
        self.optimizer.zero_grad()
        self.loss().backward()
        self.optimizer.step()

    def amp_step(self) -> torch.Tensor:
        """The loss, as autocast gives it."""
        self.optimizer.zero_grad()
        with torch.autocast(self.images.device.type, self.half):
            loss = self.loss()
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return loss.detach()

    def amp_is_finite(self) -> bool:
        """Whether the loss and the gradients of one more AMP step are."""
        loss = self.amp_step()
        gradients = (p.grad for p in self.model.parameters() if p.grad is not None)
        return bool(loss.isfinite()) and all(bool(g.isfinite().all()) for g in gradients)


def trainers(context: Context, batch: int) -> Dict[str, Trainer]:
    configs = load_configs()
    images = torch.randn(batch, 3, 256, 256, generator=torch.Generator().manual_seed(0)).to(context.device)
    landmarks = face_landmarks('wflw', batch)
    return {
        name: Trainer(model, images, labelled_samples(configs[name].model.head.decoder, landmarks, context.device))
        for name, model in build_models(context, configs).items()
    }


def loss_only(trainer: Trainer) -> Callable[[], None]:
    """The head and its loss, forward and backward, on features that are computed once."""
    with torch.no_grad():
        features = trainer.model.extract_feat(trainer.images)

    def step() -> None:
        losses = trainer.model.head.loss(features, trainer.samples, {'compute_acc': False})
        losses['loss_kpt'].backward()

    return step


def compiled(context: Context) -> str:
    """What becomes of torch.compile on our model: one sentence."""
    if context.quick:
        return 'torch.compile: not tried in a quick run.'
    trainer = trainers(context, 1)[OURS]
    # on a CPU, generating the code of this backbone takes minutes and shows nothing more about the head
    backend = 'inductor' if context.device.type == 'cuda' else 'aot_eager'
    torch.manual_seed(0)  # the label samples
    eager = trainer.loss().item()
    try:
        trainer.model = torch.compile(trainer.model, backend=backend)
        torch.manual_seed(0)
        loss = trainer.loss()
        loss.backward()
    except Exception as error:  # a compiler may raise anything; the reason is what we are after
        reason = next(iter(str(error).splitlines()), 'no message')
        return f'torch.compile ({backend}) fails: {type(error).__name__}: {reason}'
    return (
        f'torch.compile ({backend}) of the whole model works: loss {loss.item():.6f}, eager {eager:.6f}. The loss '
        'itself stays out of the graph: its checks depend on the data, and its arithmetic is fused by hand.'
    )


def run(context: Context) -> Section:
    batch = 1 if context.quick else BATCH[context.device.type]
    runs = trainers(context, batch)
    steps = {name: trainer.step for name, trainer in runs.items()}
    heads = {f'{name}, head and loss only': loss_only(trainer) for name, trainer in runs.items()}
    amp = {f'{name}, AMP': trainer.amp_step for name, trainer in runs.items()}
    times = {**interleave(context, {**steps, **amp}), **interleave(context, heads, 2 * context.repeats)}
    finite = all(trainer.amp_is_finite() for trainer in runs.values())
    rows = [
        {
            'step': name,
            'ms': timing.ms,
            'images/s': batch / timing.seconds,
            'times stock': timing.over(times[name.replace(OURS, STOCK)]),
        }
        for name, timing in times.items()
    ]
    goals = [Goal('time of our step over the stock step', times[OURS].over(times[STOCK]), 1.05)]
    kind = 'fp16' if context.device.type == 'cuda' else 'bfloat16'
    notes = [
        f'AMP ({kind}): loss and gradients are {"finite" if finite else "**not finite**"}; our step takes '
        f'{times[f"{OURS}, AMP"].over(times[OURS]):.2f} of its time in float32.',
        compiled(context),
    ]
    return Section(
        'Training step',
        f'HRNetV2-W18, batch {batch} of 256 x 256, 98 landmarks, Adam, without accuracy: '
        'StructuredPredictionHead + StructuredPredictionLoss (S 10) against HeatmapHead + KeypointMSELoss, whose '
        'targets are ready on the device. "Head and loss only": forward and backward of the head\'s layers and loss.',
        rows,
        goals,
        notes,
    )

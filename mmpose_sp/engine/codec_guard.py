"""Refuses a run whose labels, crops and decoder do not fit together."""

import logging

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import BaseLoop
from mmpose.registry import HOOKS

from mmpose_sp.codecs.agreement import disagreements, transforms_of


@HOOKS.register_module()
class CodecGuardHook(Hook):
    """Compares, before the first step, the codec of the head with the pipelines of all datasets of the run.

    And says in the log how far a training smooths its labels.
    """

    def before_run(self, runner) -> None:
        """See :func:`mmpose_sp.codecs.agreement.disagreements`.

        Raises:
            ValueError: Something does not fit; names the loader, both values and the fix.
        """
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        decoder = getattr(getattr(model, 'head', None), 'decoder', None)
        if decoder is None:
            return
        for name in ('train', 'val', 'test'):
            loop = getattr(runner, f'_{name}_loop')
            if isinstance(loop, BaseLoop):
                transforms = list(transforms_of(loop.dataloader.dataset))
                if name == 'train':
                    say_width(transforms, runner.logger)
                found = disagreements(decoder, transforms)
                if found:
                    raise ValueError(
                        f'{name}_dataloader does not fit model.head.decoder: {"; ".join(found)}. '
                        'Give both one codec, as the configs do: codec=dict(...) once, for the dataset and the decoder'
                    )


def say_width(transforms: list, logger: logging.Logger) -> None:
    """How far the codec of a pipeline, which may be another than the decoder, smooths the labels."""
    for codec in (getattr(transform, 'encoder', None) for transform in transforms):
        std = getattr(codec, 'label_std', 0)
        if std:
            logger.info(
                f'Labels are smoothed ({codec.smoothing}, gamma {codec.gamma:g}): standard deviation {std:.3f} '
                f'heatmap px = {std * codec.scale_factor[0]:.2f} input px, before the share of the edges'
            )

"""Refuses a run whose labels, crops and decoder do not fit together."""

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
        if isinstance(runner._train_loop, BaseLoop) and getattr(decoder, 'label_std', 0):
            std, stride = decoder.label_std, decoder.scale_factor[0]
            runner.logger.info(
                f'Labels are smoothed ({decoder.smoothing}, gamma {decoder.gamma:g}): standard deviation {std:.3f} '
                f'heatmap px = {std * stride:.2f} input px, before the share of the edges'
            )
        for name in ('train', 'val', 'test'):
            loop = getattr(runner, f'_{name}_loop')
            if isinstance(loop, BaseLoop):
                found = disagreements(decoder, transforms_of(loop.dataloader.dataset))
                if found:
                    raise ValueError(
                        f'{name}_dataloader does not fit model.head.decoder: {"; ".join(found)}. '
                        'Give both one codec, as the configs do: codec=dict(...) once, for the dataset and the decoder'
                    )

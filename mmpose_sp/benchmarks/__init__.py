"""The sections of ``benchmark_speed.py``: one function ``run(context) -> Section`` each, in the order of the report."""

from . import codec, decode, inference, joining, loss, pipeline, scaling, step

SECTIONS = {
    'loss': loss.run,
    'codec': codec.run,
    'pipeline': pipeline.run,
    'decode': decode.run,
    'step': step.run,
    'inference': inference.run,
    'joining': joining.run,
    'scaling': scaling.run,
}

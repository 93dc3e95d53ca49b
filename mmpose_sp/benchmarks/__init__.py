"""The sections of ``benchmark_speed.py``: one function ``run(context) -> Section`` each, in the order of the report."""

from . import codec, decode, inference, loss, pipeline, scaling, step

SECTIONS = {
    'loss': loss.run,
    'codec': codec.run,
    'pipeline': pipeline.run,
    'decode': decode.run,
    'step': step.run,
    'inference': inference.run,
    'scaling': scaling.run,
}

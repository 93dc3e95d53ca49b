"""The sections of ``benchmark_speed.py``: one function ``run(context) -> Section`` each, in the order of the report."""

from . import codec, decode, inference, joint_time, loss, pipeline, scaling, step

SECTIONS = {
    'loss': loss.run,
    'codec': codec.run,
    'pipeline': pipeline.run,
    'decode': decode.run,
    'step': step.run,
    'inference': inference.run,
    'joining': joint_time.run,
    'scaling': scaling.run,
}

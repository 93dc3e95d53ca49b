"""What our foundations warn of that is neither our users' doing nor theirs to mend, silenced one by one.

``import mmpose_sp`` does it, so the main process, torchrun's processes and spawned workers (which import us for what
they unpickle) are as quiet as forked ones, which inherit it. Each entry names the message and the module that
is said to have caused it; the same words from elsewhere, and all else, stay.
"""

import warnings

#: (start of the message, the module it points at), regular expressions
FOREIGN = (
    # mmengine 0.10 still imports it; the lock keeps a setuptools that has it
    ('pkg_resources is deprecated', r'mmengine\.'),
    # the converters write centre and scale on purpose
    ('Use the existing "bbox_center"', r'mmpose\.'),
    # mmpose's tools make the visualizer that the runner has made already
    (r"<class '.*Visualizer'> instance named of visualizer has been created", r'mmengine\.'),
    # the old spelling, which torch still takes
    (r'`?torch\.cuda\.amp\.autocast', r'(mmdet|mmcv|mmengine)\.'),
    # mmdet relies on the default that is meant to change
    (r'torch\.meshgrid: in an upcoming release', r'torch\.functional'),
    # of torch about torch: in its exporter's copies
    (r'`isinstance\(treespec, LeafSpec\)` is deprecated', r'copyreg'),
)


def silence() -> None:
    """Ignore the warnings of :data:`FOREIGN` in this process."""
    for message, module in FOREIGN:
        warnings.filterwarnings('ignore', message=message, module=module)

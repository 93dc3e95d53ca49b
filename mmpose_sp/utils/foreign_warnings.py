"""What our foundations warn of that is neither our users' doing nor theirs to mend, silenced one by one.

``import mmpose_sp`` does it, so the main process, torchrun's processes and spawned workers (which import us for what
they unpickle) are as quiet as forked ones, which inherit it. Each entry names the message and the module that
is said to have caused it; the same words from elsewhere, and all else, stay.
"""

import warnings

#: (start of the message, a regular expression; the module it points at, likewise; why it does not matter)
FOREIGN = (
    (
        'pkg_resources is deprecated',
        r'mmengine\.',
        'mmengine 0.10 still imports it; the lock keeps a setuptools that has it',
    ),
    ('Use the existing "bbox_center"', r'mmpose\.', 'the converters write centre and scale on purpose'),
    (
        r"<class '.*Visualizer'> instance named of visualizer has been created",
        r'mmengine\.',
        "mmpose's tools make the visualizer that the runner has made already",
    ),
    (r'`?torch\.cuda\.amp\.autocast', r'(mmdet|mmcv|mmengine)\.', 'the old spelling, which torch still takes'),
    (
        r'torch\.meshgrid: in an upcoming release',
        r'torch\.functional',
        'mmdet relies on the default that is meant to change',
    ),
    (r'`isinstance\(treespec, LeafSpec\)` is deprecated', r'copyreg', "of torch about torch: in its exporter's copies"),
)


def silence() -> None:
    """Ignore the warnings of :data:`FOREIGN` in this process."""
    for message, module, _ in FOREIGN:
        warnings.filterwarnings('ignore', message=message, module=module)

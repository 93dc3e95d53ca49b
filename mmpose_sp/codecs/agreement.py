"""Whether what labels are made with, what faces are cut out for and what landmarks are read with are one."""

from typing import Any, Iterable, Iterator, List

import numpy as np


def transforms_of(dataset: Any) -> Iterator[Any]:
    """The transforms of a dataset and of those that it wraps or combines."""
    yield from getattr(getattr(dataset, 'pipeline', None), 'transforms', ())
    for inner in (*(getattr(dataset, 'datasets', None) or ()), getattr(dataset, 'dataset', None)):
        if inner is not None:
            yield from transforms_of(inner)


def disagreements(decoder: Any, transforms: Iterable[Any]) -> List[str]:
    """What does not fit together, one sentence each.

    Labels of another size than is decoded train without an error, to landmarks that are off by the ratio of the sizes.

    Args:
        decoder: The codec of the head.
        transforms: Of a dataset: crops have an ``input_size``, ``GenerateTarget`` has an ``encoder``, perhaps a list.
    """
    found = []
    for transform in transforms:
        encoders = getattr(transform, 'encoder', None) or []
        encoders = encoders if isinstance(encoders, (list, tuple)) else [encoders]
        if encoders and not any(type(encoder) is type(decoder) for encoder in encoders):
            names = ' and '.join(type(encoder).__name__ for encoder in encoders)
            found.append(f'labels are made by {names}, but landmarks are read by {type(decoder).__name__}')
        for part, owner in [(transform, type(transform).__name__), *((e, 'the codec of the labels') for e in encoders)]:
            for key in ('input_size', 'heatmap_size'):
                here, there = (_pair(getattr(item, key, None)) for item in (part, decoder))
                if here and there and here != there:
                    found.append(f'{key} of {owner} is {here}, that of the decoder {there}')
    return list(dict.fromkeys(found))


def _pair(size: Any) -> tuple:
    return () if size is None else tuple(np.ravel(size).tolist())

"""How each benchmark is scored: normaliser, threshold and subsets. Data only."""

from typing import Dict, NamedTuple, Tuple

Groups = Tuple[Tuple[int, ...], Tuple[int, ...]]


class Protocol(NamedTuple):
    """Evaluation protocol of one benchmark.

    Attributes:
        norm: preset used when the metric is given none: 'inter_ocular' or 'inter_pupil'.
        threshold: of failure rate and AUC, percent of the normaliser.
        inter_ocular: landmark indices (left side of the image, right side) of the outer eye
            corners.
        inter_pupil: of the pupils, or of the points around each eye whose mean stands for the
            pupil.
        subsets: parts of the test set that papers report besides the full set.
    """

    norm: str
    threshold: float
    inter_ocular: Groups
    inter_pupil: Groups
    subsets: Tuple[str, ...] = ()


PROTOCOLS: Dict[str, Protocol] = {
    'wflw': Protocol(
        norm='inter_ocular',
        threshold=10.0,
        inter_ocular=((60,), (72,)),
        inter_pupil=((96,), (97,)),
        subsets=('largepose', 'expression', 'illumination', 'makeup', 'occlusion', 'blur'),
    ),
    'cofw': Protocol(norm='inter_pupil', threshold=10.0, inter_ocular=((8,), (9,)), inter_pupil=((16,), (17,))),
    '300w': Protocol(
        norm='inter_ocular',
        threshold=5.0,
        inter_ocular=((36,), (45,)),
        inter_pupil=(tuple(range(36, 42)), tuple(range(42, 48))),
        subsets=('common', 'challenging'),
    ),
}

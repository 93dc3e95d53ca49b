"""The scores of a test set and its subsets as a table to read."""

import io
from typing import Dict

from rich import box
from rich.console import Console
from rich.table import Table


def score_table(metrics: Dict[str, float], counts: Dict[str, int], title: str) -> str:
    """NME, FR and AUC, one line for the full set and one for each subset.

    Args:
        metrics: As :class:`FaceAlignmentMetric` returns them: percent, percent and [0, 1].
        counts: Faces of ``'full'`` and of each subset, in the order of the lines; one without a face has no scores.
        title: Stands above.
    """
    table = Table('subset', title=title, box=box.SIMPLE_HEAD)
    for name in ('faces', 'NME %', 'FR %', 'AUC'):
        table.add_column(name, justify='right')
    for subset, count in counts.items():
        prefix = '' if subset == 'full' else f'{subset}/'
        scores = ['-'] * 3
        if count:
            scores = [f'{metrics[prefix + key]:.{digits}f}' for key, digits in (('NME', 2), ('FR', 2), ('AUC', 3))]
        table.add_row(subset, str(count), *scores, end_section=subset == 'full')
    text = io.StringIO()
    Console(file=text, width=100).print(table)
    return text.getvalue().rstrip()

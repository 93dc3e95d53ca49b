"""The cumulative error distribution (CED): the plot behind failure rate and AUC."""

import os
from typing import Dict, Optional

import numpy as np
from matplotlib.figure import Figure

from mmpose_sp.utils.atomic import save_figure

from .scores import ced_auc, failure_rate

CED_FORMATS = ('.png', '.pdf', '.svg')


def plot_ced(
    errors: Dict[str, np.ndarray],
    threshold: float,
    path: str,
    title: Optional[str] = None,
    norm_name: Optional[str] = None,
) -> str:
    """Draw the CED of one or more sets of faces, or of one or more methods, up to ``threshold``.

    Where no error is that small, the axis goes on to the largest, with a line at the threshold. The curves are the
    exact staircases; the legend gives NME, failure rate and AUC of each. Drawn without pyplot, so neither a display nor
    global state is needed. The file appears complete or not at all.

    Args:
        errors: name of the curve -> (N,) errors of its faces, percent.
        threshold: end of the error axis, percent.
        path: picture to write; the suffix (.png, .pdf, .svg) picks the format.
        title: optional title.
        norm_name: optional name of the normaliser, for the label of the axis.

    Returns:
        ``path``.

    Raises:
        ValueError: no curve, an unknown suffix, or errors that cannot be scored (the curve is named).
    """
    check_ced_path(path)
    if not errors:
        raise ValueError(f'{path}: there is no curve to draw')
    figure = Figure(figsize=(6.4, 4.8), layout='constrained')
    axes = figure.add_subplot()
    values = np.concatenate([np.ravel(nme) for nme in errors.values()])
    end = 1.05 * values.max() if values.size and values.min() > threshold else threshold
    if end > threshold:
        axes.axvline(threshold, color='0.5', lw=0.8, ls='--')
        axes.annotate(f' every error is above {threshold:g}%', (threshold, 0.95), color='0.4')
    for name, nme in errors.items():
        nme = np.sort(np.asarray(nme, dtype=np.float64))
        try:
            auc, failures = ced_auc(nme, threshold), failure_rate(nme, threshold)
        except ValueError as e:
            raise ValueError(f'curve {name!r} of {path}: {e}') from e
        inside = nme[nme <= end]
        x = np.concatenate([[0.0], inside, [end]])
        y = np.concatenate([[0.0], np.arange(1, inside.size + 1), [inside.size]]) / nme.size
        label = f'{name}  (NME {nme.mean():.2f}, FR {failures:.2f}, AUC {auc:.4f})'
        axes.step(x, y, where='post', label=label)
    axes.set(xlim=(0, end), ylim=(0, 1), ylabel='share of faces', title=title)
    axes.set_xlabel('NME [%]' + (f', {norm_name}' if norm_name else ''))
    axes.grid(alpha=0.3)
    axes.legend(loc='best', fontsize='small')
    save_figure(figure, path, 150)
    return path


def check_ced_path(path: str) -> None:
    """Raise ``ValueError`` for a suffix in which :func:`plot_ced` cannot write."""
    if os.path.splitext(path)[1].lower() not in CED_FORMATS:
        raise ValueError(f'the CED plot is written as {" / ".join(CED_FORMATS)}, not {path!r}')

"""The paper on three pages: :mod:`objective` (Eq. 8 to 12, the definition), :mod:`sampling` (Eq. 13), :mod:`fast`.

Needs nothing but torch, and nothing else of this package.
"""

from .fast import fast_structured_loss
from .objective import Objective, label_margin, score_at, structured_loss
from .sampling import sample_labels

__all__ = ['Objective', 'fast_structured_loss', 'label_margin', 'sample_labels', 'score_at', 'structured_loss']

"""A stand-in for ``xtcocotools``, which mmpose imports, by ``pycocotools``.

xtcocotools is a fork of pycocotools whose wheels are compiled against numpy 1 and end at Python 3.12. mmpose reads
annotation files with its ``COCO``, which is pycocotools', and scores bodies with its ``COCOeval``, which takes two more
arguments. Its further kinds of evaluation (whole bodies, crowds) are not here, and say so.

This file imports nothing of mmpose_sp, since it may be copied to ``xtcocotools.py`` (see ``mmpose_sp.stand_ins``).
"""

import sys

import numpy as np
from pycocotools import coco, cocoeval, mask

IS_STAND_IN = True  # the real one has no such name


class COCOeval(cocoeval.COCOeval):
    """pycocotools' evaluation, with the ``sigmas`` and ``use_area`` of xtcocotools' constructor.

    Raises:
        NotImplementedError: If asked for what only xtcocotools has.
    """

    def __init__(self, cocoGt=None, cocoDt=None, iouType='segm', sigmas=None, use_area=True):  # noqa: N803 (its names)
        if iouType not in ('segm', 'bbox', 'keypoints') or not use_area:
            raise NotImplementedError(
                f'pycocotools, here in place of xtcocotools, has no evaluation of {iouType!r}'
                f'{"" if use_area else " without areas"}. Fix: pip install "numpy<2" xtcocotools (Python 3.12 at most)'
            )
        super().__init__(cocoGt, cocoDt, iouType)
        if sigmas is not None:
            self.params.kpt_oks_sigmas = np.asarray(sigmas)


__path__ = []  # makes this file a package in the eyes of `import xtcocotools.coco`
COCO = coco.COCO
_evaluation = type(sys)(__name__ + '.cocoeval', cocoeval.__doc__)
vars(_evaluation).update(COCOeval=COCOeval, Params=cocoeval.Params)
sys.modules.update({__name__ + '.coco': coco, __name__ + '.mask': mask, __name__ + '.cocoeval': _evaluation})

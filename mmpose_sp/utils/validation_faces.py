"""Which faces may be used for a choice: not those of the test set."""

import os
from typing import Optional

from mmengine.config import Config


def validated_on_test_faces(config: Config) -> Optional[str]:
    """The annotation file that both ``val_dataloader`` and ``test_dataloader`` read; None if they read different ones.

    The benchmarks have no validation set, so their configs validate on the test faces, to draw curves. Whoever chooses
    or fits something by validation has to refuse that.
    """
    val, test = (
        os.path.abspath(os.path.join(loader.dataset.get('data_root') or '', loader.dataset.ann_file))
        for loader in (config.val_dataloader, config.test_dataloader)
    )
    return test if val == test else None


def refuse_test_faces(config: Config) -> None:
    """Refuse a config by whose validation something is to be chosen or fitted, and which validates on its test faces.

    Raises:
        ValueError: Names the annotation file that both loaders read, and the fix.
    """
    shared = validated_on_test_faces(config)
    if shared:
        raise ValueError(
            f'the config validates on its test faces ({shared}), which must not choose or fit anything. Hold training '
            'faces out with --val-fraction of the converter (a model trained without them is needed) and give both '
            'files: --cfg-options train_dataloader.dataset.ann_file=... val_dataloader.dataset.ann_file=...'
        )

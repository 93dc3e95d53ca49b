"""Which faces may be used for a choice: not those of the test set."""

import os

from mmengine.config import Config


def refuse_test_faces(config: Config) -> None:
    """Refuse a config by whose validation something is to be chosen or fitted, and which validates on its test faces.

    The benchmarks have no validation set, so their configs validate on the test faces, to draw curves.

    Raises:
        ValueError: ``val_dataloader`` and ``test_dataloader`` read one annotation file; names it, and the fix.
    """
    val, test = (
        os.path.abspath(os.path.join(loader.dataset.get('data_root') or '', loader.dataset.ann_file))
        for loader in (config.val_dataloader, config.test_dataloader)
    )
    if val == test:
        raise ValueError(
            f'the config validates on its test faces ({test}), which must not choose or fit anything. Hold training '
            'faces out with --val-fraction of the converter (a model trained without them is needed) and give both '
            'files: --cfg-options train_dataloader.dataset.ann_file=... val_dataloader.dataset.ann_file=...'
        )

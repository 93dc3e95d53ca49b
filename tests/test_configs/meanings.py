"""What each config means, in four fingerprints, so that a change of shared parts shows whom it reaches.

    python tests/test_configs/meanings.py               # write meanings.json anew, after a change that is meant
    python tests/test_configs/meanings.py CONFIG        # print the meaning of a config, to compare with an older one

A meaning is what is built: inheritance is resolved, the pipeline completed by the dataset's codec, what classes of ours
take by default is spelled out, and neither the order of keys nor tuples or lists matter.
"""

import hashlib
import inspect
import json
import sys
from pathlib import Path

from config_helpers import CONFIGS, load, training_pipeline
from mmpose.registry import DATASETS, HOOKS, KEYPOINT_CODECS, METRICS, MODELS, OPTIM_WRAPPERS, TRANSFORMS

TABLE = Path(__file__).with_name('meanings.json')
REGISTRIES = (MODELS, KEYPOINT_CODECS, TRANSFORMS, DATASETS, METRICS, HOOKS, OPTIM_WRAPPERS)


def defaults(kind):
    """What a class of ours takes where a config says nothing."""
    cls = next(filter(None, (registry.get(kind) for registry in REGISTRIES)), None)
    if cls is None or not cls.__module__.startswith('mmpose_sp'):
        return {}
    parameters = inspect.signature(cls).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not p.empty}


def normalised(value):
    if isinstance(value, dict):
        value = {**(defaults(value['type']) if isinstance(value.get('type'), str) else {}), **value}
        return {str(key): normalised(item) for key, item in value.items() if key != '_scope_'}
    return [normalised(item) for item in value] if isinstance(value, (list, tuple)) else value


def meaning(path):
    cfg = load(path)
    train = dict(cfg.train_dataloader, dataset=dict(cfg.train_dataloader.dataset, pipeline=training_pipeline(cfg)))
    schedule = ('train_cfg', 'optim_wrapper', 'param_scheduler', 'auto_scale_lr', 'custom_hooks', 'default_hooks')
    return normalised(
        dict(
            model=cfg.model,
            train=train,
            test=[cfg[key] for key in ('val_dataloader', 'test_dataloader', 'val_evaluator', 'test_evaluator')],
            schedule={key: cfg.get(key) for key in schedule},
        )
    )


def fingerprints(path):
    """Section -> fingerprint."""
    texts = {name: json.dumps(part, sort_keys=True) for name, part in meaning(path).items()}
    return {name: hashlib.sha256(text.encode()).hexdigest()[:8] for name, text in texts.items()}


if __name__ == '__main__':
    if sys.argv[1:]:
        print(json.dumps(meaning(Path(sys.argv[1])), indent=1, sort_keys=True))
    else:
        rows = (f' {json.dumps(path.stem)}: {json.dumps(fingerprints(path))}' for path in CONFIGS)
        TABLE.write_text('{\n' + ',\n'.join(rows) + '\n}\n')

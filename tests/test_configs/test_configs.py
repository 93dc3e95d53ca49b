"""Every config: its parts fit together, its pipelines run, it differs from its relatives where its name says so.

Networks are run once for each network and objective; what makes a config of one objective different from another is
data, which is compared.
"""

import copy
import json

import pytest
import torch
from config_helpers import (
    CONFIGS,
    LANDMARKS,
    benchmark,
    encoder_of,
    face_sample,
    load,
    metainfo_of,
    parts,
    training_pipeline,
)
from meanings import TABLE, fingerprints
from mmengine.dataset import Compose, pseudo_collate
from mmpose.registry import HOOKS, METRICS, MODELS

from mmpose_sp.faces import find_scheme

# a model trained on the mean of its map predicts that mean; Gaussian maps are no log-probabilities
DECODING = {
    'StructuredPredictionLoss': ('local_expectation', 'quadratic'),
    'SoftArgmaxLoss': ('expectation',),
    'STARLoss': ('expectation',),
    'KeypointGaussianMSELoss': ('quadratic',),
}
OWN = [path for path in CONFIGS if parts(path)[1] != 'msra']


def name(path):
    return path.stem[len('td-hm_') :]


def first_of_each(key, paths=CONFIGS):
    return list({key(path): path for path in reversed(paths)}.values())[::-1]


@pytest.mark.parametrize('path', CONFIGS, ids=name)
def test_pipelines_and_codec_fit(path, tmp_path):
    cfg = load(path)
    # overriding `codec` alone changes what is printed, not what is used
    assert encoder_of(cfg) == cfg.model.head.decoder == cfg.codec
    sample = Compose(training_pipeline(cfg))(face_sample(tmp_path, cfg))
    assert tuple(sample['inputs'].shape[-2:]) == tuple(cfg.codec.input_size[::-1])
    test_sample = Compose(cfg.test_dataloader.dataset.pipeline)(face_sample(tmp_path, cfg))
    assert test_sample['inputs'].shape == sample['inputs'].shape
    assert cfg.val_dataloader.dataset.pipeline == cfg.test_dataloader.dataset.pipeline
    ours = [cfg.default_hooks[key] for key in ('guard', 'ema', 'channels_last') if key in cfg.default_hooks]
    for hook in (*cfg.custom_hooks, *ours):
        HOOKS.build(hook)


@pytest.mark.parametrize('path', CONFIGS, ids=name)
def test_landmarks_are_those_of_the_benchmark(path):
    cfg, data = load(path), benchmark(path)
    assert metainfo_of(cfg)['dataset_name'] == data
    backbone, head = cfg.model.backbone, cfg.model.head
    counts = {backbone.get('num_landmarks'), head.get('out_channels')} - {None}
    assert counts == {LANDMARKS[data]}
    curves = {backbone.get('edges'), cfg.codec.get('boundaries')} - {None}
    assert curves <= {data} or curves == {f'{data}_star'}
    scheme = find_scheme(data)
    assert (cfg.num_landmarks, cfg.labels) == (scheme.num_landmarks, dict(boundaries=data, gamma=scheme.gamma))
    assert cfg.codec.get('gamma', scheme.gamma) == scheme.gamma
    files = [cfg[f'{part}_dataloader'].dataset.ann_file.split('/')[1] for part in ('train', 'val', 'test')]
    prefix, suffix = scheme.annotation_file.split('{}')
    assert all(name.startswith(prefix) and name.endswith(suffix) for name in files)


@pytest.mark.parametrize('path', OWN, ids=name)
def test_decoding_is_that_of_the_loss(path):
    cfg = load(path)
    assert cfg.codec.get('subpixel', 'quadratic') in DECODING[cfg.model.head.loss.type]


def network_and_objective(path):
    return '-'.join(parts(path)[:2])


@pytest.mark.slow
@pytest.mark.parametrize('path', first_of_each(network_and_objective), ids=network_and_objective)
def test_model_trains_predicts_and_is_scored(path, tmp_path):
    cfg = load(path)
    model_cfg = copy.deepcopy(cfg.model)
    model_cfg.backbone.pop('init_cfg', None)  # no download
    if model_cfg.backbone.type == 'AttentiveHourglass' and model_cfg.backbone.num_stacks == 4:
        model_cfg.backbone.update(channels=32)  # the full width is counted in the backbone's own tests
    torch.manual_seed(0)
    model = MODELS.build(model_cfg)
    train = Compose(training_pipeline(cfg))
    batch = pseudo_collate([train(face_sample(tmp_path, cfg))])
    losses = model.train()(**model.data_preprocessor(batch, True), mode='loss')
    total = sum(value for key, value in losses.items() if 'loss' in key)
    total.backward()
    assert torch.isfinite(total)
    without = [name for name, p in model.named_parameters() if p.requires_grad and p.grad is None]
    assert not without, 'parameters without gradient stop distributed training'

    batch = pseudo_collate([Compose(cfg.test_dataloader.dataset.pipeline)(face_sample(tmp_path, cfg))])
    with torch.no_grad():
        samples = model.eval()(**model.data_preprocessor(batch, False), mode='predict')
    assert samples[0].pred_instances.keypoints.shape == (1, LANDMARKS[benchmark(path)], 2)
    metric = METRICS.build(cfg.test_evaluator)
    metric.dataset_meta = metainfo_of(cfg)
    metric.process(None, [sample.to_dict() for sample in samples])
    assert metric.evaluate(1)['NME'] > 0


def without_landmarks(model):
    """A model section without what depends on the benchmark, the input size or the crop, or is chosen on its faces."""
    model = copy.deepcopy(model.to_dict())
    for key in ('num_landmarks', 'edges'):
        model['backbone'].pop(key, None)
    model['head'].pop('out_channels', None)
    model['head']['loss'].pop('alpha', None)
    for key in ('boundaries', 'gamma', 'input_size', 'heatmap_size', 'outside'):
        model['head']['decoder'].pop(key, None)
    return model


@pytest.mark.parametrize('path', CONFIGS, ids=name)
def test_one_objective_is_one_model_on_all_benchmarks(path):
    first = next(other for other in CONFIGS if parts(other)[:2] == parts(path)[:2])
    assert without_landmarks(load(path).model) == without_landmarks(load(first).model)


@pytest.mark.parametrize('path', CONFIGS, ids=name)
def test_one_schedule_is_one_recipe(path):
    """Optimiser, schedule, hooks, augmentation and batch follow from the schedule's part of the name."""
    first = next(other for other in CONFIGS if parts(other)[2] == parts(path)[2])
    ours, theirs = copy.deepcopy(load(path)), copy.deepcopy(load(first))
    for cfg in (ours, theirs):  # whether an epoch may be chosen follows from the data: see the last test
        for key in ('save_best', 'rule'):
            cfg.default_hooks.checkpoint.pop(key, None)
        if any(parts(other)[1].startswith('star') for other in (path, first)):  # STAR's has no weight decay
            cfg.optim_wrapper.optimizer.pop('weight_decay')
    recipe = 'train_cfg', 'optim_wrapper', 'param_scheduler', 'custom_hooks', 'default_hooks', 'auto_scale_lr'
    for key in (*recipe, 'geometry', 'texture'):
        assert ours[key] == theirs[key], key
    assert ours.train_dataloader.batch_size == theirs.train_dataloader.batch_size


@pytest.mark.parametrize('path', [p for p in CONFIGS if parts(p)[1] not in ('sp', 'star-weights')], ids=name)
def test_baseline_differs_from_ours_in_its_objective_alone(path):
    """Same budget, data and augmentation; what may differ is named here."""
    network, _, schedule, data = parts(path)
    ours = copy.deepcopy(load(next(p for p in CONFIGS if parts(p) == (network, 'sp', schedule, data))).to_dict())
    theirs = copy.deepcopy(load(path).to_dict())
    for cfg in (ours, theirs):
        cfg.pop('objective', None)
        cfg.pop('codec')
        cfg['train_dataloader']['dataset'].pop('codec')
        for key in ('type', 'loss', 'decoder', 'log_heatmaps'):
            cfg['model']['head'].pop(key, None)
        for key in ('point_loss', 'edge_loss'):
            cfg['model']['head'].get(key, {}).pop('loss_weight', None)
        cfg['model']['backbone'].pop('score_norm', None)
        cfg['model'].pop('test_cfg')
        cfg['optim_wrapper']['optimizer'].pop('weight_decay', None)  # a term of Eq. 11, see the published constants
    assert theirs == ours


def test_names_tell_batch_and_epochs():
    for path in CONFIGS:
        gpus_batch, epochs = parts(path)[2].split('-') if parts(path)[2] else (None, None)
        if epochs is None:
            continue  # converted weights have no schedule of their own
        cfg = load(path)
        assert int(gpus_batch.split('xb')[1]) == cfg.train_dataloader.batch_size, path.name
        assert int(epochs[:-1]) == cfg.train_cfg.max_epochs, path.name


@pytest.mark.parametrize('path', CONFIGS, ids=name)
def test_test_faces_choose_no_epoch(path):
    cfg = load(path)
    files = [(part.dataset.data_root, part.dataset.ann_file) for part in (cfg.val_dataloader, cfg.test_dataloader)]
    if files[0] == files[1]:
        assert 'save_best' not in cfg.default_hooks.checkpoint
    else:
        assert cfg.default_hooks.checkpoint.save_best == 'NME' and cfg.default_hooks.checkpoint.rule == 'less'


@pytest.mark.parametrize('path', CONFIGS, ids=name)
def test_configs_mean_what_they_meant(path):
    """After a change that is meant: ``python tests/test_configs/meanings.py``, and look at its diff."""
    assert fingerprints(path) == json.loads(TABLE.read_text()).get(path.stem)

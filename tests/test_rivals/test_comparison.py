"""Who is trained when: the search for learning rates, records, locks and the page, with trainings made up."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.registry import init_default_scope
from mmpose.registry import MODELS
from tiny_run import write_config

from mmpose_sp.apis.model_loading import load_config
from mmpose_sp.evaluation.scores import ced_auc, failure_rate
from mmpose_sp.rivals import comparison as module
from mmpose_sp.rivals import page
from mmpose_sp.rivals.comparison import Comparison, with_ours
from mmpose_sp.rivals.contestants import CONTESTANTS, OURS, find
from mmpose_sp.rivals.step_costs import training_step
from mmpose_sp.rivals.tracks import TRACKS, Run, training_config
from mmpose_sp.rivals.trainings import claim, identity, write_record

TRACK = TRACKS['cpu']._replace(epochs=4, trial_epochs=2)
OPTIMA = {'sp': 8e-3, 'sp-nomargin': 8e-3, 'dark': 64e-3, 'star': 1e-9, 'msra': 4e-3}


def made_up(optima=OPTIMA):
    """A training whose error grows with the distance of its learning rate from the optimum."""
    trained = []

    def train(config, folder):
        name, rate = folder.name.split('_lr')[0], config.optim_wrapper.optimizer.lr
        trained.append(folder.name)
        best = 4 + abs(np.log(rate / optima[name])) + 0.01 * config.randomness.seed
        (folder / 'best_NME_epoch_2.pth').write_bytes(b'')
        return dict(curve=[[2, 4], [9.0, best]], best=round(best, 4))

    return train, trained


def scores_of(config, checkpoint):
    rng = np.random.default_rng(config.randomness.seed)
    faces = {split: (2 + rng.random(9)).tolist() for split in ('val', 'test')}
    return dict(alone=faces, offset=faces, joined=faces, auroc=0.75, parameters=1_100_000)


@pytest.fixture
def started(tmp_path, monkeypatch):
    train, trained = made_up()
    monkeypatch.setattr(module, 'train', train)

    def start(names=('sp', 'dark'), known=None, folder='runs', **options):
        file = tmp_path / f'{folder}.json'
        if known:
            file.write_text(json.dumps(dict(records=known)))
        options.setdefault('say', lambda line: None)
        made = Comparison(TRACK, '300w_part', find(names), tmp_path / folder, file, {}, 0, scores_of, **options)
        made.trained = trained
        return made

    return start


def test_a_learning_rate_inside_of_the_grid_takes_three_trials(started):
    comparison = started(['sp'])
    comparison.choose_rates()
    assert [record['rate'] for record in comparison.trials('sp')] == [4e-3, 8e-3, 16e-3]
    assert comparison.rate('sp') == 8e-3


def test_a_grid_whose_best_is_at_its_edge_grows(started):
    comparison = started(['dark'])
    comparison.choose_rates()
    assert [record['rate'] for record in comparison.trials('dark')] == [4e-3, 8e-3, 16e-3, 32e-3, 64e-3, 128e-3]
    assert comparison.rate('dark') == 64e-3


def test_a_grid_does_not_grow_for_ever(started):
    comparison = started(['star'])
    comparison.choose_rates()
    assert len(comparison.trials('star')) == module.MOST_TRIALS


def test_a_variant_takes_the_rate_of_the_contestant_that_it_varies(started):
    comparison = started(['sp', 'sp-nomargin'])
    comparison.choose_rates()
    assert comparison.trials('sp-nomargin') == []
    assert comparison.rate('sp-nomargin') == 8e-3


def test_a_rate_that_a_whole_training_does_not_stand_leaves_its_place(started, monkeypatch):
    comparison, train = started(['sp']), module.train

    def diverge(config, folder):
        record = train(config, folder)
        return dict(record, best=50.0) if folder.name == f'sp_lr0.008_e{TRACK.epochs}_s0' else record

    monkeypatch.setattr(module, 'train', diverge)
    comparison.run_until(1)
    assert comparison.rate('sp') == 4e-3
    (row,) = page.rows_of(comparison)
    assert row.records[0]['rate'] == 4e-3
    assert '0.008: 4.00 (whole training: 50.00)' in page.cost_table(comparison, [row])
    # what is left has its best at the edge, so that the grid grows there
    assert [record['rate'] for record in comparison.trials('sp')] == [2e-3, 4e-3, 8e-3, 16e-3]


def test_a_training_that_fails_stops_nobody_else(started, monkeypatch):
    comparison, train = started(['sp', 'dark', 'msra']), module.train

    def fail(config, folder):
        if folder.name.startswith(('sp_lr0.016_e2', 'msra_lr0.004_e4')):
            raise RuntimeError('exit code 1')
        return train(config, folder)

    monkeypatch.setattr(module, 'train', fail)
    comparison.run_until(2)
    assert {run.name for run in comparison.failed} == {'sp_lr0.016_e2_s0', 'msra_lr0.004_e4_s0'}
    # no rate is chosen without all trials; the other seeds of one that failed once are tried
    seeds = [(r['contestant'], r['seed']) for r in comparison.records().values() if 'scores' in r]
    assert sorted(seeds) == [('dark', 0), ('dark', 1), ('dark', 2)]


def test_what_is_known_is_kept_after_every_training(started, monkeypatch):
    comparison, train = started(['sp']), module.train

    def killed(config, folder):
        if folder.name == 'sp_lr0.016_e2_s0':
            raise KeyboardInterrupt
        return train(config, folder)

    monkeypatch.setattr(module, 'train', killed)
    with pytest.raises(KeyboardInterrupt):
        comparison.choose_rates()
    assert list(json.loads(comparison.file.read_text())['records']) == ['sp_lr0.004_e2_s0', 'sp_lr0.008_e2_s0']


def test_what_is_known_is_not_trained_again(started):
    first = started()
    first.run_until(1)
    count = len(first.trained)
    started().run_until(1)  # the same folder
    started(known=first.records(), folder='elsewhere').run_until(1)
    assert len(first.trained) == count > 0


def test_scoring_again_changes_scores_and_trains_nothing(started):
    comparison = started(['sp'])
    comparison.run_until(1)
    (name,) = [name for name, record in comparison.records().items() if 'scores' in record]
    trained = list(comparison.trained)
    comparison.scorer = lambda config, checkpoint: dict(scores_of(config, checkpoint), auroc=0.25)
    comparison.score_again()
    assert comparison.records()[name]['scores']['auroc'] == 0.25 and comparison.trained == trained


def test_a_record_of_another_config_is_refused(started):
    comparison = started(['sp'])
    comparison.choose_rates()
    changed = comparison.records()
    for record in changed.values():
        record['identity'] = 'another'
    with pytest.raises(ValueError, match='another config'):
        started(['sp'], known=changed, folder='elsewhere').choose_rates()


def test_loader_processes_do_not_make_another_training():
    configs = [training_config(TRACK, '300w_part', CONTESTANTS['sp'], Run('sp', 1e-3, 2, 0), n) for n in (0, 2)]
    assert identity(configs[0]) == identity(configs[1])


def test_a_seed_does():
    configs = [training_config(TRACK, '300w_part', CONTESTANTS['sp'], Run('sp', 1e-3, 2, n)) for n in (0, 1)]
    assert identity(configs[0]) != identity(configs[1])


def test_the_best_on_validation_get_more_seeds_ours_always(started, monkeypatch):
    monkeypatch.setattr(module, 'BEST', 1)
    monkeypatch.setitem(OPTIMA, 'sp', 8.2e-3)  # a little off the grid, so that msra is ahead
    comparison = started(['sp', 'msra'])
    comparison.run_until(1)
    assert comparison.best() == [OURS]


@pytest.mark.parametrize(
    ('named', 'several'), [([], ['msra', 'sp']), (['sp-nomargin'], ['sp-nomargin'])], ids=['the best', 'who is named']
)
def test_who_trains_from_several_seeds(named, several, started):
    comparison = started(['sp', 'sp-nomargin', 'msra'])
    comparison.run_until(2, named)
    records = [record for record in comparison.records().values() if 'scores' in record]
    seeds = {name: [r['seed'] for r in records if r['contestant'] == name] for name in comparison.contestants}
    assert seeds == {name: [0, 1, 2] if name in several else [0] for name in comparison.contestants}


def test_how_many_seeds(started):
    comparison = started(['sp'], seeds=2)
    comparison.run_until(2)
    assert [record['seed'] for record in comparison.records().values() if 'scores' in record] == [0, 1]


def test_the_readme_quotes_the_page():
    root = Path(module.__file__).parents[2]
    summary = (root / 'docs/benchmark/heads.md').read_text().split('\n\n')[2]
    assert summary.startswith('| head') and summary in (root / 'README.md').read_text()


def test_one_process_at_a_time_works_in_a_folder(tmp_path):
    code = (
        'import sys; from pathlib import Path; from mmpose_sp.rivals.trainings import claim\n'
        'with claim(Path(sys.argv[1])) as mine: print(mine)'
    )
    environment = dict(os.environ, PYTHONPATH=str(Path(module.__file__).parents[2]))

    def other():
        run = subprocess.run([sys.executable, '-c', code, tmp_path], capture_output=True, text=True, env=environment)
        return run.stdout.strip()

    with claim(tmp_path) as mine:
        assert mine
        assert other() == 'False'
    assert other() == 'True'


def test_the_page_has_a_row_for_everybody_and_its_json_starts_another_machine(started, tmp_path):
    comparison = started(['sp', 'dark', 'msra'])
    comparison.run_until(2)
    page.write(comparison, tmp_path / 'heads.md', '# Heads', 'python ...', 5.0)
    text = (tmp_path / 'heads.md').read_text()
    assert all(text.count(f'| {CONTESTANTS[name].title} ') == 5 for name in ('sp', 'dark', 'msra'))  # five tables
    assert started().known == json.loads(json.dumps(comparison.records()))


def test_the_page_counts_the_seconds_to_a_target(started):
    comparison = started(['sp', 'star'])
    comparison.run_until(1)
    rows = page.rows_of(comparison)
    comparison.costs = {'sp': [250.0, 1.0, 80.0, 68]}
    table = page.cost_table(comparison, rows)
    passed = next(line for line in table.splitlines() if line.startswith('| Ours'))
    # ours has 9.0 at epoch 2, below where STAR's made-up training ends: 2 epochs of 68 steps of 0.25 s
    assert '| 2 (34 s)' in passed and '| 250 ' in passed


def test_a_step_is_one_of_training(tmp_path):
    config = load_config(write_config(tmp_path))
    step, count = training_step(config, torch.device('cpu'))
    first = {name: value.item() for name, value in step().items() if 'loss' in name}
    for _ in range(5):
        step()
    assert count == 2  # five faces in batches of four
    assert step()['loss_kpt'].item() < first['loss_kpt']


def test_the_page_averages_seeds(started):
    comparison = started(['sp'])
    comparison.run_until(2)
    (row,) = page.rows_of(comparison)
    expected = np.mean([2 + np.random.default_rng(seed).random(18).reshape(2, 9)[1] for seed in range(3)], axis=1)
    table = page.result_table(comparison, [row], 'alone', 5.0)
    assert f'{expected.mean():.3f} ({expected.std(ddof=1):.3f})' in table


def test_differences_are_those_of_the_scores():
    rng = np.random.default_rng(1)
    errors = {name: 3 + 3 * rng.random((2, 40)) for name in ('sp', 'dark')}
    ours, dark = (
        page.Row(name, {seed: dict(scores=dict(alone=dict(test=errors[name][seed]))) for seed in (0, 1)})
        for name in ('sp', 'dark')
    )
    found = page.compare(dark, ours, 'alone', 5.0)
    for name, score in (('NME', np.mean), ('FR', lambda e: failure_rate(e, 5.0)), ('AUC', lambda e: ced_auc(e, 5.0))):
        expected = np.mean([score(a) - score(b) for a, b in zip(errors['dark'], errors['sp'])])
        value, low, high = (float(part.strip('[],')) for part in found[f'{name} above ours'].split())
        assert value == pytest.approx(expected, abs=6e-4)
        assert low < value < high


def test_unknown_contestants_are_named():
    with pytest.raises(ValueError, match='no contestant nobody; there are sp, '):
        find(['nobody', 'sp'])


def test_a_variant_brings_the_one_that_it_varies():
    assert with_ours(['sp-nomargin', 'dark']) == ['sp-nomargin', 'dark', 'sp']


def built(track, name):
    """Network and config of a contestant, without a download."""
    config = training_config(TRACKS[track], '300w_part', CONTESTANTS[name], Run(name, 1e-3, 2, 0))
    init_default_scope('mmpose')
    config.model.backbone.init_cfg = None
    return MODELS.build(config.model).eval(), config


@pytest.mark.parametrize(
    ('track', 'name'), [*(('cpu', name) for name in CONTESTANTS), ('cpu-256', 'ipr'), ('gpu', 'sp'), ('gpu', 'rle')]
)
def test_every_head_fits_every_network(track, name):
    model, config = built(track, name)
    output = model(torch.zeros(1, 3, *config.codec.input_size), None, mode='tensor')
    shapes = [tuple(part.shape[:2]) for part in (output if isinstance(output, tuple) else [output])]
    assert set(shapes) <= {(1, 68)}


def test_a_head_trains_in_float32_where_the_network_runs_in_bfloat16():
    model, _ = built('cpu-256', 'dark')
    model.head.loss = lambda features, *_, **__: dict(loss=model.head(features))
    inputs = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.autocast('cpu', torch.bfloat16):
        found, features = model.loss(inputs, [])['loss'], model.extract_feat(inputs)
    assert features[0].dtype == torch.bfloat16
    assert torch.equal(found, model.head(tuple(feature.float() for feature in features)))


@pytest.mark.parametrize('name', CONTESTANTS)
def test_every_head_has_the_same_hidden_layer(name):
    model, _ = built('cpu', name)
    parts = [model.head, *([model.neck] if model.with_neck else [])]
    kernels = [tuple(weight.shape) for part in parts for weight in part.parameters() if weight.dim() == 4]
    assert kernels.count((80, 40, 1, 1)) == 1


def test_write_record_is_read_back(tmp_path):
    write_record(dict(best=None, error='FloatingPointError'), tmp_path)
    assert module.read_record(tmp_path) == dict(best=None, error='FloatingPointError')

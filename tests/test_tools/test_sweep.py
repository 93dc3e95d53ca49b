"""The sweep over hyper-parameters (Fig. A3)."""

import json

import cv2
import pytest
from mmengine.config import Config
from tools_by_path import load_tool

sweep = load_tool('analysis_tools/sweep')


def test_grid_is_all_combinations_or_one_axis_at_a_time():
    grid = sweep.parse_grid(['eps=0.5,1', 'lambda=1,10'])
    assert [tuple(p.items()) for p in sweep.grid_points(grid)] == [
        (('eps', a), ('lambda', b)) for a in ('0.5', '1') for b in ('1', '10')
    ]
    axes = [dict(p) for p in sweep.grid_points(grid, 'axes')]
    assert axes == [{'eps': '0.5'}, {'eps': '1'}, {'lambda': '1'}, {'lambda': '10'}]


def test_the_config_itself_is_one_point_of_all_axes():
    """Lambda stands in the config; eps, alpha, margin and depth are left at the defaults of their classes."""
    loss, decoder = dict(type='StructuredPredictionLoss', loss_weight=100.0), dict(type='ImageAwareLabelSmoothing')
    model = dict(backbone=dict(type='AttentiveHourglass'), head=dict(loss=loss, decoder=decoder))
    values = 'eps=0.5,1 alpha=1.0,2 margin=l1,smooth_l1 lambda=100,1 seed=7 model.backbone.depth=4,3'
    grid = sweep.parse_grid([*values.split(), 'model.head.decoder.gamma=0.01,0.1'])
    own = sweep.own_values(Config(dict(model=model)), grid)
    defaults = {'eps': '1', 'alpha': '1.0', 'margin': 'smooth_l1', 'lambda': '100', 'model.backbone.depth': '4'}
    assert own == set(defaults.items())
    points = sweep.grid_points(grid, 'axes', own)
    assert [dict(point) for point in points] == [
        {},
        {'eps': '0.5'},
        {'alpha': '2'},
        {'margin': 'l1'},
        {'lambda': '1'},
        {'seed': '7'},
        {'model.backbone.depth': '3'},
        {'model.head.decoder.gamma': '0.01'},
        {'model.head.decoder.gamma': '0.1'},
    ]
    results = [dict(point=point, best=place) for place, point in enumerate(points)]
    panels = ('eps', '1'), ('lambda', '100'), ('eps', '0.5'), ('alpha', '2')
    assert [sweep.panel_scores(results, *pair, own) for pair in panels] == [[0], [0], [1], [2]]


def test_options_of_all_points_are_the_config_too(tiny, tmp_path, capsys):
    command = f'{tiny}/tiny.py --grid eps=1,2 alpha=1,2 --mode axes --work-dir {tmp_path} --dry-run'.split()
    for options, names in (
        ([], ['base', 'eps-2', 'alpha-2']),
        (['--cfg-options', 'model.head.loss.eps=2'], ['base', 'eps-1', 'alpha-2']),
    ):
        sweep.main([*command, *options])
        assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:]] == names


def test_short_names_belong_to_the_loss():
    assert [sweep.option_key(name) for name in ('eps', 'lambda', 'optim_wrapper.optimizer.lr')] == [
        'model.head.loss.eps',
        'model.head.loss.loss_weight',
        'optim_wrapper.optimizer.lr',
    ]


@pytest.mark.parametrize('item', ['eps', 'eps=', '=1', 'eps=1,,2', 'eps=1,1'])
def test_a_malformed_grid_is_refused(item):
    with pytest.raises(ValueError, match='is not NAME=|given twice'):
        sweep.parse_grid([item])


def test_points_have_distinct_folder_names():
    names = {sweep.point_name({'a': value}) for value in ('1', '[1]', '(1)', '1/2', '12', '-1')}
    assert len(names) == 6 and all('/' not in name for name in names)


def test_a_misspelt_key_is_refused_before_training(tiny, capsys):
    with pytest.raises(SystemExit):
        sweep.main([str(tiny / 'tiny.py'), '--grid', 'model.haed.loss.eps=1'])
    assert 'no model.haed; it has' in capsys.readouterr().err


def finished(work_dir, point, best, identity='x'):
    folder = work_dir / sweep.point_name(point)
    folder.mkdir(parents=True)
    result = dict(point=point, identity=identity, metric='NME', best=best, best_epoch=2, final=best)
    (folder / sweep.RESULT).write_text(json.dumps(result))


def test_finished_points_are_skipped_and_a_failed_one_does_not_stop_the_rest(tiny, tmp_path, monkeypatch):
    trained = []

    def run_point(command, point, folder, metric, identity):
        trained.append(point['eps'])
        if point['eps'] == '1':
            raise RuntimeError('out of memory')
        finished(tmp_path, point, 4 + float(point['eps']), identity)
        return json.loads((folder / sweep.RESULT).read_text())

    monkeypatch.setattr(sweep, 'run_point', run_point)
    command = [str(tiny / 'tiny.py'), '--grid', 'eps=0.5,1,2', '--work-dir', str(tmp_path)]
    with pytest.raises(SystemExit, match='eps-1: out of memory'):
        sweep.main(command)
    with pytest.raises(SystemExit):
        sweep.main(command)
    assert trained == ['0.5', '1', '2', '1']
    lines = (tmp_path / 'sweep.csv').read_text().splitlines()
    assert lines == ['eps,metric,best,best_epoch,final', '0.5,NME,4.5,2,4.5', '2,NME,6.0,2,6.0']
    assert cv2.imread(str(tmp_path / 'sweep.png')) is not None


def test_points_of_another_config_are_not_mixed_in(tiny, tmp_path, capsys):
    finished(tmp_path, {'eps': '1'}, 4, identity='another config')
    with pytest.raises(SystemExit):
        sweep.main([str(tiny / 'tiny.py'), '--grid', 'eps=1', '--work-dir', str(tmp_path)])
    assert 'trained with another config' in capsys.readouterr().err


@pytest.mark.slow
def test_sweep_trains_through_the_training_command(tiny, tmp_path, monkeypatch):
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '')
    sweep.main([str(tiny / 'tiny.py'), '--grid', 'eps=2', '--work-dir', str(tmp_path)])
    result = json.loads((tmp_path / 'eps-2' / sweep.RESULT).read_text())
    assert result['best'] > 0 and result['best_epoch'] == 1
    (trained,) = (tmp_path / 'eps-2').glob('*.py')
    assert 'eps=2' in trained.read_text()


def test_sweep_does_not_choose_by_the_test_faces(tiny, tmp_path, capsys):
    command = f'{tiny}/tiny.py --grid eps=1 --work-dir {tmp_path} --dry-run'.split()
    with pytest.raises(SystemExit):
        sweep.main([*command, '--cfg-options', 'test_dataloader.dataset.ann_file=faces.json'])
    assert '--val-fraction' in capsys.readouterr().err


@pytest.mark.parametrize('gpus', ['0', '-1'])
def test_sweep_needs_a_process(tiny, capsys, gpus):
    with pytest.raises(SystemExit):
        sweep.main([str(tiny / 'tiny.py'), '--grid', 'eps=1', '--gpus', gpus])
    assert '--gpus must be at least 1' in capsys.readouterr().err

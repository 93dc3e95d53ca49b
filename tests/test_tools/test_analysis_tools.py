"""The analysis commands: 1-D analysis, curves, tables, score maps, qualitative sheets, sweep, smoothing pipeline."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from tiny_run import write_config
from tools_by_path import load_tool

from mmpose_sp.benchmarks.problems import face_landmarks
from mmpose_sp.faces import annotation_files as annotated_faces
from mmpose_sp.visualization import PredictedFace

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / 'tools' / 'analysis_tools'
one_d_analysis, plot_curves, qualitative, render_tables, score_maps, smoothing_pipeline, sweep = (
    load_tool(f'analysis_tools/{name}')
    for name in (
        'one_d_analysis',
        'plot_curves',
        'qualitative',
        'render_tables',
        'score_maps',
        'smoothing_pipeline',
        'sweep',
    )
)


# ---------------------------------------------------------------- 1-D analysis (Sec. 5.1, Fig. 2)


@pytest.fixture(scope='module')
def trajectories():
    start = one_d_analysis.bimodal_start()
    return {name: one_d_analysis.descend(name, start, steps=51, lr=0.5) for name in one_d_analysis.OBJECTIVES}


def softmax(values):
    weights = np.exp(values - values.max())
    return weights / weights.sum()


def test_start_is_bimodal_with_the_peaks_of_the_paper():
    order = one_d_analysis.bimodal_start().argsort(descending=True).tolist()
    start = one_d_analysis.bimodal_start().numpy()
    assert order[0] == 9 and start[1] > max(start[0], start[2])
    peaks = [k for k in range(1, 10) if start[k] > start[k - 1] and start[k] > start[k + 1]]
    assert sorted(peaks, key=lambda k: -start[k]) == [9, 1]


def test_updates_of_soft_argmax_have_their_closed_form(trajectories):
    run, index = trajectories['soft-argmax'], np.arange(11)
    for theta, update in zip(run.parameters, run.updates):
        p = softmax(theta)
        mean = p @ index
        assert np.allclose(update, -0.5 * 2 * (mean - 5) * p * (index - mean), atol=1e-12)


def test_updates_of_ours_have_their_closed_form(trajectories):
    run, index = trajectories['ours'], np.arange(11)
    margin = (2 * (index - 5) / 11) ** 2  # squared distance in [-1, 1] coordinates
    for theta, update in zip(run.parameters, run.updates):
        assert np.allclose(update, 0.5 * ((index == 5) - softmax(theta + margin)), atol=1e-9)


def test_ours_raises_the_target_and_lowers_all_others_at_every_step(trajectories):
    updates = trajectories['ours'].updates
    assert (updates[:, 5] > 0).all()
    assert (np.delete(updates, 5, axis=1) < 0).all()


def test_soft_argmax_also_raises_wrong_places(trajectories):
    updates = np.delete(trajectories['soft-argmax'].updates, 5, axis=1)
    assert (updates > 0).any(axis=1).all()


def test_soft_argmax_barely_moves_the_target(trajectories):
    gain = {name: np.ptp(run.parameters[:51, 5]) for name, run in trajectories.items()}
    assert gain['soft-argmax'] < 0.05 * gain['ours']


def test_arg_max_is_right_within_ten_steps_for_ours_and_never_for_soft_argmax(trajectories):
    verdicts = {name: one_d_analysis.verdict(run) for name, run in trajectories.items()}
    assert verdicts['ours']['first_correct_step'] <= 10
    assert verdicts['soft-argmax']['first_correct_step'] is None


def test_soft_argmax_has_converged_to_a_wrong_heatmap(trajectories):
    """Sec. 4.1: the expected index is right, the loss is 0, the arg max is wrong."""
    run = trajectories['soft-argmax']
    assert run.losses[-1] < 1e-6 and run.parameters[-1].argmax() != 5


def test_one_d_command_writes_its_results(tmp_path):
    one_d_analysis.main(['--out-dir', str(tmp_path), '--steps', '1', '4'])
    summary = json.loads((tmp_path / 'summary.json').read_text())
    assert summary['ours']['target_always_up'] and not summary['soft-argmax']['others_always_down']
    assert (tmp_path / 'steps.csv').read_text().count('\n') == 1 + 2 * 5
    assert cv2.imread(str(tmp_path / 'fig2.png')) is not None


# ---------------------------------------------------------------- curves (Fig. 3)


def write_log(work_dir, stamp, values, first=1, metric='NME'):
    log = work_dir / stamp / 'vis_data' / 'scalars.json'
    log.parent.mkdir(parents=True)
    lines = [json.dumps({'lr': 1e-3, 'loss': 2.0, 'epoch': first, 'iter': 3, 'step': 3})]
    lines += [json.dumps({metric: value, 'time': 0.1, 'step': first + i}) for i, value in enumerate(values)]
    log.write_text('\n'.join(lines) + '\n')
    return log


def curve(values):
    return plot_curves.Curve(np.arange(1, len(values) + 1), np.array(values, float))


def test_a_resumed_run_is_one_curve(tmp_path):
    write_log(tmp_path, '20260101_000000', [9, 8, 7])
    write_log(tmp_path, '20260102_000000', [6.5, 6], first=3)  # epoch 3 was repeated
    found = plot_curves.read_curve(str(tmp_path))
    assert found.epochs.tolist() == [1, 2, 3, 4] and found.values.tolist() == [9, 8, 6.5, 6]


def test_a_log_that_is_still_written_is_read(tmp_path):
    log = write_log(tmp_path, 'a', [9, 8])
    log.write_text(log.read_text() + '{"NME": 7, "st')
    assert plot_curves.read_curve(str(log)).values.tolist() == [9, 8]


def test_a_missing_metric_names_the_likely_one(tmp_path):
    write_log(tmp_path, 'a', [9], metric='wflw/NME')
    with pytest.raises(ValueError, match='did you mean --metric wflw/NME'):
        plot_curves.read_curve(str(tmp_path))


def test_a_folder_without_a_log_says_what_to_give(tmp_path):
    with pytest.raises(FileNotFoundError, match='work_dir of a training run'):
        plot_curves.read_curve(str(tmp_path))


def test_convergence_ratio_by_hand():
    slow, fast = curve([9, 8, 7, 6, 5.5, 5.2, 5.1, 5.0, 5.0, 5.0]), curve([8, 6, 5.1, 5.0, 4.9])
    result = plot_curves.convergence(fast, slow)
    # the slow one reaches its final 5.0 at epoch 8, not 10
    assert (result.target, result.fast, result.slow, result.ratio) == (5.0, 4, 8, 2.0)


def test_paper_example_44_against_20_epochs_is_2_2():
    slow, fast = curve(np.linspace(8.8, 4.5, 44)), curve(np.linspace(8.8, 4.5, 20))
    assert plot_curves.convergence(fast, slow, 4.5).ratio == pytest.approx(2.2)


def test_a_target_that_is_never_reached_has_no_ratio():
    result = plot_curves.convergence(curve([9, 8]), curve([8, 6]))
    assert result.fast is None and result.ratio is None
    assert 'never' in plot_curves.describe(result, 'a', 'b', 'NME')


def test_a_run_that_never_trained_is_no_baseline():
    result = plot_curves.convergence(curve([9, 8]), curve([40, 41, 40]))
    assert result.ratio is None
    assert 'not trained' in plot_curves.describe(result, 'a', 'b', 'NME')


def test_higher_is_better_for_auc():
    assert plot_curves.epochs_to_reach(curve([0.1, 0.4, 0.6]), 0.4, lower_is_better=False) == 2


def test_curves_command(tmp_path, capsys):
    write_log(tmp_path / 'a', 'x', [9, 7, 6])
    write_log(tmp_path / 'b', 'x', [6, 5, 4])
    plot_curves.main(
        [
            '--run',
            f'WFLW:STAR={tmp_path}/a',
            '--run',
            f'WFLW:Ours={tmp_path}/b',
            '--faster',
            'Ours',
            '--than',
            'STAR',
            '--out',
            str(tmp_path / 'curves.png'),
        ]
    )
    assert (
        'WFLW: NME 6.000: Ours reaches it at epoch 1, STAR reaches it at epoch 3: 3.00 x faster'
        in capsys.readouterr().out
    )
    assert cv2.imread(str(tmp_path / 'curves.png')) is not None


# ---------------------------------------------------------------- tables (1-6, A1-A5)


def test_all_tables_of_the_paper_are_there():
    assert list(render_tables.load_tables()) == ['1', '2', '3', '4', '5', '6', 'A1', 'A2', 'A3', 'A4', 'A5']


def test_rows_that_the_paper_repeats_agree():
    """Tab. 5 and 6 end with the method of Tab. 1; A1 with that of Tab. 2; A4 shares columns with Tab. 3."""
    tables = render_tables.load_tables()

    def row(table, method):
        return next(r['values'] for r in tables[table]['rows'] if r['method'] == method)

    assert row('1', 'The paper') == row('5', 'smooth l1') == row('6', 'image-aware, Eq. 11')
    assert row('1', 'STAR') == row('6', 'no smoothing, STAR')
    assert row('2', 'The paper') == row('A1', 'image-aware')
    for method in ('The paper', 'STAR', 'ADNet', 'HIH', 'AWing', 'SLPT', 'Wing'):
        assert row('3', method)[:2] == row('A4', method)[:2]


def test_best_of_the_paper_is_bold_and_measured_rows_are_marked():
    tables = render_tables.load_tables()
    result = render_tables.Result(['5'], 'lite', {'NME': 6.123, 'FR': 9.0}, '12 epochs')
    text = render_tables.render_table('5', tables['5'], [result])
    assert '| smooth l1 | **3.99** | **1.84** | **0.606** |' in text
    assert '| *lite (measured)* | 6.12 | 9.00 | – |' in text
    assert 'lite: 12 epochs' in text


def test_metrics_of_every_kind_of_file_are_read(tmp_path):
    (tmp_path / 'plain.json').write_text(json.dumps({'NME': 4, 'blur/NME': 5}))
    (tmp_path / 'prefixed.json').write_text(json.dumps({'wflw/NME': 4, 'wflw/blur/NME': 5}))
    (tmp_path / 'errors.json').write_text(json.dumps({'metrics': {'NME': 4, 'blur/NME': 5}, 'faces': []}))
    expected = {'NME': 4, 'blur/NME': 5}
    for name in ('plain', 'prefixed', 'errors'):
        assert render_tables.load_metrics(str(tmp_path / f'{name}.json')) == expected


def test_tables_command_with_manifest_and_two_normalisers(tmp_path):
    (tmp_path / 'pupil.json').write_text(json.dumps({'NME': 5.5, 'FR': 1.0}))
    (tmp_path / 'ocular.json').write_text(json.dumps({'NME': 3.9, 'FR': 0.0}))
    (tmp_path / 'results.yml').write_text(
        '- {tables: [3], label: lite, files: [pupil.json]}\n'
        '- {tables: [A4], label: lite, files: {inter_pupil: pupil.json, inter_ocular: ocular.json}}\n'
    )
    out = tmp_path / 'tables.md'
    render_tables.main(['--tables', '3', 'A4', '--manifest', str(tmp_path / 'results.yml'), '--out', str(out)])
    assert '| *lite (measured)* | 5.50 | 1.00 | 3.90 | 0.00 |' in out.read_text()


@pytest.mark.parametrize(
    'result, message',
    [
        ('1:a=no_such.json', 'no such result file'),
        ('nonsense', 'is not TABLE'),
        ('9:a=ok.json', "no table '9'"),
        ('2:a=ok.json', 'no metric of table 2'),
    ],
)
def test_tables_command_names_what_is_wrong(tmp_path, capsys, monkeypatch, result, message):
    monkeypatch.chdir(tmp_path)
    Path('ok.json').write_text('{"NME": 1}')
    with pytest.raises(SystemExit):
        render_tables.main(['--result', result])
    assert message in capsys.readouterr().err


# ---------------------------------------------------------------- annotated faces


def test_pts_files_count_from_one(tmp_path):
    path = tmp_path / 'a.pts'
    path.write_text('version: 1\nn_points: 2\n{\n1.0 2.5\n10 20\n}\n')
    assert annotated_faces.read_pts(str(path)).tolist() == [[0, 1.5], [9, 19]]


@pytest.mark.parametrize('text', ['', '{\n1 2 3\n}', '{\na b\n}'])
def test_a_broken_pts_file_is_named(tmp_path, text):
    (tmp_path / 'a.pts').write_text(text)
    with pytest.raises(ValueError, match='a.pts'):
        annotated_faces.read_pts(str(tmp_path / 'a.pts'))


@pytest.fixture
def cofw_pts(tmp_path):
    points = np.random.default_rng(0).uniform(20, 80, (29, 2))
    body = '\n'.join(f'{x + 1} {y + 1}' for x, y in points)
    (tmp_path / 'face.pts').write_text(f'version: 1\nn_points: 29\n{{\n{body}\n}}\n')
    cv2.imwrite(str(tmp_path / 'face.png'), np.full((100, 100, 3), 100, np.uint8))
    return tmp_path


def test_smoothing_pipeline_command(cofw_pts):
    pts = str(cofw_pts / 'face.pts')
    smoothing_pipeline.main(
        [
            '--annotation',
            pts,
            '--image',
            str(cofw_pts / 'face.png'),
            '--landmarks',
            '0',
            '8',
            '--annotators',
            pts,
            pts,
            '--out-dir',
            str(cofw_pts / 'out'),
        ]
    )
    for name in ('stages', 'spread'):
        assert np.ptp(cv2.imread(str(cofw_pts / 'out' / f'{name}.png'))) > 100


def test_own_edges_are_followed_closer_in_the_statistics(tmp_path, capsys):
    faces = [points[0] for points in face_landmarks('wflw', 3)]
    annotations = [dict(image_id=0, keypoints=np.insert(points, 2, 2, axis=1).ravel().tolist()) for points in faces]
    (tmp_path / 'a').mkdir()
    path = tmp_path / 'a' / 'faces.json'
    path.write_text(json.dumps(dict(images=[dict(id=0, file_name='0.jpg')], annotations=annotations)))
    smoothing_pipeline.main(['--annotation', str(path), '--statistics'])
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[2:]]
    ratio = {(row[0], int(row[1])): float(row[4]) for row in rows}
    assert all(ratio['own', radius] > ratio['union', radius] for radius in (8, 12))


def test_smoothing_pipeline_asks_for_the_image_of_a_pts_file(cofw_pts, capsys):
    with pytest.raises(SystemExit):
        smoothing_pipeline.main(['--annotation', str(cofw_pts / 'face.pts')])
    assert 'give --image' in capsys.readouterr().err


# ---------------------------------------------------------------- score maps and qualitative sheets


def test_score_map_tile_shows_peak_and_landmark_at_their_places():
    scores = np.zeros((16, 16), np.float32)
    scores[4, 12] = 5
    # a map pixel is 2 image px: image = 2 (map + 0.5) - 0.5 + (10, 20)
    matrix = np.array([[2.0, 0, 10.5], [0, 2.0, 20.5]])
    tile = score_maps.draw_tile(np.zeros((100, 100, 3), np.uint8), scores, matrix, np.array([18.5, 36.5]), 160)
    # tile px = 10 (map + 0.5) - 0.5, the landmark is map (4, 8)
    assert tuple(tile[44, 124]) == score_maps.RED or tuple(tile[45, 125]) == score_maps.RED
    assert tuple(tile[84, 44]) == score_maps.GREEN or tuple(tile[85, 45]) == score_maps.GREEN


def test_posterior_of_a_map_sums_to_one():
    scores = np.random.default_rng(0).normal(size=(5, 7)) * 1e3
    assert score_maps.posterior(scores).sum() == pytest.approx(1)


@pytest.mark.parametrize(
    'name, expected', [('work/epoch_5.pth', 'epoch 5'), ('best_NME_epoch_12.pth', 'epoch 12'), ('final.pth', 'final')]
)
def test_checkpoints_are_named_by_their_epoch(name, expected):
    assert score_maps.checkpoint_name(name) == expected


def test_models_are_matched_face_by_face():
    def face(image, shift):
        points = np.array([[1.0, 2.0], [3.0, 4.0]])
        return PredictedFace(image, points, points + shift)

    first, second = [face('a', 1), face('b', 1)], [face('b', 2), face('c', 2), face('a', 2)]
    rows = qualitative.match_models([first, second], ['x', 'y'])
    assert [[(f.image, f.prediction[0, 0]) for f in row] for row in rows] == [
        [('a', 2), ('a', 3)],
        [('b', 2), ('b', 3)],
    ]


def test_models_of_different_faces_are_refused():
    points = np.ones((2, 2))
    with pytest.raises(ValueError, match='x and y share no face'):
        qualitative.match_models([[PredictedFace('a', points, points)], [PredictedFace('b', points, points)]], 'xy')


#: The test pipeline of tiny_run also makes targets, which pictures without annotation do not have; and a sweep refuses
#: to choose by the test faces.
PREDICTING = """
test_dataloader = dict(batch_size=4, num_workers=0, persistent_workers=False, dataset=dict(
    data_root={data!r}, ann_file='test_faces.json', pipeline=pipeline[:3] + [dict(type='PackPoseInputs')]))
"""


@pytest.fixture(scope='module')
def tiny(tmp_path_factory):
    """A config, its annotation file, and a checkpoint with the weights of initialisation."""
    from mmengine.config import Config
    from mmengine.registry import init_default_scope
    from mmpose.registry import DATASETS, MODELS

    folder = tmp_path_factory.mktemp('tiny')
    config = write_config(folder, extra=PREDICTING.format(data=str(folder)))
    shutil.copy(folder / 'faces.json', folder / 'test_faces.json')
    cfg = Config.fromfile(config)
    init_default_scope('mmpose')
    torch.manual_seed(0)
    meta = DATASETS.build(dict(cfg.test_dataloader.dataset, pipeline=[])).metainfo
    model = MODELS.build(cfg.model)
    torch.save({'state_dict': model.state_dict(), 'meta': {'dataset_meta': meta}}, folder / 'epoch_3.pth')
    return folder


def test_score_maps_command(tiny, tmp_path):
    out, model = tmp_path / 'maps.png', [str(tiny / 'tiny.py'), str(tiny / 'epoch_3.pth')]
    score_maps.main(
        [
            '--model',
            'Ours',
            *model,
            model[1],
            '--annotation',
            str(tiny / 'faces.json'),
            '--image-root',
            str(tiny / 'images'),
            '--faces',
            '0',
            '2',
            '--landmarks',
            '60',
            '--size',
            '64',
            '--device',
            'cpu',
            '--out',
            str(out),
        ]
    )
    assert cv2.imread(str(out)).shape == (34 + 8 + 2 * (64 + 22 + 8), 8 + 2 * 72, 3)


def test_qualitative_command_predicts_and_groups(tiny, tmp_path):
    qualitative.main(
        [
            '--config',
            str(tiny / 'tiny.py'),
            '--checkpoint',
            str(tiny / 'epoch_3.pth'),
            '--device',
            'cpu',
            '--size',
            '64',
            '--out-dir',
            str(tmp_path),
        ]
    )
    assert {path.name for path in tmp_path.iterdir()} == {'full.png', 'largepose.png', 'overview.png'}


# ---------------------------------------------------------------- sweep (Fig. A3)


def test_grid_is_all_combinations_or_one_axis_at_a_time():
    grid = sweep.parse_grid(['eps=0.5,1', 'lambda=1,10'])
    assert [tuple(p.items()) for p in sweep.grid_points(grid)] == [
        (('eps', a), ('lambda', b)) for a in ('0.5', '1') for b in ('1', '10')
    ]
    assert [dict(p) for p in sweep.grid_points(grid, 'axes')] == [
        {'eps': '0.5'},
        {'eps': '1'},
        {'lambda': '1'},
        {'lambda': '10'},
    ]


def test_the_config_itself_is_one_point_of_all_axes():
    """Lambda stands in the config; eps, alpha, margin and depth are left at the defaults of their classes."""
    config = Config(
        dict(
            model=dict(
                backbone=dict(type='AttentiveHourglass'),
                head=dict(
                    loss=dict(type='StructuredPredictionLoss', loss_weight=100.0),
                    decoder=dict(type='ImageAwareLabelSmoothing'),
                ),
            )
        )
    )
    grid = sweep.parse_grid(
        [
            'eps=0.5,1',
            'alpha=1.0,2',
            'margin=l1,smooth_l1',
            'lambda=100,1',
            'seed=7',
            'model.backbone.depth=4,3',
            'model.head.decoder.gamma=0.01,0.1',
        ]
    )
    own = sweep.own_values(config, grid)
    assert own == {
        ('eps', '1'),
        ('alpha', '1.0'),
        ('margin', 'smooth_l1'),
        ('lambda', '100'),
        ('model.backbone.depth', '4'),
    }
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
    shown = {
        pair: sweep.panel_scores(results, *pair, own)
        for pair in (('eps', '1'), ('lambda', '100'), ('eps', '0.5'), ('alpha', '2'))
    }
    assert list(shown.values()) == [[0], [0], [1], [2]]


def test_options_of_all_points_are_the_config_too(tiny, tmp_path, capsys):
    command = [
        str(tiny / 'tiny.py'),
        '--grid',
        'eps=1,2',
        'alpha=1,2',
        '--mode',
        'axes',
        '--work-dir',
        str(tmp_path),
        '--dry-run',
    ]
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
    with pytest.raises(SystemExit):
        sweep.main(
            [
                str(tiny / 'tiny.py'),
                '--grid',
                'eps=1',
                '--work-dir',
                str(tmp_path),
                '--dry-run',
                '--cfg-options',
                'test_dataloader.dataset.ann_file=faces.json',
            ]
        )
    assert '--val-fraction' in capsys.readouterr().err


@pytest.mark.parametrize('gpus', ['0', '-1'])
def test_sweep_needs_a_process(tiny, capsys, gpus):
    with pytest.raises(SystemExit):
        sweep.main([str(tiny / 'tiny.py'), '--grid', 'eps=1', '--gpus', gpus])
    assert '--gpus must be at least 1' in capsys.readouterr().err

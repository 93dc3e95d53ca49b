"""Curves of training runs (Fig. 3)."""

import json

import cv2
import numpy as np
import pytest
from tools_by_path import load_tool

plot_curves = load_tool('analysis_tools/plot_curves')


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
    runs = f'--run WFLW:STAR={tmp_path}/a --run WFLW:Ours={tmp_path}/b --faster Ours --than STAR'
    plot_curves.main([*runs.split(), '--out', str(tmp_path / 'curves.png')])
    said = 'WFLW: NME 6.000: Ours reaches it at epoch 1, STAR reaches it at epoch 3: 3.00 x faster'
    assert said in capsys.readouterr().out
    assert cv2.imread(str(tmp_path / 'curves.png')) is not None

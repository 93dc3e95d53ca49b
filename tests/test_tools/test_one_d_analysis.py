"""The 1-D analysis of Sec. 5.1 (Fig. 2)."""

import json

import cv2
import numpy as np
import pytest
from tools_by_path import load_tool

one_d_analysis = load_tool('analysis_tools/one_d_analysis')


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

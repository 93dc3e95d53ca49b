"""tools/analysis_tools/error_sources.py: numbers by hand, and the command on a tiny model."""

import json

import numpy as np
import pytest
from tools_by_path import load_tool

from mmpose_sp.faces import find_scheme

tool = load_tool('analysis_tools/error_sources')


@pytest.fixture
def landmarks():
    """Seven faces of 68 landmarks whose predictions lie 1.5 px left of and 0.5 px below the annotation, with noise."""
    rng = np.random.default_rng(0)
    annotated = rng.uniform(0, 100, (7, 68, 2))
    counted = rng.random((7, 68)) > 0.2
    counted[:, [36, 45]] = True
    counted[2, 27:31] = False  # one face without the bridge of its nose
    predicted = annotated + (-1.5, 0.5) + rng.normal(0, 0.1, annotated.shape)
    predicted[~counted] = 1e6
    return tool.Landmarks(predicted, annotated, counted)


def test_summary_is_that_of_a_loop(landmarks):
    report = tool.summary(landmarks, find_scheme('300w'), (1.5, -0.5))

    def error(face, index, added=(0, 0)):
        distance = np.linalg.norm(landmarks.predicted[face, index] + added - landmarks.annotated[face, index])
        return 100 * distance / np.linalg.norm(landmarks.annotated[face, 36] - landmarks.annotated[face, 45])

    def mean(indices, added=(0, 0)):
        faces = [[error(n, k, added) for k in indices if landmarks.counted[n, k]] for n in range(7)]
        return np.mean([np.mean(errors) for errors in faces if errors])

    assert report['NME'] == pytest.approx(mean(range(68)), abs=1e-3)
    assert report['NME_without_offset'] == pytest.approx(mean(range(68), (1.5, -0.5)), abs=1e-3)
    assert report['curves']['nose_bridge'] == pytest.approx(mean(range(27, 31)), abs=1e-3)
    assert report['curves']['jaw'] == pytest.approx(mean(range(17)), abs=1e-3)
    np.testing.assert_allclose(report['offset_px'], (1.5, -0.5), atol=0.03)


def test_what_two_models_share_is_told_from_what_each_adds(landmarks):
    rng = np.random.default_rng(1)
    annotated = rng.uniform(0, 100, (400, 68, 2))
    annotated[:, 36], annotated[:, 45] = (20, 40), (80, 40)  # one normaliser for all
    common = rng.normal(0, 2, annotated.shape)
    one, other = (
        tool.Landmarks(annotated + common + rng.normal(0, std, common.shape) + 1, annotated, common[..., 0] < 9)
        for std in (1, 1.5)
    )
    found = tool.shared(one, other, find_scheme('300w'))
    assert found['correlation'] == pytest.approx(4 / np.sqrt((4 + 1) * (4 + 2.25)), abs=0.01)
    # the distance of the common part alone, of Rayleigh's distribution: 2 sqrt(pi / 2)
    assert found['NME_if_only_shared'] == pytest.approx(100 * 2 * np.sqrt(np.pi / 2) / 60, rel=0.01)


def test_the_command_compares_a_model_with_itself(tiny, tmp_path):
    model = [f'{tiny}/tiny.py', f'{tiny}/epoch_3.pth']
    tool.main([*model, '--device', 'cpu', '--splits', 'val', '--beside', *model, '--json', str(tmp_path / 'out.json')])
    report = json.loads((tmp_path / 'out.json').read_text())['val']
    assert report['correlation'] == 1 and report['NME_if_only_shared'] == report['NME_without_offset']


def test_the_command_reads_training_faces_as_it_reads_validation_faces(tiny, tmp_path, capsys):
    arguments = f'{tiny}/tiny.py {tiny}/epoch_3.pth --device cpu --json {tmp_path}/out.json'.split()
    tool.main([*arguments, '--splits', 'val', 'train'])
    report = json.loads((tmp_path / 'out.json').read_text())
    assert report['train'] == report['val'] and report['val']['faces'] == 5  # one file, no augmentation
    assert report['val']['NME'] > 1
    printed = capsys.readouterr().out
    assert f'{report["val"]["NME"]:.2f}' in printed and 'outer_lip' in printed
    tool.main([*arguments, '--splits', 'val', '--faces', '3'])
    assert json.loads((tmp_path / 'out.json').read_text())['val']['faces'] == 3


def test_the_command_names_a_missing_checkpoint(tiny, capsys):
    with pytest.raises(SystemExit):
        tool.main([str(tiny / 'tiny.py'), 'missing.pth', '--device', 'cpu'])
    assert 'missing.pth' in capsys.readouterr().err

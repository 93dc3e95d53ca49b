"""The metric on samples as mmpose's runner hands them over."""

import json
import os
import warnings

import cv2
import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.logging import MMLogger
from mmengine.structures import InstanceData
from mmpose.evaluation.metrics import NME
from mmpose.structures import PoseDataSample

from mmpose_sp.evaluation import FaceAlignmentMetric
from mmpose_sp.evaluation.ced import plot_ced
from mmpose_sp.faces import SCHEMES
from mmpose_sp.utils import atomic

K = {'wflw': 98, 'cofw': 29, '300w': 68, 'other': 5}


def make_sample(face_id, error, num_keypoints=98, visible=None, **raw_ann_info):
    """A face of which every landmark is ``error`` px off."""
    gt = np.random.default_rng(face_id).uniform(0, 200, (1, num_keypoints, 2)).astype(np.float32)
    # 100 px between the outer eye corners of WFLW, so that errors in px are percent
    if num_keypoints == 98:
        gt[0, 72] = gt[0, 60] + [60, 80]
    sample = PoseDataSample(metainfo={'img_path': f'faces/{face_id}.jpg', 'id': face_id})
    if raw_ann_info:
        sample.set_metainfo({'raw_ann_info': raw_ann_info})
    if visible is None:
        visible = np.ones((1, num_keypoints), dtype=np.float32)
    sample.gt_instances = InstanceData(keypoints=gt, keypoints_visible=visible)
    sample.pred_instances = InstanceData(keypoints=gt + np.float32([error, 0.0]))
    return sample


def score(samples, dataset='wflw', **kwargs):
    evaluator = Evaluator(FaceAlignmentMetric(**kwargs))
    evaluator.dataset_meta = {'dataset_name': dataset, 'num_keypoints': K[dataset]}
    for sample in samples:
        evaluator.process([sample])
    return evaluator.evaluate(len(samples))


def attributes(*names):
    return {'attributes': {name: int(name in names) for name in SCHEMES['wflw'].subsets}}


@pytest.fixture
def wflw():
    """Errors 2, 4, 12 %."""
    return [
        make_sample(1, 2.0, **attributes('blur')),
        make_sample(2, 4.0, **attributes('blur', 'makeup', 'expression', 'illumination')),
        make_sample(3, 12.0, **attributes('largepose', 'occlusion', 'blur')),
    ]


def test_full_set_and_subsets_by_hand(wflw):
    metrics = score(wflw)
    assert metrics['NME'] == pytest.approx(6.0, rel=1e-5)
    assert metrics['FR'] == pytest.approx(100 / 3)
    assert metrics['AUC'] == pytest.approx((0.8 + 0.6 + 0.0) / 3, rel=1e-5)
    assert metrics['makeup/NME'] == pytest.approx(4.0, rel=1e-5)
    assert metrics['largepose/FR'] == 100.0
    assert metrics['largepose/AUC'] == 0.0
    assert metrics['blur/NME'] == pytest.approx(metrics['NME'])


def test_keys_are_ordered_and_plain_numbers(wflw):
    metrics = score(wflw)
    prefixes = ['', *(f'{name}/' for name in SCHEMES['wflw'].subsets)]
    assert list(metrics) == [prefix + key for prefix in prefixes for key in ('NME', 'FR', 'AUC')]
    assert list(score(wflw, prefix='val')) == [f'val/{key}' for key in metrics]
    assert {type(value) for value in metrics.values()} == {float}


def test_nme_is_averaged_over_faces_not_landmarks():
    """One face with 1 annotated landmark weighs as much as one with 98."""
    visible = np.zeros((1, 98), dtype=np.float32)
    visible[0, [60, 72]] = 1
    metrics = score([make_sample(1, 2.0), make_sample(2, 8.0, visible=visible)])
    assert metrics['NME'] == pytest.approx(5.0, rel=1e-5)


def test_visibility_with_weights_is_understood():
    """Some codecs append a column of weights to keypoints_visible."""
    visible = np.ones((1, 98, 2), dtype=np.float32)
    assert score([make_sample(1, 2.0, visible=visible)])['NME'] == pytest.approx(2.0, rel=1e-5)


@pytest.mark.parametrize('dataset, left, right', [('wflw', 60, 72), ('300w', 36, 45), ('cofw', 16, 17)])
def test_default_normaliser_is_the_protocol(dataset, left, right):
    sample = make_sample(1, 1.0, K[dataset])
    eyes = sample.gt_instances.keypoints[0, [left, right]]
    expected = 100.0 / np.linalg.norm(eyes[0] - eyes[1])
    assert score([sample], dataset)['NME'] == pytest.approx(expected, rel=1e-4)


def test_inter_pupil_of_300w_is_between_the_means_of_six_points():
    sample = make_sample(1, 1.0, 68)
    gt = sample.gt_instances.keypoints[0]
    expected = 100.0 / np.linalg.norm(gt[36:42].mean(0) - gt[42:48].mean(0))
    assert score([sample], '300w', norm='inter_pupil')['NME'] == pytest.approx(expected, rel=1e-4)


def test_box_diagonal():
    sample = make_sample(1, 1.0, 5)
    gt = sample.gt_instances.keypoints[0].astype(float)
    sample.pred_instances.keypoints = torch.from_numpy(sample.pred_instances.keypoints)
    by_box = score([sample], 'other', threshold=10, norm='box_diagonal')
    assert by_box['NME'] == pytest.approx(100.0 / np.linalg.norm(np.ptp(gt, axis=0)), rel=1e-4)


@pytest.mark.parametrize('dataset, failures', [('wflw', 0.0), ('cofw', 0.0), ('300w', 100.0)])
def test_default_threshold_is_the_protocol(dataset, failures):
    """7 % fails at the 5 % of 300-W, not at the 10 % of the others."""
    scheme = SCHEMES[dataset]
    sample = make_sample(1, 0.0, K[dataset])
    left, right = (sample.gt_instances.keypoints[0, group[0]] for group in scheme.normalisers[scheme.norm])
    shift = 0.07 * np.linalg.norm(left - right)
    sample.pred_instances.keypoints = sample.gt_instances.keypoints + np.float32([0, shift])
    assert score([sample], dataset)['FR'] == failures


def test_300w_subsets_and_an_empty_one():
    samples = [make_sample(i, 1.0, 68, subset='common') for i in range(3)]
    with pytest.warns(UserWarning, match='none of the 3 faces belongs to: challenging'):
        metrics = score(samples, '300w')
    assert metrics['common/NME'] == pytest.approx(metrics['NME'])
    assert 'challenging/NME' not in metrics


def test_annotations_without_flags_give_the_full_set_alone():
    with warnings.catch_warnings():
        warnings.simplefilter('error', UserWarning)
        metrics = score([make_sample(1, 1.0), make_sample(2, 1.0, id=2, bbox=[0, 0, 1, 1])])
    assert set(metrics) == {'NME', 'FR', 'AUC'}


def test_json_of_errors(wflw, tmp_path):
    path = tmp_path / 'new' / 'errors.json'
    metrics = score(wflw, errors_file=str(path))
    written = json.loads(path.read_text())
    assert written['metrics'] == metrics
    assert (written['dataset'], written['norm'], written['threshold']) == ('wflw', 'inter-ocular', 10.0)
    assert written['faces'][2]['subsets'] == ['largepose', 'occlusion', 'blur']
    assert np.mean([face['nme'] for face in written['faces']]) == pytest.approx(metrics['NME'])


def test_failed_write_keeps_the_old_file_and_leaves_nothing(wflw, tmp_path, monkeypatch):
    path = tmp_path / 'errors.json'
    path.write_text('old')

    def interrupted(temporary, target):
        raise OSError('disk full')

    monkeypatch.setattr(atomic, 'publish', interrupted)
    with pytest.raises(OSError, match='disk full'):
        score(wflw, errors_file=str(path))
    assert path.read_text() == 'old'
    assert os.listdir(tmp_path) == ['errors.json']


@pytest.mark.parametrize('suffix, magic', [('png', b'\x89PNG'), ('pdf', b'%PDF')])
def test_ced_plot(wflw, tmp_path, suffix, magic):
    path = tmp_path / f'ced.{suffix}'
    score(wflw, ced_file=str(path))
    assert path.read_bytes().startswith(magic)


def test_ced_plot_is_not_blank_where_every_error_is_above_the_threshold(tmp_path):
    path = tmp_path / 'ced.png'
    plot_ced({'ours': np.array([20.0, 30.0, 40.0])}, 10.0, str(path))
    blue = (cv2.imread(str(path)) == (180, 119, 31)).all(axis=-1)  # matplotlib's first colour
    assert np.ptp(np.nonzero(blue)[0]) > blue.shape[0] / 2, 'the curve climbs through the picture'


def test_subsets_are_logged_as_a_table(wflw, monkeypatch):
    lines = []
    monkeypatch.setattr(MMLogger.get_current_instance(), 'info', lines.append)
    score(wflw)
    rows = {line.split()[0]: line.split()[1:] for line in '\n'.join(lines).splitlines() if len(line.split()) == 5}
    assert rows['full'] == ['3', '6.00', '33.33', '0.467']
    assert rows['blur'] == ['3', '6.00', '33.33', '0.467'] and rows['makeup'] == ['1', '4.00', '0.00', '0.600']


def test_ced_plot_names_the_curve_it_cannot_draw(tmp_path):
    with pytest.raises(ValueError, match="curve 'ours'.*NaN"):
        plot_ced({'ours': np.array([1.0, np.nan])}, 10.0, str(tmp_path / 'ced.png'))
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    'kwargs, message',
    [
        ({'norm': 'eyes'}, 'norm must be'),
        ({'threshold': 0}, 'threshold must be'),
        ({'errors_file': 'errors.csv'}, r'\.json'),
        ({'ced_file': 'ced.doc'}, r'\.png'),
    ],
)
def test_wrong_options_are_refused_when_the_metric_is_built(kwargs, message):
    with pytest.raises(ValueError, match=message):
        FaceAlignmentMetric(**kwargs)


def test_unknown_dataset_asks_for_norm_and_threshold():
    with pytest.raises(ValueError, match="dataset 'other'.*pass norm="):
        score([make_sample(1, 1.0, 5)], 'other')
    with pytest.raises(ValueError, match="dataset 'other'.*pass threshold="):
        score([make_sample(1, 1.0, 5)], 'other', norm='box_diagonal')


def _no_eyes(sample):
    sample.gt_instances.keypoints[0, 72] = sample.gt_instances.keypoints[0, 60]


def _nan(sample):
    sample.pred_instances.keypoints[0, 3] = np.nan


def _unannotated_eye_corner(sample):
    sample.gt_instances.keypoints_visible[0, 72] = 0


def _another_dataset(sample):
    sample.pred_instances = InstanceData(keypoints=np.zeros((1, 29, 2), dtype=np.float32))


@pytest.mark.parametrize(
    'spoil, message',
    [
        (_no_eyes, r'\(face id 7\): the normaliser is zero'),
        (_nan, 'predicted landmark is NaN'),
        (_unannotated_eye_corner, r'landmarks \[72\] of the normaliser'),
        (_another_dataset, r'\(1, 29, 2\), annotated ones \(1, 98, 2\)'),
    ],
)
def test_a_face_that_cannot_be_scored_is_named(spoil, message):
    sample = make_sample(7, 1.0)
    spoil(sample)
    with pytest.raises(ValueError, match=rf'faces/7\.jpg .*{message}'):
        score([make_sample(1, 1.0), sample])


def test_no_face_at_all_is_an_error():
    with pytest.raises(ValueError, match='got no face'):
        score([])


@pytest.mark.parametrize('dataset', ['wflw', '300w'])
def test_agrees_with_mmposes_nme_where_both_say_the_same(dataset):
    """With every landmark annotated and these normalisers, mmpose's NME is ours without the 100."""
    rng = np.random.default_rng(0)
    samples = [make_sample(i, 0.0, K[dataset]) for i in range(4)]
    for sample in samples:
        noise = rng.normal(0, 5, (1, K[dataset], 2)).astype(np.float32)
        sample.pred_instances.keypoints = sample.pred_instances.keypoints + noise
    theirs = NME('keypoint_distance')
    theirs.dataset_meta = {'dataset_name': dataset}
    theirs.process(None, [sample.to_dict() for sample in samples])
    ours = score(samples, dataset)['NME']
    assert ours == pytest.approx(100 * theirs.evaluate(4)['NME'], rel=1e-5)

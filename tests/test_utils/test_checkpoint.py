"""Checkpoints load with weights_only, foreign code in them does not, and misfits are refused."""

import copy
import pickle

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.runner import BaseLoop
from torch import nn

import mmpose_sp  # noqa: F401  allows mmengine's checkpoints
from mmpose_sp.utils.checkpoint import (
    CheckpointGuardHook,
    _history_buffer_method,
    allow_mmengine_checkpoints,
    broken_tensors,
    compare_checkpoint,
)


def round_trip(tmp_path, value):
    torch.save({'value': value}, tmp_path / 'checkpoint.pth')
    return torch.load(tmp_path / 'checkpoint.pth', weights_only=True)['value']


@pytest.mark.parametrize(
    'value',
    [
        np.ones((2, 3)),
        np.arange(3),
        np.array([True]),
        np.float32(0.5),
        np.array(['left']),
        np.zeros(0),
        np.float16([0.5]),
    ],
    ids=lambda value: str(np.asarray(value).dtype),
)
def test_numpy_values(tmp_path, value):
    loaded = round_trip(tmp_path, value)
    assert np.asarray(loaded).dtype == np.asarray(value).dtype
    np.testing.assert_array_equal(loaded, value)


def test_log_history(tmp_path):
    history = HistoryBuffer([1.0, 2.0, 6.0], [1, 1, 1])
    loaded = round_trip(tmp_path, history)
    assert (loaded.mean(), loaded.current(), loaded.statistics('max')) == (3.0, 6.0, 6.0)


@pytest.mark.parametrize(
    'owner, name',
    [(HistoryBuffer, '__init__'), (HistoryBuffer, '__subclasses__'), (nn.Module, 'mean'), (np.ndarray, 'min')],
)
def test_getattr_reaches_nothing_else(owner, name):
    with pytest.raises(TypeError, match='may not refer'):
        _history_buffer_method(owner, name)


class Evil:
    def __reduce__(self):
        return getattr, (HistoryBuffer, '__class__')


def test_a_checkpoint_cannot_use_getattr_freely(tmp_path):
    torch.save({'value': Evil()}, tmp_path / 'evil.pth')
    with pytest.raises((TypeError, pickle.UnpicklingError)):
        torch.load(tmp_path / 'evil.pth', weights_only=True)


def test_object_arrays_stay_refused(tmp_path):
    with pytest.raises(pickle.UnpicklingError):
        round_trip(tmp_path, np.array([Evil(), None], dtype=object))


@pytest.mark.parametrize(
    'version, allowed', [('2.3.1', False), ('2.5.1+cu121', False), ('2.6.0', True), ('2.13.0', True)]
)
def test_objects_are_allowed_from_torch_2_6_on(monkeypatch, version, allowed):
    calls = []
    monkeypatch.setattr(torch, '__version__', version)
    monkeypatch.setattr(torch.serialization, 'add_safe_globals', calls.append)
    allow_mmengine_checkpoints()
    assert bool(calls) == allowed


class Runner:
    """What the hook looks at of a runner."""

    def __init__(self, model, training, resume):
        self.model, self._resume, self._load_from, self.work_dir = model, resume, 'wflw.pth', 'work_dirs/x'
        self._train_loop = BaseLoop.__new__(_Loop) if training else {'max_epochs': 1}


class _Loop(BaseLoop):
    run = None


def head(landmarks):
    return nn.Sequential(nn.Conv2d(3, 4, 1), nn.Conv2d(4, landmarks, 1))


def checkpoint(landmarks=98):
    return {
        'state_dict': head(landmarks).state_dict(),
        'meta': {'dataset_meta': {'dataset_name': 'wflw', 'num_keypoints': landmarks}},
    }


@pytest.mark.parametrize('training, resume', [(False, False), (True, True)], ids=['test', 'resume'])
def test_another_dataset_is_refused(training, resume):
    with pytest.raises(ValueError) as error:
        CheckpointGuardHook().after_load_checkpoint(Runner(head(68), training, resume), checkpoint(98))
    misfit = '1.weight is (98, 4, 1, 1), the model wants (68, 4, 1, 1)'
    for part in ('wflw.pth', misfit, 'wflw (98 landmarks)', 'Use the config'):
        assert part in str(error.value)


def test_training_may_start_from_another_dataset():
    CheckpointGuardHook().after_load_checkpoint(Runner(head(68), training=True, resume=False), checkpoint(98))


@pytest.mark.parametrize('training, resume', [(False, False), (True, True), (True, False)])
@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_weights_that_are_no_numbers_are_refused(training, resume, value):
    diverged = checkpoint()
    diverged['state_dict']['1.weight'][3, 2] = value
    with pytest.raises(ValueError, match=r'wflw\.pth: 1 of its tensors are NaN or infinite, the first is 1\.weight'):
        CheckpointGuardHook().after_load_checkpoint(Runner(head(98), training, resume), diverged)


def test_a_variance_may_be_infinite_but_not_nan():
    model = nn.BatchNorm2d(3)
    state = {f'module.{key}': value for key, value in model.state_dict().items()}
    state['module.running_var'] = torch.tensor([1.0, float('inf'), 1.0])
    assert broken_tensors(model, state) == []
    state['module.running_var'] = torch.tensor([1.0, float('nan'), 1.0])
    assert broken_tensors(model, state) == ['running_var']


def test_training_on_leaves_the_joint_posterior_of_other_weights_behind():
    loaded = checkpoint(98)
    loaded['state_dict']['head.posterior.mean'] = torch.zeros(196)
    CheckpointGuardHook().after_load_checkpoint(Runner(head(98), training=False, resume=False), loaded)
    assert 'head.posterior.mean' in loaded['state_dict'], 'a test uses it'
    CheckpointGuardHook().after_load_checkpoint(Runner(head(98), training=True, resume=False), loaded)
    assert loaded['state_dict'].keys() == checkpoint(98)['state_dict'].keys()


def test_a_checkpoint_that_fits_passes():
    model = head(98)
    before = copy.deepcopy(model.state_dict())
    CheckpointGuardHook().after_load_checkpoint(Runner(model, False, False), checkpoint(98))
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items()), 'it only looks'


def test_missing_parameters_are_counted():
    model = nn.Sequential(*[nn.Linear(2, 2) for _ in range(4)])
    assert compare_checkpoint(model, {'state_dict': {}})[-1] == '... and 3 more'
    assert compare_checkpoint(model, model.state_dict()) == [], 'a bare state dict is a checkpoint too'


def test_names_of_wrapped_models_count_as_bare():
    state = {f'module.{key}': value for key, value in head(5).state_dict().items()}
    assert compare_checkpoint(head(5), {'state_dict': state}) == []

"""The first NaN ends a training, names the images, and keeps the last good checkpoint."""

import math
from types import SimpleNamespace

import pytest
import torch
from toy_run import Model, toy_runner

from mmpose_sp.engine.finite import FiniteHook


def nan_loss(at, value):
    return lambda loss, calls: loss * value if calls == at else loss


def infinite_gradient(at):
    """A loss of the same value, whose derivative is that of the square root at 0."""
    return lambda loss, calls: loss + (loss - loss.detach()).sqrt() if calls == at else loss


@pytest.mark.parametrize(
    'poison, validate, says',
    [
        (nan_loss(5, math.nan), True, 'loss is nan'),
        (nan_loss(5, -math.inf), False, 'loss is -inf'),
        (infinite_gradient(5), False, 'gradient norm is'),
        (infinite_gradient(6), True, 'gradient norm is'),  # just before the epoch would be saved
    ],
    ids=['nan', 'infinity without validation', 'gradient', 'last batch'],
)
def test_the_first_bad_number_stops(tmp_path, poison, validate, says):
    model = Model(poison)
    with pytest.raises(FloatingPointError) as error:
        toy_runner(tmp_path, model=model, validate=validate).train()
    text = str(error.value)
    assert says in text and 'in epoch 2' in text and str(tmp_path / 'epoch_1.pth') in text
    assert text.count('face_') == 2, 'the images of this batch'
    assert model.calls == int(text.split('iteration ')[1].split('.')[0]), 'no batch more'
    assert [path.name for path in tmp_path.glob('*.pth')] == ['epoch_1.pth']
    toy_runner(tmp_path, resume=True, validate=validate).train()
    assert (tmp_path / 'epoch_3.pth').exists(), 'a training that is well goes on from it'


def step(optimizer, gradient, loss=1.0):
    """One iteration with a gradient, as the hook sees it."""
    hook, weight = FiniteHook(), optimizer.param_groups[0]['params'][0]
    wrapper, hub = SimpleNamespace(optimizer=optimizer), SimpleNamespace(runtime_info={})
    runner = SimpleNamespace(optim_wrapper=wrapper, message_hub=hub, epoch=0, iter=0)
    hook.before_train(runner)
    weight.grad = torch.full_like(weight, gradient)
    optimizer.step()
    hook.after_train_iter(runner, 0, {'data_samples': []}, {'loss': torch.tensor(loss), 'acc_pose': math.nan})
    return weight


def test_a_step_that_the_loss_scaler_leaves_out_is_no_failure():
    """Only the loss scaler's steps reach the optimizer; a fused one is called with what the scaler has found."""
    with pytest.raises(FloatingPointError, match='gradient norm is inf'):
        step(torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], 0.1), math.inf)
    scaler = torch.amp.GradScaler('cpu', init_scale=2.0**100)
    weight = torch.nn.Parameter(torch.ones(2))
    optimizer = torch.optim.SGD([weight], 0.1)
    hook = FiniteHook()
    hook.before_train(SimpleNamespace(optim_wrapper=SimpleNamespace(optimizer=optimizer)))
    scaler.scale(weight.sum() * 1e30).backward()
    scaler.step(optimizer)
    scaler.update()
    optimizer.found_inf = torch.ones(())
    hook._measure(optimizer, (), {})
    assert hook._norms == [] and torch.equal(weight.detach(), torch.ones(2)) and scaler.get_scale() < 2.0**100


def test_a_number_that_is_no_loss_may_be_nan():
    weight = step(torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], 0.1), 1.0)
    assert weight.tolist() == pytest.approx([0.9, 0.9])

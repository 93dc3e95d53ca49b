"""The fast form is the definition: in value, in gradient, in what it refuses; and it is fast by count."""

import math
from unittest import mock

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some
from problems import CHOICES, random_problem, value_and_gradient
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from mmpose_sp.structured import Objective, fast, fast_structured_loss, structured_loss
from mmpose_sp.structured.objective import MARGINS, NORMS

SIDE, MAPS = 64, 98
PIXELS = MAPS * SIDE * SIDE
CACHE = 2**18  # numbers of a slice on a CPU, see mmpose_sp.structured.grid.slices

# both sides of every switch: eps 0, margins of more than 40 eps, s longer than a pixel, maps of one row
OBJECTIVES = some.builds(
    Objective,
    eps=some.sampled_from([0.0, 0.02, 0.5, 1.0, 3.0]),
    alpha=some.sampled_from([0.0, 0.3, 1.0, 9.0]),
    s=some.sampled_from([0.01, 0.2, 0.9]),
    margin=some.sampled_from(MARGINS),
    norm=some.sampled_from(NORMS),
    rounded_label=some.booleans(),
)
SIZES = some.tuples(some.integers(1, 9), some.integers(1, 9))
every = settings(max_examples=300, deadline=None, derandomize=True, database=None)


@every
@given(OBJECTIVES, SIZES, some.integers(1, 5), some.integers(0, 99))
def test_it_is_the_definition(objective, size, samples, seed):
    scores, labels = random_problem((2, 1), size, samples, seed=seed)
    value, gradient = value_and_gradient(fast_structured_loss, scores, labels, objective)
    expected, its_gradient = value_and_gradient(structured_loss, scores, labels, objective)
    torch.testing.assert_close(value, expected, rtol=0, atol=1e-11)
    torch.testing.assert_close(gradient, its_gradient, rtol=0, atol=1e-11)


@pytest.mark.parametrize('norm', NORMS)
@pytest.mark.parametrize(
    ('s', 'size'), [(0.01, (48, 64)), (0.03, (64, 40)), (0.2, (7, 9)), (0.9, (2, 2)), (0.9, (3, 3))]
)
@pytest.mark.parametrize(('eps', 'alpha'), [(1.0, 1.0), (0.5, 0.25), (3.0, 9.0)])
def test_smooth_l1_about_the_label_is_the_definition(norm, s, size, eps, alpha):
    """Labels nearer to a pixel than ``s`` or just beyond, and maps where more than the four around a label are near."""
    scores, labels = random_problem((3, 2), size, 4)
    random = torch.Generator().manual_seed(1)
    reach = 1.3 * s / 2 * torch.tensor(size[::-1], dtype=torch.float64)
    shift = 2 * torch.rand(labels.shape, dtype=torch.float64, generator=random) - 1
    pixels = labels.clamp(min=0).floor()
    labels = torch.minimum(pixels + reach * shift, torch.tensor(size[::-1], dtype=torch.float64) - 0.5).clamp(min=-0.5)
    objective = Objective(eps=eps, alpha=alpha, s=s, norm=norm)
    value, gradient = value_and_gradient(fast_structured_loss, scores, labels, objective)
    expected, its_gradient = value_and_gradient(structured_loss, scores, labels, objective)
    torch.testing.assert_close(value, expected, rtol=0, atol=1e-11)
    torch.testing.assert_close(gradient, its_gradient, rtol=0, atol=1e-11)


@every
@given(OBJECTIVES, some.sampled_from([0.0, -1e4, 1e4]), some.integers(0, 99))
def test_float32_keeps_its_digits_whatever_is_added_to_the_scores(objective, offset, seed):
    scores, labels = random_problem((1, 2), (16, 24), 3, torch.float32, 5.0, seed)
    scores = scores.detach() + offset
    value, gradient = value_and_gradient(fast_structured_loss, scores, labels, objective)
    expected, its_gradient = value_and_gradient(structured_loss, scores.double(), labels.double(), objective)
    torch.testing.assert_close(value.double(), expected, rtol=1e-6, atol=1e-5)
    if objective.eps:  # the hinge may choose another of two equal maxima
        torch.testing.assert_close(gradient.double(), its_gradient, rtol=0, atol=1e-5 + 1e-6 / objective.eps)


@every
@given(OBJECTIVES, some.sampled_from(['one finite pixel', 'halves', 'huge', 'peak', 'flat']), some.booleans())
def test_never_nan(objective, kind, on_peak):
    """Masked maps, scores at the end of float32 and maps of two values; infinite only where the label is masked."""
    scores = torch.full((1, 6, 8), {'one finite pixel': -math.inf, 'huge': -3e38, 'flat': 1e4}.get(kind, -1e4))
    scores[:, 2, 3] = 3e38 if kind == 'huge' else 1e4
    if kind == 'halves':
        scores[:, :, ::2] = 1e4
    labels = torch.tensor([[[3.0, 2.0] if on_peak else [4.2, 3.7]]])
    value, gradient = value_and_gradient(fast_structured_loss, scores, labels, objective)
    assert not value.isnan().any()
    assert gradient.isfinite().all()
    if on_peak:
        assert value.isfinite().all()
        expected, _ = value_and_gradient(structured_loss, scores, labels, objective)
        torch.testing.assert_close(value, expected, rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
@pytest.mark.parametrize('norm', NORMS)
def test_half_scores_are_computed_in_float32(dtype, norm):
    scores, labels = random_problem(size=(16, 16), dtype=dtype)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        value, gradient = value_and_gradient(fast_structured_loss, scores, labels, Objective(norm=norm))
    expected, its_gradient = value_and_gradient(structured_loss, scores.double(), labels.double(), Objective(norm=norm))
    assert value.dtype == torch.float32
    assert gradient.dtype == dtype
    torch.testing.assert_close(value.double(), expected, rtol=1e-6, atol=1e-5)
    torch.testing.assert_close(gradient.double(), its_gradient, rtol=torch.finfo(dtype).eps, atol=1e-4)


def test_low_matmul_precision_of_the_user_is_restored():
    scores, labels = random_problem(size=(32, 32), samples=10, dtype=torch.float32)
    torch.set_float32_matmul_precision('medium')
    try:
        loss = fast_structured_loss(scores, labels)
        assert torch.get_float32_matmul_precision() == 'medium'
    finally:
        torch.set_float32_matmul_precision('highest')
    expected = structured_loss(scores.double(), labels.double())
    torch.testing.assert_close(loss.double(), expected, rtol=1e-6, atol=1e-5)


def test_second_backward_through_a_retained_graph():
    scores, labels = random_problem()
    loss = fast_structured_loss(scores, labels)
    weight = torch.rand_like(loss)
    (first,) = torch.autograd.grad(loss, scores, weight, retain_graph=True)
    (second,) = torch.autograd.grad(loss, scores, 2 * weight)
    torch.testing.assert_close(second, 2 * first)


@pytest.mark.parametrize('lead', [(), (4,), (0, 3), (2, 0)])
def test_any_leading_dimensions(lead):
    scores, labels = torch.randn(*lead, 4, 5, requires_grad=True), torch.ones(*lead, 2, 2)
    loss = fast_structured_loss(scores, labels)
    loss.sum().backward()
    torch.testing.assert_close(loss, structured_loss(scores, labels))
    assert scores.grad.shape == scores.shape


@pytest.mark.parametrize('shape', [(2, 1, 4, 2), (2, 3, 4, 3), (2, 3, 2), (2,)])
def test_labels_of_another_shape(shape):
    scores, _ = random_problem()
    with pytest.raises(ValueError, match='do not fit'):
        fast_structured_loss(scores, torch.ones(shape))


@pytest.mark.parametrize(('margin', 'norm'), CHOICES)
@pytest.mark.parametrize('eps', [1.0, 0.02])
def test_slices_change_nothing(margin, norm, eps):
    scores, labels = random_problem(lead=(2, 5), size=(8, 8))
    objective = Objective(eps, margin=margin, norm=norm)
    whole = value_and_gradient(fast_structured_loss, scores, labels, objective)
    for step in (1, 3):
        parts = [slice(start, min(start + step, 10)) for start in range(0, 10, step)]
        with mock.patch.object(fast, 'slices', lambda *args, parts=parts: parts):
            torch.testing.assert_close(value_and_gradient(fast_structured_loss, scores, labels, objective), whole)


# what it costs: counts, not clocks -------------------------------------------------------------------------------


class Counter(TorchDispatchMode):
    """The names of all operations, the size of the largest result, and how many exponentials were taken."""

    def __init__(self):
        super().__init__()
        self.names, self.largest, self.exponentials = [], 0, 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        self.names.append(name := str(func).split('.')[1])
        for tensor in out if isinstance(out, (tuple, list)) else (out,):
            if isinstance(tensor, torch.Tensor):
                self.largest = max(self.largest, tensor.numel())
                self.exponentials += tensor.numel() * (name.strip('_') in ('exp', 'softmax'))
        return out


def train(objective, samples, backward=True):
    random = torch.Generator().manual_seed(0)
    scores = torch.randn(MAPS, SIDE, SIDE, generator=random, requires_grad=True)
    labels = torch.rand(MAPS, 1, 2, generator=random) * 50 + 6
    loss = fast_structured_loss(scores, labels + 0.12 * torch.randn(MAPS, samples, 2, generator=random), objective)
    if backward:
        loss.sum().backward()


def count(*args):
    with Counter() as counter:
        train(*args)
    return counter


@pytest.mark.parametrize('samples', [1, 10, 100])
@pytest.mark.parametrize('objective', [Objective(), Objective(norm='l2'), Objective(0.05)], ids=str)
def test_samples_times_maps_never_exist(objective, samples):
    assert count(objective, samples).largest <= max(PIXELS, CACHE, samples * SIDE * SIDE)


@pytest.mark.parametrize('samples', [1, 10, 100])
def test_one_exponential_per_pixel_whatever_the_samples(samples):
    # 4 pixels around a sample with two margins and one score, and a few per axis: nothing of the size of the map
    exponentials = count(Objective(), samples).exponentials
    assert PIXELS <= exponentials <= PIXELS + 40 * MAPS * samples + 10 * SIDE


def test_backward_only_scales_the_gradient():
    forward, whole = count(Objective(), 10, False), count(Objective(), 10)
    assert whole.exponentials == forward.exponentials
    assert len(whole.names) - len(forward.names) < 20


@pytest.mark.parametrize('samples', [10, 100])
def test_value_and_gradient_are_two_matrix_products(samples):
    with FlopCounterMode(display=False) as counter:
        train(Objective(), samples)
    # two products of S x 64 x 64 per map, 2 operations per entry
    assert counter.get_total_flops() == 2 * 2 * samples * PIXELS

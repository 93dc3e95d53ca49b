"""Eq. 11 to 13 against loops, closed forms and invariances."""

import itertools
import math

import pytest
import torch
import torch.nn.functional as F

from mmpose_sp.models import partition
from mmpose_sp.models.functional import check_labels, label_margin, sample_labels, score_at, structured_loss
from mmpose_sp.models.geometry import MARGINS, NORMS
from mmpose_sp.models.partition import Objective, loss_and_gradient

CHOICES = list(itertools.product(MARGINS, NORMS))


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def margin_by_hand(label, pixel, size, alpha, s, margin, norm):
    (height, width) = size
    dx = 2 * (pixel[0] - label[0]) / width
    dy = 2 * (pixel[1] - label[1]) / height
    length = abs(dx) + abs(dy) if norm == 'l1' else math.hypot(dx, dy)
    squared = dx * dx + dy * dy
    if margin == 'none':
        return 0.0
    if margin == 'l1':
        return alpha * length
    if margin == 'l2':
        return alpha * squared
    return alpha * (0.5 / s * squared if length < s else length - 0.5 * s)


def loss_by_hand(scores, label, eps, alpha, s, margin, norm):
    """Eq. 11 for one map (h, w) as nested lists and one label (x, y), in a double loop."""
    height, width = len(scores), len(scores[0])
    terms = []
    for y in range(height):
        for x in range(width):
            delta = margin_by_hand(label, (x, y), (height, width), alpha, s, margin, norm)
            terms.append(delta + scores[y][x])
    peak = max(terms)
    soft = peak if eps == 0 else peak + eps * math.log(sum(math.exp((t - peak) / eps) for t in terms))
    at = 0.0
    for y in range(height):
        for x in range(width):
            clamped = min(max(label[0], 0), width - 1), min(max(label[1], 0), height - 1)
            at += max(0, 1 - abs(x - clamped[0])) * max(0, 1 - abs(y - clamped[1])) * scores[y][x]
    return soft - at


def random_problem(lead=(2, 3), size=(5, 6), samples=4, dtype=torch.float64, scale=3.0):
    scores = (torch.randn(*lead, *size, dtype=dtype) * scale).requires_grad_()
    labels = torch.rand(*lead, samples, 2, dtype=dtype) * torch.tensor(size[::-1], dtype=dtype) - 0.5
    labels[0, 0, 0] = 2.0  # on a pixel: the smooth part of the smooth l1 margin
    labels[0, 0, 1] = -0.5  # a corner of the map
    labels[0, 0, 2] = torch.tensor([size[1] - 0.5, 1.9])
    return scores, labels


@pytest.mark.parametrize('eps', [1.0, 0.25, 0.01, 0.0])
@pytest.mark.parametrize('s', [0.01, 0.2, 0.9])
@pytest.mark.parametrize(('margin', 'norm'), CHOICES)
def test_value_is_the_double_loop(margin, norm, s, eps):
    scores, labels = random_problem()
    loss = structured_loss(scores, labels, eps, 1.3, s, margin, norm)
    for index in itertools.product(range(2), range(3)):
        expected = [
            loss_by_hand(scores[index].tolist(), label, eps, 1.3, s, margin, norm) for label in labels[index].tolist()
        ]
        assert loss[index].item() == pytest.approx(sum(expected) / len(expected), abs=1e-9)


@pytest.mark.parametrize(('margin', 'norm'), CHOICES)
def test_label_margin_by_hand(margin, norm):
    labels = torch.tensor([[1.0, 2.0], [2.3, -0.2]], dtype=torch.float64)
    result = label_margin(labels, (5, 6), 0.7, 0.2, margin, norm)
    expected = [
        [[margin_by_hand(label, (x, y), (5, 6), 0.7, 0.2, margin, norm) for x in range(6)] for y in range(5)]
        for label in labels.tolist()
    ]
    torch.testing.assert_close(result, torch.tensor(expected, dtype=torch.float64))


@pytest.mark.parametrize(('margin', 'norm'), CHOICES)
@pytest.mark.parametrize('eps', [1.0, 0.05])
def test_gradcheck(margin, norm, eps):
    scores, labels = random_problem(lead=(1, 2), size=(4, 5), samples=3)
    assert torch.autograd.gradcheck(lambda f: structured_loss(f, labels, eps, 1.0, 0.1, margin, norm), scores)


def naive_value_and_gradient(scores, labels, eps=1.0, alpha=1.0, s=0.01, margin='smooth_l1', norm='l1'):
    """Eq. 13 with everything materialised, through autograd, in float64."""
    scores = scores.detach().double().requires_grad_()
    labels = labels.double()
    augmented = scores.unsqueeze(-3) + label_margin(labels, scores.shape[-2:], alpha, s, margin, norm)
    loss = eps * torch.logsumexp(augmented.flatten(-2) / eps, -1) - score_at(scores, labels)
    loss = loss.mean(-1)
    return loss.detach(), torch.autograd.grad(loss.sum(), scores)[0]


@pytest.mark.parametrize(('margin', 'norm'), CHOICES)
@pytest.mark.parametrize('alpha', [0.0, 1.0, 9.0])
def test_float32_agrees_with_naive_float64(margin, norm, alpha):
    scores, labels = random_problem(size=(24, 32), samples=10, dtype=torch.float32, scale=5.0)
    loss = structured_loss(scores, labels, alpha=alpha, margin=margin, norm=norm)
    (grad,) = torch.autograd.grad(loss.sum(), scores)
    value, gradient = naive_value_and_gradient(scores, labels, alpha=alpha, margin=margin, norm=norm)
    torch.testing.assert_close(loss.double(), value, rtol=1e-6, atol=1e-5)
    torch.testing.assert_close(grad.double(), gradient, rtol=0, atol=1e-5)


@pytest.mark.parametrize(('margin', 'norm'), CHOICES)
@pytest.mark.parametrize('alpha_over_eps', [0.1, 1.0, 9.0])
def test_separable_is_direct(margin, norm, alpha_over_eps):
    scores, labels = random_problem(lead=(1, 6), size=(16, 12), samples=5)
    scores, labels = scores.detach().flatten(0, 1), labels.flatten(0, 1)
    objective = Objective(0.5, 0.5 * alpha_over_eps, 0.05, margin, norm)
    value, gradient = loss_and_gradient(scores, labels, objective, True)
    expected_value, expected_gradient = loss_and_gradient(scores, labels, objective, True, method='direct')
    torch.testing.assert_close(value, expected_value, rtol=0, atol=1e-11)
    torch.testing.assert_close(gradient, expected_gradient, rtol=0, atol=1e-11)


def test_method_is_the_fast_one_where_it_is_safe():
    assert Objective(1.0, 1.0, 0.01, 'smooth_l1', 'l1').method((64, 64)) == 'separable'
    assert Objective(1.0, 1.0, 0.01, 'l1', 'l2').method((64, 64)) == 'direct'
    assert Objective(0.05, 1.0, 0.01, 'l1', 'l1').method((64, 64)) == 'direct'  # exp(4 / 0.05) overflows
    assert Objective(1.0, 1.0, 0.1, 'smooth_l1', 'l1').method((64, 64)) == 'direct'  # 0.1 is 3.2 px
    assert Objective(0.001, 1.0, 0.01, 'none', 'l1').method((64, 64)) == 'separable'


def test_chunks_are_small_with_many_samples_too(monkeypatch):
    made = []
    chunks = partition._chunks
    monkeypatch.setattr(partition, '_chunks', lambda *args: made.append(chunks(*args)) or made[-1])
    samples = 2**10
    loss_and_gradient(torch.randn(300, 8, 8), torch.rand(300, samples, 2), Objective(), False, 'separable')
    longest = max(part.stop - part.start for part in made[0])
    assert longest * samples * 8 <= 2**18, 'numbers in the axes of a slice: what a cache holds'


def test_chunks_change_nothing(monkeypatch):
    scores, labels = random_problem(lead=(2, 5), size=(8, 8))
    losses = {}
    for per_chunk in (64, 150, 10**6):
        monkeypatch.setattr(
            'mmpose_sp.models.partition._chunks',
            lambda count, per_map, device, n=per_chunk: [
                slice(i, min(i + max(1, n // per_map), count)) for i in range(0, count, max(1, n // per_map))
            ],
        )
        losses[per_chunk] = torch.cat([structured_loss(scores, labels, norm=norm).flatten() for norm in NORMS])
    torch.testing.assert_close(losses[64], losses[10**6])
    torch.testing.assert_close(losses[150], losses[10**6])


@pytest.mark.parametrize('norm', NORMS)
def test_no_tensor_of_samples_times_map(norm):
    """No tensor of a training step is larger than a chunk."""
    from torch.utils._python_dispatch import TorchDispatchMode

    class Largest(TorchDispatchMode):
        numel = 0

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            out = func(*args, **(kwargs or {}))
            for tensor in out if isinstance(out, (tuple, list)) else (out,):
                if isinstance(tensor, torch.Tensor):
                    self.numel = max(self.numel, tensor.numel())
            return out

    scores = torch.randn(2, 20, 64, 64, requires_grad=True)
    labels = torch.rand(2, 20, 50, 2) * 63
    with Largest() as largest:
        structured_loss(scores, labels, norm=norm).sum().backward()
    assert largest.numel <= 2**18  # 1 MiB; S x h x w for all landmarks would be 8.2 million


@pytest.mark.parametrize('margin', MARGINS)
def test_hinge_is_the_limit_of_small_eps(margin):
    scores, labels = random_problem()
    hinge = structured_loss(scores, labels, eps=0.0, margin=margin)
    soft = structured_loss(scores, labels, eps=1e-4, margin=margin)
    gap = 1e-4 * math.log(30)  # eps log (h w) bounds the difference
    assert ((soft - hinge) >= -1e-12).all()
    assert ((soft - hinge) <= gap).all()


def test_hinge_gradient_is_arg_max_minus_label():
    scores = torch.zeros(3, 4, dtype=torch.float64, requires_grad=True)
    label = torch.tensor([0.0, 0.0], dtype=torch.float64)
    structured_loss(scores, label, eps=0.0, margin='l1').backward()
    expected = torch.zeros(3, 4, dtype=torch.float64)
    expected[2, 3], expected[0, 0] = 1, -1  # with flat scores the farthest pixel violates most
    torch.testing.assert_close(scores.grad, expected)


def test_without_margin_it_is_cross_entropy():
    scores, _ = random_problem(lead=(2, 3), size=(5, 6))
    pixels = torch.tensor([[[0, 0], [3, 2], [5, 4]], [[1, 4], [5, 0], [2, 2]]])
    loss = structured_loss(scores, pixels + 0.3, alpha=0.0, rounded_label=True)
    target = (pixels[..., 1] * 6 + pixels[..., 0]).flatten()
    expected = F.cross_entropy(scores.reshape(6, 30), target, reduction='none').view(2, 3)
    torch.testing.assert_close(loss, expected)


def test_rounded_label_moves_margin_and_score():
    scores, labels = random_problem()
    labels = labels.clamp(0.1, 3.9)
    torch.testing.assert_close(
        structured_loss(scores, labels, rounded_label=True), structured_loss(scores, labels.round())
    )


@pytest.mark.parametrize(('eps', 'norm'), [(1.0, 'l1'), (1.0, 'l2'), (0.05, 'l1'), (0.0, 'l1')])
def test_convex_in_the_scores(eps, norm):
    first, labels = random_problem(lead=(50, 1))
    second = torch.randn_like(first) * 5
    ends = [structured_loss(f, labels, eps, norm=norm) for f in (first, second)]
    for t in (0.1, 0.5, 0.8):
        middle = structured_loss(t * first + (1 - t) * second, labels, eps, norm=norm)
        assert (middle <= t * ends[0] + (1 - t) * ends[1] + 1e-12).all()


@pytest.mark.parametrize(('margin', 'norm'), CHOICES)
def test_shift_invariant_and_gradient_sums_to_zero(margin, norm):
    scores, labels = random_problem()
    loss = structured_loss(scores, labels, margin=margin, norm=norm)
    shifted = structured_loss(scores + 7.5, labels, margin=margin, norm=norm)
    torch.testing.assert_close(loss, shifted)
    (grad,) = torch.autograd.grad(loss.sum(), scores)
    torch.testing.assert_close(grad.sum((-2, -1)), torch.zeros(2, 3, dtype=torch.float64), atol=1e-12, rtol=0)


def test_only_the_label_is_pushed_up():
    """Sec. 5.1: positive updates at the label, negative ones elsewhere."""
    scores = (torch.randn(1, 11) * 3).requires_grad_()
    structured_loss(scores, torch.tensor([5.0, 0.0]), margin='l2').backward()
    assert scores.grad[0, 5] < 0
    assert (scores.grad[0, [0, 1, 2, 3, 4, 6, 7, 8, 9, 10]] > 0).all()


def test_second_backward_through_a_retained_graph():
    scores, labels = random_problem()
    loss = structured_loss(scores, labels)
    weight = torch.rand_like(loss)
    (first,) = torch.autograd.grad(loss, scores, weight, retain_graph=True)
    (second,) = torch.autograd.grad(loss, scores, 2 * weight)
    torch.testing.assert_close(second, 2 * first)


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
@pytest.mark.parametrize('norm', NORMS)
def test_half_scores_are_computed_in_float32(dtype, norm):
    scores, labels = random_problem(size=(16, 16), dtype=torch.float32)
    half = scores.detach().to(dtype).requires_grad_()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        loss = structured_loss(half, labels, norm=norm)
    (grad,) = torch.autograd.grad(loss.sum(), half)
    value, gradient = naive_value_and_gradient(half, labels, norm=norm)
    assert loss.dtype == torch.float32
    assert grad.dtype == dtype
    torch.testing.assert_close(loss.double(), value, rtol=1e-6, atol=1e-5)
    torch.testing.assert_close(grad.double(), gradient, rtol=torch.finfo(dtype).eps, atol=1e-4)


@pytest.mark.parametrize('eps', [1.0, 0.01, 0.0])
@pytest.mark.parametrize('norm', NORMS)
def test_extreme_scores(eps, norm):
    scores = torch.full((3, 8, 8), -1e4)
    scores[0, 2, 3] = 1e4
    scores[1] = 1e4
    scores[2, :, ::2] = 1e4
    scores.requires_grad_()
    label = torch.tensor([[3.0, 2.0], [1.2, 2.6], [3.0, 2.0]])
    loss = structured_loss(scores, label, eps, margin='l1', norm=norm)
    loss.sum().backward()
    assert scores.grad.isfinite().all()
    expected = [loss_by_hand(f, y, eps, 1.0, 0.01, 'l1', norm) for f, y in zip(scores.tolist(), label.tolist())]
    torch.testing.assert_close(loss.detach(), torch.tensor(expected), rtol=1e-6, atol=1e-5)


def test_low_matmul_precision_of_the_user_is_restored():
    scores, labels = random_problem(size=(32, 32), samples=10, dtype=torch.float32)
    value, _ = naive_value_and_gradient(scores, labels)
    torch.set_float32_matmul_precision('medium')
    try:
        loss = structured_loss(scores, labels)
        assert torch.get_float32_matmul_precision() == 'medium'
    finally:
        torch.set_float32_matmul_precision('highest')
    torch.testing.assert_close(loss.double(), value, rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize(
    ('option', 'word'),
    [
        ({'margin': 'l3'}, 'margin'),
        ({'norm': 'l0'}, 'norm'),
        ({'eps': -1.0}, 'eps'),
        ({'alpha': -1.0}, 'alpha'),
        ({'s': 0.0}, 's=0'),
    ],
)
def test_bad_options(option, word):
    scores, labels = random_problem()
    with pytest.raises(ValueError, match=word):
        structured_loss(scores, labels, **option)


def test_labels_of_another_shape():
    scores, labels = random_problem()
    with pytest.raises(ValueError, match='do not fit'):
        structured_loss(scores, labels[:1])


def test_score_at_is_exact_for_bilinear_maps_and_constant_beyond_the_border():
    y, x = torch.meshgrid(torch.arange(5.0), torch.arange(6.0), indexing='ij')
    scores = 2 + 3 * x - y + 0.5 * x * y
    points = torch.tensor([[1.25, 3.5], [4.9, 0.1], [0.0, 4.0], [-0.5, 2.0], [5.5, 4.5]])
    expected = torch.tensor(
        [2 + 3.75 - 3.5 + 0.5 * 1.25 * 3.5, 2 + 14.7 - 0.1 + 0.5 * 0.49, -2.0, 0.0, 2 + 15 - 4 + 10.0]
    )
    torch.testing.assert_close(score_at(scores, points), expected)
    torch.testing.assert_close(score_at(scores, points, rounded=True)[:3], torch.tensor([scores[4, 1], 17.0, -2.0]))


def test_sampling_statistics():
    covariance = torch.tensor([[[2.0, 0.9], [0.9, 0.5]], [[0.0, 0.0], [0.0, 1.0]], [[1.0, 1.0], [1.0, 1.0]]])
    mean = torch.tensor([[10.0, 20.0], [3.0, -4.0], [0.0, 0.0]])
    count = 40000
    samples = sample_labels(mean, covariance, count, generator=torch.Generator().manual_seed(1))
    assert samples.shape == (3, count, 2)
    centred = samples - mean[:, None]
    # six standard errors
    torch.testing.assert_close(samples.mean(1), mean, rtol=0, atol=6 * (2 / count) ** 0.5)
    torch.testing.assert_close(
        centred.transpose(1, 2) @ centred / count, covariance, rtol=0, atol=6 * 2 * (2 / count) ** 0.5
    )
    kurtosis = centred[0, :, 0].pow(4).mean() / 4
    assert kurtosis.item() == pytest.approx(3, abs=6 * (96 / count) ** 0.5)


def test_samples_stay_on_the_map_and_follow_the_generator():
    labels, covariance = torch.tensor([[0.0, 7.0]]), torch.eye(2)[None] * 9
    first, second = (sample_labels(labels, covariance, 50, (8, 6), torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first, second)
    assert first.amin() >= -0.5
    assert (first <= torch.tensor([5.5, 7.5])).all()


def test_check_labels_names_the_landmark():
    labels = torch.full((2, 3, 2), 4.0)
    used = torch.ones(2, 3, dtype=torch.bool)
    check_labels(labels, used, (8, 8))
    labels[1, 2, 0] = 7.6
    with pytest.raises(ValueError, match=r'landmark \[1, 2\].*outside'):
        check_labels(labels, used, (8, 8))
    labels[1, 2, 0] = math.nan
    with pytest.raises(ValueError, match='nan'):
        check_labels(labels, used, (8, 8))
    used[1, 2] = False
    check_labels(labels, used, (8, 8))

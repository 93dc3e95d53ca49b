"""The definition of Eq. 8 to 12 against a double loop, closed forms and invariances."""

import itertools
import math

import pytest
import torch
import torch.nn.functional as F
from problems import CHOICES, random_problem

from mmpose_sp.structured import Objective, label_margin, score_at, structured_loss
from mmpose_sp.structured.grid import round_points
from mmpose_sp.structured.objective import MARGINS


def margin_by_hand(label, pixel, size, objective):
    height, width = size
    dx, dy = 2 * (pixel[0] - label[0]) / width, 2 * (pixel[1] - label[1]) / height
    length = abs(dx) + abs(dy) if objective.norm == 'l1' else math.hypot(dx, dy)
    squared, s = dx * dx + dy * dy, objective.s
    smooth = 0.5 / s * squared if length < s else length - 0.5 * s
    return objective.alpha * {'none': 0.0, 'l1': length, 'l2': squared, 'smooth_l1': smooth}[objective.margin]


def loss_by_hand(scores, label, objective):
    """Eq. 11 for one map (h, w) as nested lists and one label (x, y)."""
    size = height, width = len(scores), len(scores[0])
    x, y = min(max(label[0], 0), width - 1), min(max(label[1], 0), height - 1)
    terms, at_label = [], 0.0
    for row, column in itertools.product(range(height), range(width)):
        terms.append(margin_by_hand(label, (column, row), size, objective) + scores[row][column])
        at_label += max(0, 1 - abs(column - x)) * max(0, 1 - abs(row - y)) * scores[row][column]
    peak, eps = max(terms), objective.eps
    return peak - at_label + (eps and eps * math.log(sum(math.exp((t - peak) / eps) for t in terms)))


@pytest.mark.parametrize('eps', [1.0, 0.25, 0.01, 0.0])
@pytest.mark.parametrize('s', [0.01, 0.2, 0.9])
@pytest.mark.parametrize(('margin', 'norm'), CHOICES)
def test_value_is_the_double_loop(margin, norm, s, eps):
    scores, labels = random_problem()
    objective = Objective(eps, 1.3, s, margin, norm)
    loss = structured_loss(scores, labels, objective)
    for index in itertools.product(range(2), range(3)):
        by_hand = [loss_by_hand(scores[index].tolist(), label, objective) for label in labels[index].tolist()]
        assert loss[index].item() == pytest.approx(sum(by_hand) / len(by_hand), abs=1e-9)


@pytest.mark.parametrize(('margin', 'norm'), CHOICES)
@pytest.mark.parametrize('eps', [1.0, 0.05])
def test_gradcheck(margin, norm, eps):
    scores, labels = random_problem(lead=(1, 2), size=(4, 5), samples=3)
    objective = Objective(eps, 1.0, 0.1, margin, norm)
    assert torch.autograd.gradcheck(lambda f: structured_loss(f, labels, objective), scores)


@pytest.mark.parametrize('margin', MARGINS)
def test_hinge_is_the_limit_of_small_eps(margin):
    scores, labels = random_problem()
    hinge = structured_loss(scores, labels, Objective(0.0, margin=margin))
    gap = structured_loss(scores, labels, Objective(1e-4, margin=margin)) - hinge
    assert (gap >= -1e-12).all()
    assert (gap <= 1e-4 * math.log(30)).all()  # eps log (h w)


def test_hinge_gradient_is_arg_max_minus_label():
    scores = torch.zeros(3, 4, dtype=torch.float64, requires_grad=True)
    structured_loss(scores, torch.zeros(1, 2), Objective(0.0, margin='l1')).backward()
    expected = torch.zeros(3, 4, dtype=torch.float64)
    expected[2, 3], expected[0, 0] = 1, -1  # with flat scores the farthest pixel violates most
    torch.testing.assert_close(scores.grad, expected)


def test_without_margin_it_is_cross_entropy():
    scores, _ = random_problem()
    pixels = torch.tensor([[[0, 0], [3, 2], [5, 4]], [[1, 4], [5, 0], [2, 2]]])
    loss = structured_loss(scores, (pixels + 0.3).unsqueeze(2), Objective(alpha=0.0, rounded_label=True))
    target = (pixels[..., 1] * 6 + pixels[..., 0]).flatten()
    expected = F.cross_entropy(scores.reshape(6, 30), target, reduction='none').view(2, 3)
    torch.testing.assert_close(loss, expected)


def test_labels_on_the_border_are_rounded_to_its_pixels():
    corners = torch.tensor([[-0.5, 3.5], [7.5, -0.5], [1.4, 1.6]])
    assert round_points(corners, (4, 8)).tolist() == [[0, 3], [7, 0], [1, 2]]


def test_rounded_label_moves_margin_and_score():
    scores, labels = random_problem()
    labels = labels.clamp(0.1, 3.9)
    rounded = structured_loss(scores, labels, Objective(rounded_label=True))
    torch.testing.assert_close(rounded, structured_loss(scores, labels.round()))


@pytest.mark.parametrize(('eps', 'norm'), [(1.0, 'l1'), (1.0, 'l2'), (0.05, 'l1'), (0.0, 'l1')])
def test_convex_in_the_scores(eps, norm):
    (first, labels), (second, _) = random_problem(lead=(50, 1)), random_problem(lead=(50, 1), scale=5.0, seed=1)
    objective = Objective(eps, norm=norm)
    ends = [structured_loss(f, labels, objective) for f in (first, second)]
    for t in (0.1, 0.5, 0.8):
        middle = structured_loss(t * first + (1 - t) * second, labels, objective)
        assert (middle <= t * ends[0] + (1 - t) * ends[1] + 1e-12).all()


@pytest.mark.parametrize(('margin', 'norm'), CHOICES)
def test_shift_invariant_and_gradient_sums_to_zero(margin, norm):
    scores, labels = random_problem()
    objective = Objective(margin=margin, norm=norm)
    loss = structured_loss(scores, labels, objective)
    torch.testing.assert_close(structured_loss(scores + 7.5, labels, objective), loss)
    (grad,) = torch.autograd.grad(loss.sum(), scores)
    torch.testing.assert_close(grad.sum((-2, -1)), torch.zeros(2, 3, dtype=torch.float64), atol=1e-12, rtol=0)


def test_only_the_label_is_pushed_up():
    """Sec. 5.1: positive updates at the label, negative ones elsewhere."""
    scores, _ = random_problem(lead=(), size=(1, 11), samples=1)
    structured_loss(scores, torch.tensor([[5.0, 0.0]]), Objective(margin='l2')).backward()
    assert scores.grad[0, 5] < 0
    assert (scores.grad[0, [0, 1, 2, 3, 4, 6, 7, 8, 9, 10]] > 0).all()


@pytest.mark.parametrize(('margin', 'norm'), CHOICES)
def test_label_margin_by_hand(margin, norm):
    labels = [[1.0, 2.0], [2.3, -0.2]]
    objective = Objective(1.0, 0.7, 0.2, margin, norm)
    result = label_margin(torch.tensor(labels, dtype=torch.float64), (5, 6), objective)
    by_hand = [[[margin_by_hand(y, (i, j), (5, 6), objective) for i in range(6)] for j in range(5)] for y in labels]
    torch.testing.assert_close(result, torch.tensor(by_hand, dtype=torch.float64))


def test_score_at_is_exact_for_bilinear_maps_and_constant_beyond_the_border():
    y, x = torch.meshgrid(torch.arange(5.0), torch.arange(6.0), indexing='ij')
    points = torch.tensor([[1.25, 3.5], [4.9, 0.1], [0.0, 4.0], [-0.5, 2.0], [5.5, 4.5]])
    expected = [2 + 3.75 - 3.5 + 0.5 * 1.25 * 3.5, 2 + 14.7 - 0.1 + 0.5 * 0.49, -2.0, 0.0, 2 + 15 - 4 + 10.0]
    torch.testing.assert_close(score_at(2 + 3 * x - y + 0.5 * x * y, points), torch.tensor(expected))


@pytest.mark.parametrize(
    ('name', 'value'),
    [
        ('margin', 'l3'),
        ('norm', 'l0'),
        ('eps', -1.0),
        ('eps', math.inf),
        ('alpha', -1.0),
        ('alpha', math.nan),
        ('s', 0.0),
    ],
)
def test_bad_options(name, value):
    with pytest.raises(ValueError, match=name):
        Objective(**{name: value})

"""What every loss keeps to, on any maps, labels and weights."""

import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as some
from landmark_losses import every_loss
from mmpose.registry import MODELS

import mmpose_sp  # noqa: F401

cases = settings(max_examples=25, deadline=None, derandomize=True, database=None)
WEIGHTS = some.sampled_from([0.0, 0.25, 1.0, 3.0])


@some.composite
def problems(draw, least=1):
    """Scores (B, K, h, w), labels that touch the borders, weights; all float64."""
    count, landmarks = draw(some.integers(least, 4)), draw(some.integers(1, 3))
    height, width = draw(some.integers(2, 9)), draw(some.integers(2, 9))
    random = torch.Generator().manual_seed(draw(some.integers(0, 999)))
    shape = count, landmarks, height, width
    scores = torch.randn(shape, generator=random, dtype=torch.float64) * draw(some.sampled_from([0.1, 2.0, 30.0]))
    places = torch.rand(count, landmarks, 2, generator=random, dtype=torch.float64)
    places = places.mul(1.2).sub(0.1).clamp(0, 1)  # some on the border
    labels = places * torch.tensor([width, height], dtype=torch.float64) - 0.5
    weights = torch.tensor(draw(some.lists(WEIGHTS, min_size=count * landmarks, max_size=count * landmarks)))
    return scores, labels, weights.view(count, landmarks).double()


def value_and_gradient(config, scores, *args, **options):
    scores = scores.clone().requires_grad_()
    value = MODELS.build({'num_samples': 0, **config, **options})(scores, *args)
    value.backward()
    return value.detach(), scores.grad


@every_loss
@cases
@given(problems(least=2), some.data())
def test_parts_of_a_batch_average_to_the_whole(config, problem, data):
    cut = data.draw(some.integers(1, len(problem[0]) - 1))
    whole, gradient = value_and_gradient(config, *problem)
    parts = [value_and_gradient(config, *(x[part] for x in problem)) for part in (slice(cut), slice(cut, None))]
    sizes = cut, len(problem[0]) - cut
    mean = sum(size * value for size, (value, _) in zip(sizes, parts)) / sum(sizes)
    torch.testing.assert_close(mean, whole)
    scaled = torch.cat([grad * size / sum(sizes) for size, (_, grad) in zip(sizes, parts)])
    torch.testing.assert_close(scaled, gradient)


@every_loss
@cases
@given(problems(), some.sampled_from([math.nan, math.inf, -math.inf, 1e300]))
def test_what_has_no_weight_may_be_anything(config, problem, junk):
    scores, labels, weights = problem
    unused = weights == 0
    covariances = torch.eye(2, dtype=torch.float64).mul(0.1).expand(*weights.shape, 2, 2).clone()
    results = []
    for content in (0.0, junk):
        scores[unused], labels[unused], covariances[unused] = content, content, content
        torch.manual_seed(0)
        results.append(value_and_gradient(config, scores, labels, weights, covariances, num_samples=3))
    (clean, its_gradient), (value, gradient) = results
    assert torch.equal(value, clean) and value.isfinite()
    assert torch.equal(gradient, its_gradient) and (gradient[unused] == 0).all()


@every_loss
@cases
@given(problems(), some.integers(0, 99))
def test_the_order_of_images_and_landmarks_does_not_matter(config, problem, seed):
    random = torch.Generator().manual_seed(seed)
    images, landmarks = (torch.randperm(size, generator=random) for size in problem[2].shape)
    value, gradient = value_and_gradient(config, *problem)
    other, its_gradient = value_and_gradient(config, *(x[images][:, landmarks] for x in problem))
    torch.testing.assert_close(other, value)
    torch.testing.assert_close(its_gradient, gradient[images][:, landmarks])


@every_loss
@cases
@given(problems())
def test_a_mirrored_face_has_the_same_loss(config, problem):
    scores, labels, weights = problem
    if config.get('rounded_label'):
        labels = labels.clamp(min=0.3).floor() + 0.25  # no label half-way between two pixels
        labels = torch.minimum(labels, torch.tensor([scores.shape[3] - 1.0, scores.shape[2] - 1.0]).double())
    mirrored = labels * labels.new_tensor([-1, 1]) + labels.new_tensor([scores.shape[-1] - 1, 0])
    value, gradient = value_and_gradient(config, scores, labels, weights)
    other, its_gradient = value_and_gradient(config, scores.flip(-1), mirrored, weights)
    torch.testing.assert_close(other, value)
    torch.testing.assert_close(its_gradient.flip(-1), gradient)


@every_loss
@cases
@given(problems(), some.sampled_from([1e4, 1e8]), some.sampled_from(['scaled', 'flat', 'two values', 'one pixel']))
def test_extreme_float32_scores_stay_finite(config, problem, size, kind):
    scores, labels, weights = (x.float() for x in problem)
    if kind == 'scaled':
        scores = scores * size
    elif kind == 'two values':
        scores = scores.sign() * size
    else:
        scores = torch.full_like(scores, -size)
        if kind == 'one pixel':
            scores[..., 0, 0] = size
    value, gradient = value_and_gradient(config, scores, labels, weights)
    assert value.isfinite() and gradient.isfinite().all()

"""The loss modules: what they share, and each baseline against an independent reference."""

import copy
import math

import pytest
import torch
import torch.nn.functional as F
from landmark_losses import LANDMARK_LOSSES, every_loss
from mmpose.models.losses import AdaptiveWingLoss, KeypointMSELoss
from mmpose.registry import MODELS

from mmpose_sp.models.losses import AWingLoss, KeypointGaussianMSELoss, SoftArgmaxLoss, STARLoss, landmark_loss
from mmpose_sp.posterior.moments import (
    expected_position,
    heatmap_distribution,
    position_covariance,
    symmetric_eig_2x2,
)
from mmpose_sp.structured import Objective, sample_labels, structured_loss


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def batch(count=4, landmarks=3, height=9, width=8, dtype=torch.float32):
    scores = (torch.randn(count, landmarks, height, width, dtype=dtype) * 2).requires_grad_()
    labels = torch.rand(count, landmarks, 2, dtype=dtype) * torch.tensor([width - 1.0, height - 1.0], dtype=dtype)
    return scores, labels


def build(config, **options):
    return MODELS.build({'num_samples': 0, **config, **options})


@every_loss
@pytest.mark.parametrize('bad', [math.nan, -0.6, 8.7])
def test_bad_labels_that_count_are_refused(config, bad):
    scores, labels = batch()
    labels[2, 1, 1] = bad
    with pytest.raises(ValueError, match=r'landmark \[2, 1\]'):
        build(config)(scores, labels)


@every_loss
def test_bad_weights_are_refused(config):
    scores, labels = batch()
    weights = torch.ones(4, 3)
    weights[2, 1] = -1.0
    with pytest.raises(ValueError, match=r'landmark \[2, 1\].*weight'):
        build(config)(scores, labels, weights)


@every_loss
@pytest.mark.parametrize('shape', [(0, 3), (2, 0)])
def test_empty_batches_have_no_loss(config, shape):
    scores, labels = batch(*shape)
    value = build(config, num_samples=2)(scores, labels, None, torch.eye(2).expand(*shape, 2, 2))
    value.backward()
    assert value == 0
    assert scores.grad.shape == scores.shape


@every_loss
def test_averages_over_label_samples(config):
    scores, labels = batch(dtype=torch.float64)
    covariances = torch.tensor([[0.5, 0.2], [0.2, 0.3]], dtype=torch.float64).expand(4, 3, 2, 2)
    loss = build(config, num_samples=6)
    torch.manual_seed(5)
    smoothed = loss(scores, labels, None, covariances)
    torch.manual_seed(5)
    noise = torch.randn(4, 3, 6, 2, dtype=torch.float64)
    samples = labels.unsqueeze(2) + noise @ torch.linalg.cholesky(covariances[0, 0]).T
    samples = torch.minimum(samples.clamp(min=-0.5), torch.tensor([7.5, 8.5], dtype=torch.float64))
    single = build(config)
    expected = sum(single(scores, samples[:, :, s]) for s in range(6)) / 6
    torch.testing.assert_close(smoothed, expected, rtol=1e-6, atol=1e-9)


@every_loss
@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_half_precision(config, dtype):
    scores, labels = batch()
    half = scores.detach().to(dtype).requires_grad_()
    loss = build(config)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        value = loss(half, labels)
    value.backward()
    expected = loss(half.detach().float(), labels)
    assert half.grad.isfinite().all()
    torch.testing.assert_close(value, expected)


@every_loss
def test_loss_weight_scales(config):
    scores, labels = batch()
    torch.testing.assert_close(build(config, loss_weight=3.0)(scores, labels), 3 * build(config)(scores, labels))


@pytest.mark.parametrize('config', [c for c in LANDMARK_LOSSES if c.get('eps') != 0.0], ids=str)  # no kinks
def test_gradcheck(config):
    scores, labels = batch(1, 2, 4, 5, torch.float64)
    assert torch.autograd.gradcheck(lambda f: build(config)(f, labels), scores)


def test_shapes_and_covariances_are_checked():
    scores, labels = batch()
    loss = build(LANDMARK_LOSSES[0])
    with pytest.raises(ValueError, match='labels'):
        loss(scores, labels[:, :2])
    with pytest.raises(ValueError, match='weights'):
        loss(scores, labels, torch.ones(4, 3, 1))
    with pytest.raises(ValueError, match='covariances'):
        build(LANDMARK_LOSSES[0], num_samples=2)(scores, labels, None, torch.ones(4, 3, 2))
    with pytest.raises(ValueError, match='nan'):
        build(LANDMARK_LOSSES[0], num_samples=2)(scores, labels, None, torch.full((4, 3, 2, 2), math.nan))


def test_own_generator_repeats_and_survives_a_copy():
    scores, labels = batch()
    covariances = torch.eye(2).expand(4, 3, 2, 2)
    loss = build(LANDMARK_LOSSES[0], num_samples=4, seed=7)
    state = torch.random.get_rng_state()
    first = loss(scores, labels, None, covariances)
    assert torch.equal(state, torch.random.get_rng_state())  # the global generator is not touched
    assert loss(scores, labels, None, covariances) != first
    assert torch.equal(copy.deepcopy(loss)(scores, labels, None, covariances), first)


def test_processes_seeded_alike_draw_different_samples(monkeypatch):
    loss, (scores, labels) = build(LANDMARK_LOSSES[0], num_samples=4), batch()
    covariances = torch.eye(2).expand(4, 3, 2, 2)

    def value(rank, of):
        monkeypatch.setattr(landmark_loss, 'get_rank', lambda: rank)
        monkeypatch.setattr(landmark_loss, 'get_world_size', lambda: of)
        torch.manual_seed(3)  # as mmengine does in every process
        return copy.deepcopy(loss)(scores, labels, None, covariances)

    first, second = value(0, 2), value(1, 2)
    assert not torch.allclose(first, second, rtol=1e-4)
    assert torch.equal(value(1, 2), second)


@pytest.mark.parametrize('rounded', [False, True])
def test_margin_may_stay_at_the_annotated_label(rounded):
    """Eq. 13 with Delta(y, .) of the label y and F[y'] of its samples y', by torch's own interpolation."""
    scores, labels = torch.randn(2, 3, 9, 8, dtype=torch.float64), 2 + 4 * torch.rand(2, 3, 2, dtype=torch.float64)
    covariances = 0.3 * torch.eye(2, dtype=torch.float64).expand(2, 3, 2, 2)
    settings = {'type': 'StructuredPredictionLoss', 'rounded_label': rounded, 'num_samples': 4, 'seed': 1}
    found = MODELS.build(dict(settings, margin_at='label'))(scores, labels, covariances=covariances)
    samples = sample_labels(labels, covariances, 4, (9, 8), MODELS.build(settings).generator(scores.device))
    if rounded:
        labels, samples = labels.round(), samples.round()
    grid = torch.stack(torch.meshgrid(torch.arange(8.0), torch.arange(9.0), indexing='xy'), -1).double()
    difference = (2 * (grid - labels[:, :, None, None]) / torch.tensor([8.0, 9.0])).abs().sum(-1)
    margin = torch.where(difference < 0.01, 50 * difference.square(), difference - 0.005)
    x, y = 2 * (samples[..., 0] + 0.5) / 8 - 1, 2 * (samples[..., 1] + 0.5) / 9 - 1
    raised = F.grid_sample(
        scores.flatten(0, 1)[:, None], torch.stack([x, y], -1).flatten(0, 1)[:, None], padding_mode='border'
    )
    expected = (margin + scores).flatten(2).logsumexp(-1) - raised.view(2, 3, 4).mean(-1)
    torch.testing.assert_close(found, expected.mean())


def test_structured_loss_module_is_the_function():
    scores, labels = batch()
    weights = torch.rand(4, 3)
    loss = build(LANDMARK_LOSSES[0], eps=0.7, alpha=2.0, s=0.1, margin='l1', norm='l2', rounded_label=True)
    expected = structured_loss(scores, labels.unsqueeze(2), Objective(0.7, 2.0, 0.1, 'l1', 'l2', True))
    torch.testing.assert_close(loss(scores, labels, weights), (expected * weights).sum() / 12)


@pytest.mark.parametrize(
    'config',
    [
        {'type': 'StructuredPredictionLoss', 'margin': 'huber'},
        {'type': 'SoftArgmaxLoss', 'kind': 'none'},
        {'type': 'STARLoss', 'kind': 'wing'},
        {'type': 'STARLoss', 'normalization': 'sum'},
        {'type': 'KeypointGaussianMSELoss', 'sigma': 0.0},
        {'type': 'SoftArgmaxLoss', 'num_samples': -1},
    ],
)
def test_bad_options(config):
    with pytest.raises(ValueError, match='use one of|must be positive|use 0'):
        MODELS.build(config)


# soft-argmax -----------------------------------------------------------------------------------------------------


def two_peaks():
    """A map of 4 x 8 with half of the mass on (1, 2) and half on (5, 2): mean (3, 2) in px."""
    scores = torch.full((1, 1, 4, 8), -1e3, dtype=torch.float64)
    scores[0, 0, 2, 1] = scores[0, 0, 2, 5] = 0
    return scores


def test_soft_argmax_does_not_see_two_peaks():
    """Sec. 4.1: zero loss although neither peak is at the label."""
    label = torch.tensor([[[3.0, 2.0]]], dtype=torch.float64)
    assert SoftArgmaxLoss()(two_peaks(), label).item() == pytest.approx(0, abs=1e-20)


@pytest.mark.parametrize(
    ('kind', 'norm', 'expected'),
    [
        ('l2', 'l2', 0.5**2 + 1.0**2),
        ('l1', 'l1', 1.5),
        ('l1', 'l2', math.hypot(0.5, 1.0)),
        ('smooth_l1', 'l2', math.hypot(0.5, 1.0) - 0.005),
    ],
)
def test_soft_argmax_closed_forms(kind, norm, expected):
    label = torch.tensor([[[1.0, 0.0]]], dtype=torch.float64)  # 2 px of 8 and 2 px of 4: errors 0.5 and 1
    assert SoftArgmaxLoss(kind, norm)(two_peaks(), label).item() == pytest.approx(expected)


def test_instance_norm_relu_distribution():
    scores, _ = batch(dtype=torch.float64)
    heatmaps = heatmap_distribution(scores, 'instance_norm_relu')
    flat = scores.flatten(2)
    centred = F.relu((flat - flat.mean(-1, keepdim=True)) / flat.var(-1, keepdim=True, unbiased=False).sqrt())
    torch.testing.assert_close(heatmaps.flatten(2), centred / centred.sum(-1, keepdim=True), rtol=1e-4, atol=1e-8)


# STAR ------------------------------------------------------------------------------------------------------------


def star_by_eigh(scores, labels, kind='smooth_l1', omega=1.0, eps=1e-5):
    """Slow reference: one landmark at a time, weighted samples, torch.linalg.eigh."""
    height, width = scores.shape[-2:]
    total = 0.0
    for score, label in zip(scores.flatten(0, 1), labels.flatten(0, 1)):
        weight = score.flatten().softmax(0)
        points = torch.stack(
            [
                torch.tensor([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], dtype=score.dtype)
                for y in range(height)
                for x in range(width)
            ]
        )
        mean = weight @ points
        centred = points - mean
        first, second = weight.sum() + eps, weight.square().sum() + eps
        covariance = (centred.T * weight) @ centred / (first - second / first)
        values, vectors = torch.linalg.eigh(covariance)
        target = torch.tensor([(2 * label[0] + 1) / width - 1, (2 * label[1] + 1) / height - 1], dtype=score.dtype)
        for value, vector in zip(values, vectors.T):
            error = ((target - mean) @ vector).abs()
            part = {'smooth_l1': F.smooth_l1_loss(error, error * 0, beta=0.01), 'l1': error, 'l2': error**2}[kind]
            total = total + part / (value + eps).sqrt() + omega * value.abs()
    return total / labels[..., 0].numel()


@pytest.mark.parametrize('kind', ['smooth_l1', 'l1', 'l2'])
def test_star_agrees_with_eigh(kind):
    scores, labels = batch(2, 3, 7, 6, torch.float64)
    loss = STARLoss(0.5, kind)(scores, labels)
    expected = star_by_eigh(scores, labels, kind, 0.5)
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(*(torch.autograd.grad(value, scores)[0] for value in (loss, expected)))


@pytest.mark.parametrize('shape', ['flat', 'one pixel', 'round', 'line'])
def test_star_gradient_is_finite_where_eigenvectors_are_not_defined(shape):
    scores = torch.zeros(1, 1, 9, 9)
    y, x = torch.meshgrid(torch.arange(9.0), torch.arange(9.0), indexing='ij')
    if shape == 'one pixel':
        scores[..., 4, 4] = 1e3
    elif shape == 'round':
        scores[0, 0] = -((x - 4) ** 2) - (y - 4) ** 2
    elif shape == 'line':
        scores[0, 0] = -1e3 * (y != 4)
    scores.requires_grad_()
    loss = STARLoss()(scores, torch.tensor([[[5.0, 2.0]]]))
    loss.backward()
    assert loss.isfinite()
    assert scores.grad.isfinite().all()


def test_eigen_decomposition():
    root = torch.randn(200, 2, 2, dtype=torch.float64)
    matrix = root @ root.transpose(1, 2)
    matrix[0] = torch.diag(torch.tensor([3.0, 1.0]))
    matrix[1] = torch.diag(torch.tensor([1.0, 3.0]))
    matrix[2] = torch.eye(2)
    matrix[3] = 0
    matrix[4] = 2 * torch.eye(2) + 1e-5 * torch.tensor([[1.0, 2.0], [2.0, -1.0]])  # almost equal: exact all the same
    values, vectors = symmetric_eig_2x2(matrix)
    torch.testing.assert_close(values, torch.linalg.eigvalsh(matrix), atol=1e-12, rtol=1e-9)
    torch.testing.assert_close(vectors @ vectors.transpose(1, 2), torch.eye(2, dtype=torch.float64).expand(200, 2, 2))
    rebuilt = vectors.transpose(1, 2) @ torch.diag_embed(values) @ vectors
    torch.testing.assert_close(rebuilt, matrix, atol=1e-12, rtol=1e-9)


@pytest.mark.parametrize(('gap', 'expected'), [(1e-2, 50.0), (1e-6, 0.0)])
def test_eigenvector_derivative_is_cut_where_it_diverges(gap, expected):
    """Rotating diag(1 + gap, 1): d angle / d off-diagonal = 1 / (2 gap) of the symmetric part, or 0 when cut."""
    matrix = torch.diag(torch.tensor([1.0 + gap, 1.0], dtype=torch.float64)).requires_grad_()
    _, vectors = symmetric_eig_2x2(matrix)
    (grad,) = torch.autograd.grad(vectors[1, 1], matrix)
    assert (grad[0, 1] + grad[1, 0]).item() / 2 == pytest.approx(expected)


def test_covariance_of_a_gaussian():
    y, x = torch.meshgrid(
        torch.arange(64.0, dtype=torch.float64), torch.arange(64.0, dtype=torch.float64), indexing='ij'
    )
    scores = -0.5 * ((x - 30.3) ** 2 / 9 + (y - 33.8) ** 2 / 4)
    heatmap = heatmap_distribution(scores)
    mean = expected_position(heatmap)
    torch.testing.assert_close(mean, torch.tensor([61.6 / 64 - 1, 68.6 / 64 - 1], dtype=torch.float64))
    # unbiased: divided by 1 - sum p^2 = 1 - 1 / (4 pi sx sy)
    expected = torch.diag(torch.tensor([9.0, 4.0], dtype=torch.float64)) / 32**2 / (1 - 1 / (24 * math.pi))
    torch.testing.assert_close(position_covariance(heatmap, mean, eps=0.0), expected, rtol=1e-6, atol=1e-12)


# dense maps ------------------------------------------------------------------------------------------------------


def test_gaussian_mse_is_mmpose_mse_on_gaussians():
    scores, labels = batch()
    y, x = torch.meshgrid(torch.arange(9.0), torch.arange(8.0), indexing='ij')
    target = torch.exp(-((x - labels[..., 0, None, None]) ** 2 + (y - labels[..., 1, None, None]) ** 2) / (2 * 1.5**2))
    torch.testing.assert_close(KeypointGaussianMSELoss(1.5)(scores, labels), KeypointMSELoss()(scores, target))


def test_awing_without_weight_map_is_mmpose_awing():
    pred = torch.randn(2, 3, 8, 8, dtype=torch.float64, requires_grad=True)
    target = torch.rand(2, 3, 8, 8, dtype=torch.float64)
    ours, theirs = AWingLoss(foreground_weight=0)(pred, target), AdaptiveWingLoss()(pred, target)
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(*(torch.autograd.grad(value, pred)[0] for value in (ours, theirs)))


def test_awing_weight_map():
    """Every pixel within one of the target's single bright pixel counts eleven times."""
    target = torch.zeros(1, 1, 7, 7, dtype=torch.float64)
    target[..., 2, 3] = 0.9
    near, far, plain = (torch.zeros_like(target) for _ in range(3))
    near[..., 1, 2], far[..., 5, 5] = 0.3, 0.3
    base = AWingLoss(foreground_weight=0)
    loss = AWingLoss()
    for pred, factor in ((near, 11), (far, 1)):
        torch.testing.assert_close(
            loss(pred, target) - loss(plain, target), factor * (base(pred, target) - base(plain, target))
        )


def test_awing_gradient_is_finite_at_the_target():
    target = torch.rand(1, 2, 6, 6).round()
    pred = target.clone().requires_grad_()
    AWingLoss()(pred, target).backward()
    assert (pred.grad == 0).all()


def test_awing_shapes():
    with pytest.raises(ValueError, match='differ in shape'):
        AWingLoss()(torch.zeros(1, 2, 4, 4), torch.zeros(1, 2, 4, 5))


@pytest.mark.parametrize('shape', [(0, 2, 4, 4), (1, 0, 4, 4)])
def test_awing_of_no_map_is_zero(shape):
    pred = torch.zeros(shape, requires_grad=True)
    loss = AWingLoss()(pred, torch.zeros(shape))
    loss.backward()
    assert loss == 0 and pred.grad.shape == shape

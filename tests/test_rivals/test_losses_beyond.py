"""What was tried with the paper's objective, against distributions of torch, loops and the definition; DSNT's guarded
loss against mmpose's.
"""

import pytest
import torch
from mmengine.logging import MessageHub
from mmpose.models.losses import JSDiscretLoss

from mmpose_sp.models.losses import StructuredPredictionLoss
from mmpose_sp.rivals.beyond import FLOOR, WARM_UP, AnnealedLoss, ExpectedErrorLoss, JointGaussianLoss, PyramidLoss
from mmpose_sp.rivals.parts import GuardedJSDiscretLoss
from mmpose_sp.structured import Objective, structured_loss


def test_the_expected_error_is_a_sum_over_pixels():
    torch.manual_seed(0)
    scores, labels = torch.randn(2, 3, 5, 7, dtype=torch.float64), torch.rand(2, 3, 4, 2, dtype=torch.float64) * 4
    found = ExpectedErrorLoss(1.0, eps=0.5).expected_error(scores, labels)
    for b in range(2):
        for k in range(3):
            p = (scores[b, k] / 0.5).exp()
            p /= p.sum()
            mean = sum(
                p[y, x] * (2 / 7 * (x - u).abs() + 2 / 5 * (y - v).abs()) / 4
                for u, v in labels[b, k]
                for y in range(5)
                for x in range(7)
            )
            assert found[b, k].item() == pytest.approx(mean.item(), rel=1e-12)


def joint_loss(weight=1.0):
    loss = JointGaussianLoss(3, weight, num_samples=0)
    generator = torch.Generator().manual_seed(1)
    faces = torch.rand(WARM_UP, 3, 2, generator=generator, dtype=torch.float64) * 6
    loss.seen += len(faces)
    loss.total += faces.flatten(1).sum(0)
    loss.outer += faces.flatten(1).T @ faces.flatten(1)
    return loss, faces.flatten(1)


def test_the_joint_term_is_the_density_of_a_product_of_gaussians():
    loss, faces = joint_loss()
    torch.manual_seed(2)
    scores, label = 3 * torch.randn(1, 3, 8, 8, dtype=torch.float64), torch.rand(1, 6, dtype=torch.float64) * 6
    p = scores.flatten(2).softmax(-1)[0]
    y, x = (grid.flatten() for grid in torch.meshgrid(torch.arange(8.0), torch.arange(8.0), indexing='ij'))
    at = torch.stack([x, y], dim=1).double()
    points = p @ at
    noise = torch.zeros(6, 6, dtype=torch.float64)
    for k in range(3):
        away = at - points[k]
        noise[2 * k : 2 * k + 2, 2 * k : 2 * k + 2] = (p[k][:, None] * away).T @ away + FLOOR * torch.eye(2)
    prior = faces.T.cov(correction=0) + FLOOR * torch.eye(6)
    spread = torch.linalg.inv(torch.linalg.inv(prior) + torch.linalg.inv(noise))
    mean = spread @ (torch.linalg.inv(prior) @ faces.mean(0) + torch.linalg.inv(noise) @ points.flatten())
    density = torch.distributions.MultivariateNormal(mean, (spread + spread.T) / 2).log_prob(label[0])
    constant = 3 * torch.log(torch.tensor(2 * torch.pi, dtype=torch.float64))
    assert loss.log_loss(scores, label).item() == pytest.approx(-(density + constant).item() / 3, rel=1e-9)


def test_the_gradient_of_the_joint_term():
    loss, _ = joint_loss()
    torch.manual_seed(3)
    scores = torch.randn(1, 3, 5, 5, dtype=torch.float64, requires_grad=True)
    label = torch.rand(1, 6, dtype=torch.float64) * 4
    assert torch.autograd.gradcheck(lambda s: loss.log_loss(s, label), scores)


def test_a_face_with_a_landmark_outside_has_the_papers_loss_alone():
    loss, _ = joint_loss()
    torch.manual_seed(4)
    scores, labels = torch.randn(1, 3, 8, 8), torch.rand(1, 3, 2) * 6
    weights = torch.tensor([[1.0, 0.0, 1.0]])
    alone = StructuredPredictionLoss(num_samples=0)(scores, labels, weights)
    assert loss(scores, labels, weights) == alone


@pytest.mark.parametrize('eps', [1.0, 0.3])
def test_a_coarser_map_is_the_posterior_of_blocks(eps):
    torch.manual_seed(7)
    scores = torch.randn(1, 2, 8, 12, dtype=torch.float64)
    posterior = (scores / eps).flatten(2).softmax(-1).view_as(scores)
    found = PyramidLoss(2, eps=eps).halved(scores) / eps
    for y in range(4):
        for x in range(6):
            mass = posterior[..., 2 * y : 2 * y + 2, 2 * x : 2 * x + 2].sum((-2, -1))
            torch.testing.assert_close((found.flatten(2).softmax(-1))[..., 6 * y + x], mass)


def test_without_a_margin_a_pyramid_is_the_log_mass_of_blocks():
    torch.manual_seed(8)
    scores = torch.randn(1, 1, 8, 8, dtype=torch.float64)
    posterior = scores.flatten().softmax(0).view(8, 8)
    y, x = 5, 2  # the label is the middle of a pixel, of its block, and of that of 4 x 4, in turn
    for label, levels, masses in (
        ((x, y), 1, [posterior[y, x]]),
        ((2.5, 4.5), 2, [(posterior[4:6, 2:4].log().mean()).exp(), posterior[4:6, 2:4].sum()]),
    ):
        labels = torch.tensor([[label]], dtype=torch.float64)
        found = PyramidLoss(levels, margin='none', num_samples=0)(scores, labels)
        assert found.item() == pytest.approx(-sum(mass.log().item() for mass in masses) / levels)


def test_the_gradient_of_a_pyramid():
    torch.manual_seed(9)
    scores = torch.randn(1, 1, 8, 8, dtype=torch.float64, requires_grad=True)
    labels = torch.rand(1, 1, 3, 2, dtype=torch.float64) * 7
    assert torch.autograd.gradcheck(lambda s: PyramidLoss(3).landmark_loss(s, labels), scores)


@pytest.mark.parametrize(('step', 'eps'), [(0, 1.0), (50, 0.1), (100, 0.01)])
def test_the_temperature_falls_from_the_first_to_the_last(step, eps):
    hub = MessageHub.get_current_instance()
    hub.update_info_dict(dict(iter=step, max_iters=100))
    torch.manual_seed(10)
    scores, labels = torch.randn(2, 3, 6, 6, dtype=torch.float64), torch.rand(2, 3, 4, 2, dtype=torch.float64) * 5
    found = AnnealedLoss(1.0, eps=0.01).landmark_loss(scores, labels)
    for name in ('iter', 'max_iters'):  # of the hub that all tests share
        hub.pop_info(name)
    torch.testing.assert_close(found, structured_loss(scores, labels, Objective(eps=eps)))


def maps(seed):
    torch.manual_seed(seed)
    pred, target = (torch.rand(2, 3, 36).softmax(-1).view(2, 3, 6, 6) for _ in range(2))
    return pred, target


def test_the_guarded_loss_of_dsnt_is_mmposes_where_all_landmarks_count():
    pred, target = maps(5)
    weights = torch.ones(2, 3)
    torch.testing.assert_close(GuardedJSDiscretLoss()(pred, target, weights), JSDiscretLoss()(pred, target, weights))


def test_the_guarded_loss_of_dsnt_has_a_gradient_where_a_landmark_is_outside():
    pred, target = maps(6)
    target[0, 1] = float('nan')  # mmpose normalises an empty map
    pred.requires_grad_()
    GuardedJSDiscretLoss()(pred, target, torch.tensor([[1.0, 0.0, 1.0], [1.0, 1.0, 1.0]])).backward()
    assert pred.grad.isfinite().all()
    assert not pred.grad[0, 1].any()

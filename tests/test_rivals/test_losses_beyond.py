"""The two terms beside the paper's, against distributions of torch and a loop; DSNT's guarded loss against mmpose's."""

import pytest
import torch
from mmpose.models.losses import JSDiscretLoss

from mmpose_sp.models.losses import StructuredPredictionLoss
from mmpose_sp.rivals.beyond import FLOOR, WARM_UP, ExpectedErrorLoss, JointGaussianLoss
from mmpose_sp.rivals.parts import GuardedJSDiscretLoss


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

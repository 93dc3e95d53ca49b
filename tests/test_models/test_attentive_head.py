import math

import pytest
import torch
from estimator_helpers import (
    EDGES,
    FLIP_INDICES,
    NUM_LANDMARKS,
    build_estimator,
    codec,
    data_samples,
    flip_test_error,
    images,
)
from mmpose.registry import MODELS
from torch import nn

from mmpose_sp.models.gaussian_maps import gaussian_maps
from mmpose_sp.models.heads.attentive_hourglass_head import log_posterior

MAP = 16
EDGE_MAPS = torch.rand(2, MAP, MAP, generator=torch.Generator().manual_seed(1))


def build(num_stacks=2, with_aam=True, **head):
    backbone = dict(type='AttentiveHourglass', num_landmarks=NUM_LANDMARKS, edges=EDGES, channels=16, depth=2)
    backbone.update(num_stacks=num_stacks, with_aam=with_aam)
    return build_estimator(backbone, {'type': 'AttentiveHourglassHead', 'decoder': codec(), **head}, flip_test=True)


def samples(num=2):
    return data_samples(num, edge_heatmaps=EDGE_MAPS)


class FirstPixel(nn.Module):
    """Stands for any loss: the first number of the prediction."""

    def forward(self, maps, *targets):
        return maps.flatten()[0]


MODELS.register_module(name='TestFirstPixel', module=FirstPixel, force=True)


def stacks_of(num, *values):
    shapes = [(1, NUM_LANDMARKS, MAP, MAP), (1, NUM_LANDMARKS, MAP, MAP), (1, 2, MAP, MAP)]
    return [tuple(torch.full(s, v * 10.0**i) for s, v in zip(shapes, values)) for i in range(num)]


def test_trains_every_parameter_and_predicts():
    model = build()
    losses = model.loss(images(2), samples())
    assert set(losses) == {'loss_kpt', 'loss_point', 'loss_edge', 'acc_pose'}
    sum(v for k, v in losses.items() if 'loss' in k).backward()
    assert [n for n, p in model.named_parameters() if p.grad is None] == []
    assert all(p.grad.isfinite().all() for p in model.parameters())
    for result in model.eval().predict(images(2), samples()):
        assert result.pred_instances.keypoints.shape == (1, NUM_LANDMARKS, 2)


@pytest.mark.parametrize(('num_stacks', 'expected'), [(1, 1), (2, 0.5 + 10), (4, 0.125 + 10 / 4 + 100 / 2 + 1000)])
def test_later_stacks_weigh_twice_as_much(num_stacks, expected):
    name = {'type': 'TestFirstPixel'}
    head = MODELS.build({'type': 'AttentiveHourglassHead', 'loss': name, 'point_loss': name, 'edge_loss': name})
    losses = head.loss(stacks_of(num_stacks, 1.0, 2.0, 3.0), samples(1))
    found = [float(losses[name]) for name in ('loss_kpt', 'loss_point', 'loss_edge')]
    assert len(losses) == 3 and found == pytest.approx([expected, 2 * expected, 3 * expected])


def test_stack_weights_can_be_given():
    options = dict(loss={'type': 'TestFirstPixel'}, point_loss=None, edge_loss=None)
    head = MODELS.build(dict(type='AttentiveHourglassHead', stack_weights=[3.0, 0.0], **options))
    assert head.loss(stacks_of(2, 1.0, 2.0, 3.0), samples(1)) == {'loss_kpt': 3}
    with pytest.raises(ValueError, match='num_stacks=1'):
        head.loss(stacks_of(1, 1.0, 2.0, 3.0), samples(1))


def test_without_attention_only_the_scores_are_trained():
    model = build(with_aam=False)
    losses = model.loss(images(2), data_samples(2))
    assert set(losses) == {'loss_kpt', 'acc_pose'}


def test_point_targets_are_gaussians_at_the_labels():
    labels = torch.tensor([[[2.3, 4.6], [0.0, 7.5]]])
    maps = gaussian_maps(labels, (9, 8), 1.3)
    assert maps.shape == (1, 2, 9, 8)
    for k, (x, y) in enumerate(labels[0].tolist()):
        for row in range(9):
            for column in range(8):
                squared = (column - x) ** 2 + (row - y) ** 2
                assert maps[0, k, row, column] == pytest.approx(math.exp(-squared / 2 / 1.3**2), abs=1e-6)


def test_weightless_landmarks_do_not_teach_points():
    head = build().head
    batch = samples(1)
    instances = batch[0].gt_instance_labels
    instances.keypoint_weights[0, 1] = 0
    instances.keypoint_labels[0, 1] = float('nan')
    scores = torch.zeros(1, NUM_LANDMARKS, MAP, MAP)
    points = torch.full_like(scores, 0.4, requires_grad=True)
    targets = head._point_targets(instances.keypoint_labels, instances.keypoint_weights, scores)
    loss = head.point_loss(points, head._ignore(targets, points, instances.keypoint_weights))
    loss.backward()
    per_landmark = points.grad.abs().sum(dim=(0, 2, 3))
    assert loss.isfinite()
    assert per_landmark[1] == 0
    assert (per_landmark[[0, 2, 3, 4]] > 0).all()


def test_losses_do_not_change_under_a_flip():
    # Mirrored predictions against mirrored targets: nothing in the head prefers a side.
    head = build(num_stacks=1, loss={'type': 'StructuredPredictionLoss', 'num_samples': 0}).head
    g = torch.Generator().manual_seed(0)
    scores = torch.randn(2, NUM_LANDMARKS, MAP, MAP, generator=g)
    points = torch.rand(2, NUM_LANDMARKS, MAP, MAP, generator=g)
    edges = torch.rand(2, 2, MAP, MAP, generator=g)
    there = head.loss([(scores, points, edges)], samples())

    mirrored = samples()
    for sample in mirrored:
        instances = sample.gt_instance_labels
        labels = instances.keypoint_labels[:, FLIP_INDICES].clone()
        labels[..., 0] = MAP - 1 - labels[..., 0]
        instances.keypoint_labels = labels
        sample.gt_fields.edge_heatmaps = sample.gt_fields.edge_heatmaps.flip(-1)
    back = head.loss([(scores.flip(-1)[:, FLIP_INDICES], points.flip(-1)[:, FLIP_INDICES], edges.flip(-1))], mirrored)
    for name, value in there.items():
        torch.testing.assert_close(back[name], value, rtol=1e-5, atol=1e-6)


def test_flip_test_is_exact():
    model = build().eval()
    nn.init.normal_(model.backbone.to_scores[-1].weight)
    assert flip_test_error(model, samples()) < 1e-4


def test_gradients_are_finite_under_autocast():
    model = build()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        losses = model.loss(images(2), samples())
    sum(v for k, v in losses.items() if 'loss' in k).backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())


def test_edge_maps_that_are_missing_or_of_another_scheme_name_the_fix():
    with pytest.raises(KeyError, match='edge_maps=True'):
        build().loss(images(2), data_samples(2))
    with pytest.raises(ValueError, match='boundaries'):
        build().loss(images(2), data_samples(2, edge_heatmaps=EDGE_MAPS[:1]))


def test_posterior_of_heatmaps_is_the_heatmap_over_its_sum():
    heat = torch.rand(2, 3, 4, 5, generator=torch.Generator().manual_seed(0)).sub(0.5).relu()
    posterior = log_posterior(heat).flatten(2).softmax(-1).view_as(heat)
    torch.testing.assert_close(posterior, heat / heat.sum((2, 3), keepdim=True))


def test_posterior_of_empty_heatmaps_is_uniform():
    # A single pixel of 4e-7: the remaining 6e-7 are spread over the map of 10 pixels.
    heat = torch.zeros(1, 2, 2, 5)
    heat[0, 1, 0, 0] = 4e-7
    posterior = log_posterior(heat).flatten(2).softmax(-1)[0]
    torch.testing.assert_close(posterior[0], torch.full((10,), 0.1))
    torch.testing.assert_close(posterior[1], torch.tensor([0.46] + [0.06] * 9))

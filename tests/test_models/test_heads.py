import numpy as np
import pytest
import torch
from estimator_helpers import (
    BASELINES,
    FLIP_INDICES,
    NUM_LANDMARKS,
    build_estimator,
    codec,
    data_samples,
    flip_test_error,
    images,
    keypoints_of,
)
from mmengine.runner.checkpoint import load_state_dict
from mmpose.registry import MODELS
from torch import nn

from mmpose_sp.posterior import Calibration, JointPosterior

HRNET = {
    f'stage{i}': dict(
        num_modules=1,
        num_branches=i,
        block='BASIC' if i > 1 else 'BOTTLENECK',
        num_blocks=(1,) * i,
        num_channels=(18, 36, 72, 144)[:i] if i > 1 else (64,),
        multiscale_output=True,
    )
    for i in range(1, 5)
}
BACKBONES = {
    'resnet18': ({'type': 'ResNet', 'depth': 18}, None, {'in_channels': 512, 'deconv_out_channels': (16, 16, 16)}),
    'hrnet-w18': (
        {'type': 'HRNet', 'in_channels': 3, 'extra': HRNET},
        {'type': 'FeatureMapProcessor', 'concat': True},
        {'in_channels': 270, 'deconv_out_channels': None, 'conv_out_channels': (270,), 'conv_kernel_sizes': (1,)},
    ),
    'mobilenetv2': (
        {'type': 'MobileNetV2', 'widen_factor': 0.25, 'out_indices': (7,)},
        None,
        {'in_channels': 1280, 'deconv_out_channels': (16, 16, 16)},
    ),
    'cspnext': (
        {'type': 'CSPNeXt', 'deepen_factor': 0.167, 'widen_factor': 0.125},
        None,
        {'in_channels': 128, 'deconv_out_channels': (16, 16, 16)},
    ),
    'swin': (
        {'type': 'SwinTransformer', 'embed_dims': 24, 'depths': [2] * 4, 'num_heads': [2] * 4, 'window_size': 4},
        None,
        {'in_channels': 192, 'deconv_out_channels': (16, 16, 16)},
    ),
}


def build(name='resnet18', loss=None, decoder=True, **test_cfg):
    backbone, neck, head = BACKBONES[name]
    head = dict(head, type='StructuredPredictionHead', out_channels=NUM_LANDMARKS, decoder=codec() if decoder else None)
    if loss is not None:
        head['loss'] = loss
    return build_estimator(backbone, head, neck, **test_cfg)


def scatter(model):
    """Scores of a trained network's size: normalised features and large last weights."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # the statistics of the next batch become the running ones
    nn.init.normal_(model.head.final_layer.weight, std=1.0)
    model(images(4, seed=1), None)
    return model.eval()


@pytest.mark.parametrize('name', BACKBONES)
def test_any_backbone_trains_and_predicts(name):
    model = build(name)
    losses = model.loss(images(2), data_samples(2))
    losses['loss_kpt'].backward()
    gradients = [p.grad for p in model.head.parameters()]
    assert all(g is not None and g.isfinite().all() for g in gradients)
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in model.backbone.parameters())

    results = model.eval().predict(images(2), data_samples(2))
    for result in results:
        instances = result.pred_instances
        assert instances.keypoints.shape == (1, NUM_LANDMARKS, 2)
        assert instances.keypoint_scores.shape == (1, NUM_LANDMARKS)
        assert np.isfinite(instances.keypoints).all()
        assert ((instances.keypoint_scores >= 0) & (instances.keypoint_scores <= 1)).all()


def test_the_first_posterior_is_uniform():
    scores = build('hrnet-w18').eval()(images(2), None)
    assert scores.std(dim=(-2, -1)).max() < 0.1


@pytest.mark.parametrize('name', ['resnet18', 'hrnet-w18'])
def test_flip_test_is_exact(name):
    assert flip_test_error(scatter(build(name, flip_test=True)), data_samples(3)) < 1e-4


def test_flip_test_averages_scores():
    model = scatter(build(flip_test=True, output_heatmaps=True))
    x = images(1)
    result = model.predict(x, data_samples(1))[0]
    expected = torch.empty(NUM_LANDMARKS, 16, 16)
    of_image, of_mirrored = model(x, None)[0], model(x.flip(-1), None)[0]
    for k in range(NUM_LANDMARKS):
        for column in range(16):
            mirrored = of_mirrored[FLIP_INDICES[k], :, 15 - column]
            expected[k, :, column] = (of_image[k, :, column] + mirrored) / 2
    assert expected.std(dim=-1).mean() > 0.1
    torch.testing.assert_close(result.pred_fields.heatmaps, expected)


def test_flip_test_of_an_expectation_is_the_mean_of_two():
    """The mean of two distributions has the mean of their expectations; the mean of their logarithms has not."""
    model = scatter(build(flip_test=True))
    model.head.decoder.subpixel = 'expectation'
    x = images(2)
    both = keypoints_of(model.predict(x, data_samples(2)))
    model.test_cfg['flip_test'] = False
    one, other = (keypoints_of(model.predict(part, data_samples(2))) for part in (x, x.flip(-1)))
    other = other[:, FLIP_INDICES]
    other[..., 0] = 63 - other[..., 0]
    assert np.abs(one - other).max() > 0.1
    np.testing.assert_allclose(both, (one + other) / 2, atol=1e-3)


def test_output_heatmaps_are_the_scores():
    model = scatter(build(output_heatmaps=True))
    x = images(2)
    results = model.predict(x, data_samples(2))
    got = torch.stack([r.pred_fields.heatmaps for r in results])
    torch.testing.assert_close(got, model(x, None).detach())
    assert (got < 0).any()


def test_keypoints_are_at_the_peaks():
    # One bright pixel a landmark: the decoded point is its centre, in input px.
    head = build().head
    scores = torch.zeros(2, NUM_LANDMARKS, 16, 16)
    for k in range(NUM_LANDMARKS):
        scores[:, k, 3 + k, 9 - k] = 50.0
    for pred in head.decode(scores):
        for k in range(NUM_LANDMARKS):
            centre = [(9 - k + 0.5) * 4 - 0.5, (3 + k + 0.5) * 4 - 0.5]
            np.testing.assert_allclose(pred.keypoints[0, k], centre, atol=1e-3)
    assert pred.keypoints.dtype == np.float32


def posterior_state(head):
    """The head's weights with a joint posterior that moves landmarks, as tools/misc/package_model.py stores it."""
    generator = torch.Generator().manual_seed(0)
    size = 2 * NUM_LANDMARKS
    root = torch.randn(size, 2 * size, generator=generator)
    posterior = JointPosterior(NUM_LANDMARKS)
    posterior.load_state_dict(
        dict(
            posterior.state_dict(),
            calibration_values=torch.tensor(Calibration(0.8, 1.1, 0.1, 0.2)),
            mean=torch.full((size,), 32.0),
            precision=root @ root.T / 40,
            offset=torch.arange(size) / 10.0,
            spread=torch.tensor([1.5, 0.3, 0.0]),
        )
    )
    state = head.state_dict()
    state.update({f'posterior.{key}': value for key, value in posterior.state_dict().items()})
    return state, posterior


@pytest.mark.parametrize('load', [nn.Module.load_state_dict, load_state_dict], ids=['torch', 'mmengine'])
def test_a_joint_posterior_comes_with_the_weights(load):
    head, scores = build().head, 3 * torch.randn(2, NUM_LANDMARKS, 16, 16)
    alone = head.decode(scores, covariances=True)
    state, posterior = posterior_state(head)
    load(head, state, strict=True)
    assert head.decoder.calibration == pytest.approx(Calibration(0.8, 1.1, 0.1, 0.2))
    points, _, covariances = head.decoder.decode_sites(scores)
    for joint in ('prior', 'offset'):
        joined = posterior(points, covariances, joint)
        expected, whole, _ = joined
        quality = posterior.quality(joined)
        for face, found in enumerate(head.decode(scores, True, joint)):
            np.testing.assert_allclose(found.keypoints[0], expected[face], rtol=1e-5)
            np.testing.assert_allclose(found.joint_covariance[0], whole[face], rtol=1e-5)
            np.testing.assert_allclose(found.joint_quality, quality[face].reshape(1, 1), rtol=1e-5)
            np.testing.assert_allclose(found.keypoint_covariances[0, 2], whole[face, 4:6, 4:6], rtol=1e-5)
    assert np.array_equal(head.decode(scores)[0].keypoints, head.decode(scores, joint='offset')[0].keypoints)
    for found, site in zip(head.decode(scores, joint='off'), alone):
        np.testing.assert_array_equal(found.keypoints, site.keypoints)
    load(head, build().head.state_dict(), strict=True)  # weights without one take it away
    assert head.posterior is None and np.array_equal(head.decode(scores)[1].keypoints, alone[1].keypoints)


def test_weights_without_a_joint_posterior_say_so():
    with pytest.raises(ValueError, match=r"joint='prior'.*tools/posterior\.py"):
        build(joint='prior').predict(images(1), data_samples(1))
    with pytest.raises(ValueError, match="'mean'"):
        build().head.decode(torch.zeros(1, NUM_LANDMARKS, 16, 16), joint='mean')


def test_output_covariances_are_the_posteriors_in_input_px():
    model, x = scatter(build(output_heatmaps=True, output_covariances=True)), images(2)
    for sample in model.predict(x, data_samples(2)):
        found, posterior = sample.pred_instances, sample.pred_fields.heatmaps.flatten(1).softmax(1)
        pixels = torch.stack([torch.arange(256) % 16, torch.arange(256) // 16], dim=-1) * 4.0  # 4 input px each
        for covariance, weights in zip(found.keypoint_covariances[0], posterior):
            expected = torch.cov(pixels.T, correction=0, aweights=weights)
            np.testing.assert_allclose(covariance, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ('test_cfg', 'fix'),
    [
        ({'flip_test': True, 'shift_heatmap': True}, 'shift_heatmap=False'),
        ({'flip_test': True, 'flip_mode': 'offset'}, "flip_mode='heatmap'"),
    ],
)
def test_biased_flip_test_is_refused(test_cfg, fix):
    with pytest.raises(ValueError, match=fix):
        build(**test_cfg).eval().predict(images(1), data_samples(1))


def test_accuracy_counts_landmarks_near_their_label():
    head = build().head
    samples = data_samples(1)
    instances = samples[0].gt_instance_labels
    # 0.05 of 16 px is 0.8 px: landmark 0 hits, 1 is 0.7 px off, 2 is 1 px off, 3 far, 4 unlabelled
    peaks = torch.tensor([[5, 5], [6, 6], [7, 7], [8, 8], [9, 9]])
    shift = torch.tensor([[0.0, 0.0], [0.7, 0.0], [0.0, 1.0], [4.0, 4.0], [0.0, 0.0]])
    instances.keypoint_labels = (peaks + shift)[None].float()
    instances.keypoint_weights = torch.tensor([[1.0, 1.0, 1.0, 1.0, 0.0]])
    scores = torch.full((1, NUM_LANDMARKS, 16, 16), -30.0)
    for k, (x, y) in enumerate(peaks):
        scores[0, k, y, x] = -10.0
    labels, weights, covariances = head.gather_labels(samples, 'cpu')
    assert covariances.shape == (1, NUM_LANDMARKS, 2, 2)
    assert head.pck(scores, labels, weights) == pytest.approx(2 / 4)
    assert head.pck(scores, labels, torch.zeros_like(weights)) == 0


def test_accuracy_copies_nothing_between_host_and_accelerator(monkeypatch):
    model = build()
    feats, samples = model.extract_feat(images(2)), data_samples(2)
    with monkeypatch.context() as patch:
        for copy in ('cpu', 'numpy', 'item', 'tolist', 'new_tensor'):
            patch.setattr(torch.Tensor, copy, None)
        accuracy = model.head.pck(model.head(feats), *model.head.gather_labels(samples, 'cpu')[:2])
    assert 0 <= accuracy <= 1


def test_accuracy_can_be_left_out():
    model = build()
    feats = model.extract_feat(images(2))
    assert 'acc_pose' in model.head.loss(feats, data_samples(2))
    assert set(model.head.loss(feats, data_samples(2), {'compute_acc': False})) == {'loss_kpt'}


def test_trains_without_decoder_but_does_not_predict():
    model = build(decoder=False)
    assert set(model.loss(images(2), data_samples(2))) == {'loss_kpt'}
    with pytest.raises(RuntimeError, match='decoder'):
        model.eval().predict(images(1), data_samples(1))


def test_missing_targets_name_the_codec():
    samples = data_samples(1)
    del samples[0].gt_instance_labels.keypoint_labels
    with pytest.raises(KeyError, match='ImageAwareLabelSmoothing'):
        build().loss(images(1), samples)


def test_any_loss_on_landmarks_gets_the_codecs_targets():

    class Recorder(nn.Module):
        def forward(self, scores, labels, weights, covariances):
            self.shapes = [tuple(t.shape) for t in (scores, labels, weights, covariances)]
            return scores.sum()

    MODELS.register_module(name='TestRecorderLoss', module=Recorder, force=True)
    model = build(loss={'type': 'TestRecorderLoss'})
    model.loss(images(2), data_samples(2))
    k = NUM_LANDMARKS
    assert model.head.loss_module.shapes == [(2, k, 16, 16), (2, k, 2), (2, k), (2, k, 2, 2)]


def test_gradients_are_finite_under_autocast():
    model = build()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        loss = model.loss(images(2), data_samples(2))['loss_kpt']
    assert loss.dtype == torch.float32
    loss.backward()
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)


@pytest.mark.parametrize('loss', BASELINES)
def test_baselines_are_one_config_line(loss):
    model = build(loss={'type': loss})
    value = model.loss(images(2), data_samples(2))['loss_kpt']
    value.backward()
    assert value.isfinite()
    assert model.head.final_layer.weight.grad.isfinite().all()

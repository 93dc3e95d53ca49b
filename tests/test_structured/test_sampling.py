"""Eq. 13: the labels that are drawn, and what no loss accepts."""

import math

import pytest
import torch

from mmpose_sp.structured import sample_labels
from mmpose_sp.structured.label_checks import check_covariances, check_labels, check_weights


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
    torch.testing.assert_close((centred[0] * centred[2]).mean(0), torch.zeros(2), rtol=0, atol=6 * (2 / count) ** 0.5)
    kurtosis = centred[0, :, 0].pow(4).mean() / 4
    assert kurtosis.item() == pytest.approx(3, abs=6 * (96 / count) ** 0.5)


def test_samples_stay_on_the_map_and_follow_the_generator():
    labels, covariance = torch.tensor([[0.0, 7.0]]), torch.eye(2)[None] * 9
    first, second = (sample_labels(labels, covariance, 50, (8, 6), torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first, second)
    # among 1000 of three times the map's width some leave it on each side, and lie on its border then
    wide = sample_labels(labels, 100 * covariance, 1000, (8, 6), torch.Generator().manual_seed(3))[0]
    assert wide.amin(dim=0).tolist() == [-0.5, -0.5]
    assert wide.amax(dim=0).tolist() == [5.5, 7.5]


def test_check_labels_names_the_landmark():
    labels = torch.full((2, 3, 2), 4.0)
    used = torch.ones(2, 3, dtype=torch.bool)
    assert check_labels(labels, used, (8, 8)) is None
    labels[1, 2, 0] = 7.6
    with pytest.raises(ValueError, match=r'landmark \[1, 2\].*outside'):
        check_labels(labels, used, (8, 8))
    labels[1, 2, 0] = math.nan
    with pytest.raises(ValueError, match='nan'):
        check_labels(labels, used, (8, 8))
    used[1, 2] = False
    assert check_labels(labels, used, (8, 8)) is None


@pytest.mark.parametrize('axis, last', [(0, 7.5), (1, 5.5)])
def test_the_border_of_a_map_belongs_to_it(axis, last):
    labels, used = torch.full((1, 1, 2), 4.0), torch.ones(1, 1, dtype=torch.bool)
    for border, beyond in ((-0.5, -0.52), (last, last + 0.02)):
        labels[..., axis] = border
        assert check_labels(labels, used, (6, 8)) is None
        labels[..., axis] = beyond
        with pytest.raises(ValueError, match='width 8 and height 6'):
            check_labels(labels, used, (6, 8))


@pytest.mark.parametrize('bad', [math.nan, math.inf, -math.inf, -0.1])
def test_check_weights_names_the_landmark(bad):
    weights = torch.tensor([[0.0, 2.5]])
    assert check_weights(weights) is None
    weights[0, 1] = bad
    with pytest.raises(ValueError, match=rf'landmark \[0, 1\]: {bad:.2}.*not negative'):
        check_weights(weights)


def test_check_covariances():
    covariances = torch.zeros(2, 1, 2, 2)
    covariances[1, 0, 0, 1] = math.inf
    with pytest.raises(ValueError, match=r'landmark \[1, 0\].*not finite'):
        check_covariances(covariances)

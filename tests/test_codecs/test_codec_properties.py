"""What the codec keeps to, for any sizes, landmarks and score maps."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some

from mmpose_sp.codecs import ImageAwareLabelSmoothing

SUBPIXEL = ('none', 'quadratic', 'local_expectation')
SIZES = some.tuples(some.integers(4, 40), some.integers(4, 40))
SEEDS = some.integers(0, 9999)
cases = settings(max_examples=40, deadline=None, derandomize=True, database=None)


def codec(heatmap_size, stride=(4, 4), **options):
    size = tuple(int(side * step) for side, step in zip(heatmap_size, stride))
    options = {'boundaries': None, 'smoothing': 'none', **options}
    return ImageAwareLabelSmoothing(size, heatmap_size, **options)


def random_maps(heatmap_size, seed, sharpness=2.0):
    random = np.random.default_rng(seed)
    return torch.from_numpy(random.normal(0, sharpness, (2, 3, *heatmap_size[::-1])))


@cases
@given(SIZES, some.tuples(some.sampled_from([1, 2, 3.5, 4, 8]), some.sampled_from([1, 2, 3.5, 4, 8])), SEEDS)
def test_labels_are_pixel_centred_and_count_inside_the_map(heatmap_size, stride, seed):
    heatmap_size = tuple(2 * side for side in heatmap_size)  # that a stride of 3.5 gives whole input px
    sut = codec(heatmap_size, stride)
    size = np.array(sut.input_size)
    points = np.random.default_rng(seed).uniform(-0.3, 1.3, (2, 15, 2)) * size
    encoded = sut.encode(points)
    np.testing.assert_allclose((encoded['keypoint_labels'] + 0.5) * stride - 0.5, points, atol=1e-3)
    distance = np.minimum(points + 0.5, size - 0.5 - points).min(-1)  # to the border of the input
    clear = np.abs(distance) > 1e-3
    np.testing.assert_array_equal(encoded['keypoint_weights'][clear] > 0, (distance > 0)[clear])


@pytest.mark.parametrize('subpixel', ['quadratic', 'local_expectation'])
@cases
@given(SIZES, SEEDS)
def test_decoding_finds_the_label_of_a_peak(subpixel, heatmap_size, seed):
    heatmap_size = tuple(side + 4 for side in heatmap_size)
    sut = codec(heatmap_size, subpixel=subpixel)
    labels = np.random.default_rng(seed).uniform(3, np.array(heatmap_size) - 4, (5, 2))  # of a peak that is not cut off
    y, x = np.mgrid[: heatmap_size[1], : heatmap_size[0]]
    scores = -((x - labels[:, :1, None]) ** 2 + (y - labels[:, 1:, None]) ** 2)
    keypoints, _ = sut.decode(scores)
    error = np.abs(keypoints[0] - ((labels + 0.5) * 4 - 0.5)).max() / 4
    assert error < 0.03, 'map px'


@pytest.mark.parametrize('subpixel', SUBPIXEL)
@cases
@given(SIZES, SEEDS)
def test_mirrored_and_transposed_maps_decode_to_mirrored_and_transposed_landmarks(subpixel, heatmap_size, seed):
    sut, maps = codec(heatmap_size, subpixel=subpixel), random_maps(heatmap_size, seed)
    points, confidence, covariance = sut.decode_sites(maps)
    mirrored = sut.decode_sites(maps.flip(-1))
    expected = points * points.new_tensor([-1, 1]) + points.new_tensor([sut.input_size[0] - 1, 0])
    torch.testing.assert_close(mirrored[0], expected, rtol=0, atol=2e-3)
    torch.testing.assert_close(mirrored[1], confidence, rtol=0, atol=1e-5)
    sign = covariance.new_tensor([[1, -1], [-1, 1]])
    torch.testing.assert_close(mirrored[2], covariance * sign, rtol=1e-3, atol=1e-3)
    transposed = codec(heatmap_size[::-1], subpixel=subpixel).decode_sites(maps.transpose(-2, -1).contiguous())
    torch.testing.assert_close(transposed[0], points.flip(-1), rtol=0, atol=2e-3)
    torch.testing.assert_close(transposed[2], covariance.flip(-2, -1), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize('subpixel', SUBPIXEL)
@cases
@given(SIZES, SEEDS, some.sampled_from([0.0, 1e-3, 2.0, 1e3]), some.sampled_from([-1e3, 0.0, 1e3]))
def test_landmarks_stay_inside_and_confidences_are_probabilities(subpixel, heatmap_size, seed, sharpness, offset):
    sut = codec(heatmap_size, subpixel=subpixel)
    points, confidence, covariance = sut.decode_sites(random_maps(heatmap_size, seed, sharpness).float() + offset)
    size = points.new_tensor(sut.input_size)
    assert (points >= -0.5 - 1e-3).all() and (points <= size - 0.5 + 1e-3).all()
    assert (confidence >= 0).all() and (confidence <= 1 + 1e-6).all()
    assert (torch.linalg.eigvalsh(covariance.double()) >= -1e-3).all()


@cases
@given(SEEDS, some.sampled_from(['spread', 'one point', 'one line', 'outside']), some.sampled_from(['union', 'own']))
def test_label_covariances_are_covariances(seed, kind, edges):
    random = np.random.default_rng(seed)
    points = random.uniform(0, 128, (1, 29, 2))
    if kind == 'one point':
        points[:] = points[:, :1]
    elif kind == 'one line':
        points[..., 1] = 60
    elif kind == 'outside':
        points += 200
    visible = (random.random((1, 29)) < 0.8).astype(np.float32)
    points[visible == 0] = np.nan
    found = codec((32, 32), boundaries='cofw', smoothing='image_aware', edges=edges).encode(points, visible)
    covariances = found['label_covariances']
    assert np.isfinite(covariances).all()
    np.testing.assert_array_equal(covariances, covariances.swapaxes(-2, -1))
    assert (np.linalg.eigvalsh(covariances.astype(np.float64)) > -1e-6).all()
    assert (found['keypoint_weights'][visible == 0] == 0).all()

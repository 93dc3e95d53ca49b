import copy

import numpy as np
import pytest
from mmcv.transforms.utils import cache_random_params

from mmpose_sp.datasets.transforms import RandomBoxBlur, RandomGamma, RandomNoise, RandomOcclusion

ALL = [RandomOcclusion, RandomBoxBlur, RandomGamma, RandomNoise]


@pytest.fixture(autouse=True)
def seeded():
    np.random.seed(0)  # noqa: NPY002 (the generator that the transforms draw from)


def picture(h=64, w=80):
    return np.random.default_rng(0).integers(1, 256, (h, w, 3), dtype=np.uint8)


def apply(transform, img):
    return transform({'img': img})['img']


@pytest.mark.parametrize('cls', ALL)
def test_probability_zero_changes_nothing(cls):
    img = picture()
    out = apply(cls(prob=0.0), img)
    assert out is img
    np.testing.assert_array_equal(img, picture())


@pytest.mark.parametrize('cls', ALL)
def test_a_new_uint8_array_of_the_same_shape_comes_out(cls):
    img = picture()
    img.setflags(write=False)
    for _ in range(20):
        out = apply(cls(prob=1.0), img)
        assert out.dtype == np.uint8 and out.shape == img.shape
    np.testing.assert_array_equal(img, picture())


@pytest.mark.parametrize('cls', ALL)
def test_one_channel_images_keep_their_shape(cls):
    img = picture()[..., :1]
    for _ in range(10):
        out = apply(cls(prob=1.0), img)
        assert out.shape in (img.shape, img.shape[:2])


@pytest.mark.parametrize('cls, default', list(zip(ALL, (0.4, 0.3, 0.2, 0.2))))
def test_default_probability(cls, default):
    transform = cls()
    assert transform.prob == default
    drawn = np.mean([transform._draw((8, 8, 3)) is not None for _ in range(2000)])
    assert drawn == pytest.approx(default, abs=0.05)


@pytest.mark.parametrize('cls', ALL)
def test_the_seed_of_numpy_decides(cls):
    img = picture()
    outputs = []
    for _ in range(2):
        np.random.seed(7)  # noqa: NPY002
        outputs.append([apply(cls(prob=0.5), img) for _ in range(10)])
    np.testing.assert_array_equal(*outputs)


@pytest.mark.parametrize('cls', ALL)
def test_randomness_can_be_shared_between_images(cls):
    transform = cls(prob=1.0)
    with cache_random_params(transform):
        first, second = apply(transform, picture()), apply(transform, picture())
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize('cls', ALL)
def test_only_the_image_changes(cls):
    results = {'img': picture(), 'keypoints': np.ones((1, 98, 2)), 'keypoint_weights': np.ones((1, 98))}
    out = cls(prob=1.0)(copy.deepcopy(results))
    assert out.keys() == results.keys()
    for key in ('keypoints', 'keypoint_weights'):
        np.testing.assert_array_equal(out[key], results[key])


def test_occlusion_is_one_rectangle_of_the_stated_size():
    transform = RandomOcclusion(prob=1.0)
    img = np.full((100, 200, 3), 255, dtype=np.uint8)
    heights, widths = [], []
    for _ in range(500):
        x0, y0, x1, y1 = transform.sample(img.shape)
        assert 0 <= x0 <= x1 <= 200 and 0 <= y0 <= y1 <= 100
        covered = transform.texture(img, x0, y0, x1, y1) == 0
        assert covered.sum() == 3 * (x1 - x0) * (y1 - y0)
        assert covered[y0:y1, x0:x1].all()
        if y0 > 0 and y1 < 100:
            heights.append((y1 - y0) / 100)
        if x0 > 0 and x1 < 200:
            widths.append((x1 - x0) / 200)
    assert min(heights) > 0.08 and 0.35 < max(heights) <= 0.42
    assert min(widths) >= 0 and 0.42 < max(widths) <= 0.51


def test_occlusion_covers_the_centre_and_the_corners_alike():
    transform = RandomOcclusion(prob=1.0)
    boxes = np.array([transform.sample((100, 100, 3)) for _ in range(2000)])
    centre = (boxes[:, :2] + boxes[:, 2:]).mean(axis=0) / 2
    np.testing.assert_allclose(centre, 50, atol=2.5)


def test_blur_equals_the_mean_of_its_window_and_does_not_shift():
    img = picture()
    out = RandomBoxBlur(prob=1.0).texture(img, 5)
    expected = img[8:13, 18:23].astype(float).mean(axis=(0, 1))
    np.testing.assert_allclose(out[10, 20], expected, atol=0.51)


def test_blur_kernels_are_odd_and_at_most_the_stated_share():
    transform = RandomBoxBlur()
    kernels = {transform.sample((256, 256, 3))[0] for _ in range(500)}
    assert kernels == {1, 3, 5, 7, 9, 11, 13}


def test_gamma_by_hand():
    img = np.array([[[0, 64, 255]]], dtype=np.uint8)
    np.testing.assert_array_equal(RandomGamma().texture(img, 1.0), img)
    np.testing.assert_array_equal(RandomGamma().texture(img, 2.0), [[[0, 16, 255]]])
    np.testing.assert_array_equal(RandomGamma().texture(img, 0.5), [[[0, 128, 255]]])


def test_half_of_the_gammas_darken():
    gammas = np.array([RandomGamma().sample((8, 8, 3))[0] for _ in range(2000)])
    assert gammas.min() > 0.25 and gammas.max() < 4
    assert (gammas > 1).mean() == pytest.approx(0.5, abs=0.05)
    assert gammas[gammas > 1].mean() == pytest.approx(2.5, abs=0.15)
    assert gammas[gammas < 1].mean() == pytest.approx(0.625, abs=0.03)


def test_noise_statistics():
    img = np.full((64, 64, 3), 100, dtype=np.uint8)
    transform = RandomNoise()
    alpha, noise = transform.sample(img.shape)
    out = transform.texture(img, 0.5, noise).astype(float)
    assert 0 <= alpha <= 0.5
    # Uniform noise of 0..255 has mean 127.5 and variance (256^2 - 1) / 12.
    assert out.mean() == pytest.approx(0.5 * 100 + 0.5 * 127.5, abs=1)
    assert out.std() == pytest.approx(0.5 * np.sqrt((256**2 - 1) / 12), rel=0.02)


@pytest.mark.parametrize('cls', ALL)
def test_bad_arguments_are_refused(cls):
    with pytest.raises(ValueError, match='prob'):
        cls(prob=1.5)
    with pytest.raises(TypeError, match='uint8'):
        cls(prob=1.0)({'img': picture().astype(np.float32)})


@pytest.mark.parametrize(
    'build',
    [
        lambda: RandomOcclusion(size=(0.4, 0.1)),
        lambda: RandomBoxBlur(max_kernel=2),
        lambda: RandomGamma(darken=(0.5, 4)),
        lambda: RandomNoise(max_alpha=-1),
    ],
)
def test_bad_ranges_are_refused(build):
    with pytest.raises(ValueError, match='range'):
        build()


def test_repr_shows_the_arguments():
    assert repr(RandomNoise(prob=0.25)) == 'RandomNoise(prob=0.25, max_alpha=0.5)'

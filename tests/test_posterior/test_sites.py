import math

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from mmpose_sp.posterior import SUBPIXEL, Calibration, read_sites


def decode_scores(scores, subpixel='quadratic', eps=1.0):
    """Points and confidences alone, without the work for covariances."""
    return read_sites(scores, subpixel, eps, covariance=False)[:2]


def log_gaussian(centres, sigmas, angle=0.0, size=(64, 64)):
    """-q / 2 (1, K, h, w) of Gaussians with the axes `sigmas` (K, 2), the first at `angle`; double precision."""
    w, h = size
    y, x = np.mgrid[:h, :w]
    dx, dy = x - centres[:, 0, None, None], y - centres[:, 1, None, None]
    angle = np.broadcast_to(angle, len(centres))[:, None, None]
    along, across = dx * np.cos(angle) + dy * np.sin(angle), dy * np.cos(angle) - dx * np.sin(angle)
    first, second = sigmas[:, 0, None, None], sigmas[:, 1, None, None]
    return torch.from_numpy(-0.5 * (along / first) ** 2 - 0.5 * (across / second) ** 2)[None]


def phase_grid(sigma, low=20.0, steps=9):
    """Centres at every sub-pixel phase, all of the same sigma."""
    phase = low + np.linspace(0, 1, steps)
    centres = np.stack(np.meshgrid(phase, phase + 7), axis=-1).reshape(-1, 2)
    return centres, np.full((len(centres), 2), sigma)


FORMS = {
    'scores': lambda f: f.float(),
    'heatmap': lambda f: f.exp().float(),
    'softmax': lambda f: f.float().flatten(2).softmax(-1).view_as(f),
    'negative': lambda f: 7 * f.exp().float() - 30,
}


@pytest.mark.parametrize('form', FORMS)
@pytest.mark.parametrize('sigma', [0.7, 1.0, 1.5, 2.0, 3.0])
def test_gaussian_peak_is_found_without_bias_at_any_phase(form, sigma):
    centres, sigmas = phase_grid(sigma)
    coords, _ = decode_scores(FORMS[form](log_gaussian(centres, sigmas)))
    error = coords[0].double().numpy() - centres
    assert np.abs(error).max() < 0.025  # 0.1 input px at stride 4
    assert np.abs(error.mean(axis=0)).max() < 1e-3


@pytest.mark.parametrize('form', FORMS)
def test_elongated_tilted_peaks_are_found_although_the_arg_max_is_not_the_nearest_pixel(form):
    rng = np.random.default_rng(0)
    centres, sigmas = rng.uniform(0.5, 62.5, (200, 2)), rng.uniform(0.7, 3, (200, 2))
    sigmas[:60] = 0.7, 3
    scores = FORMS[form](log_gaussian(centres, sigmas, rng.uniform(0, math.pi, 200)))
    arg_max, _ = decode_scores(scores, 'none')
    assert np.abs(arg_max[0].numpy() - centres).max() > 1
    coords, _ = decode_scores(scores)
    assert np.abs(coords[0].double().numpy() - centres).max() < 0.025


@pytest.mark.parametrize('size', [(16, 16), (32, 32), (48, 64), (128, 128)])
def test_other_map_sizes(size):
    centres, sigmas = phase_grid(1.2, low=5.0)
    for form in ('scores', 'heatmap'):
        coords, _ = decode_scores(FORMS[form](log_gaussian(centres, sigmas, size=size)))
        assert np.abs(coords[0].numpy() - centres).max() < 0.025


def test_half_precision_keeps_the_tolerance():
    centres, sigmas = phase_grid(2.0)
    scores = log_gaussian(centres, sigmas).exp().half()
    coords, _ = decode_scores(scores)
    assert coords.dtype == torch.float32
    assert np.abs(coords[0].numpy() - centres).max() < 0.025
    assert_close(read_sites(scores), read_sites(scores.float()), rtol=0, atol=0)


@pytest.mark.parametrize('sigma', [0.7, 1.0, 2.0, 3.0])
def test_border_degrades_gracefully(sigma):
    along = np.linspace(-0.5, 0.5, 21)
    near = np.concatenate([along, 63 - along])
    centres = np.stack([near, np.full_like(near, 30.3)], axis=-1)
    centres = np.concatenate([centres, centres[:, ::-1], np.stack([near, near], axis=-1)])
    coords, confidence = decode_scores(log_gaussian(centres, np.full((len(centres), 2), sigma)).exp().float())
    assert np.abs(coords[0].numpy() - centres).max() < (0.3 if sigma < 1 else 0.025)
    assert coords.min() >= -0.5 and coords.max() <= 63.5
    assert torch.isfinite(confidence).all()


@pytest.mark.parametrize('beyond', [0.5, 1, 3])
def test_peak_outside_the_map_ends_on_its_border(beyond):
    centres = np.array([[-0.5 - beyond, 20.2], [63.5 + beyond, 20.2], [20.2, -0.5 - beyond], [20.2, 63.5 + beyond]])
    coords, _ = decode_scores(log_gaussian(centres, np.full((4, 2), 1.5)).float())
    assert np.abs(coords[0].numpy() - centres.clip(-0.5, 63.5)).max() < 0.6


def test_affine_changes_of_the_scores_do_not_move_the_landmarks():
    scores = torch.randn(2, 5, 16, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    coords, _ = decode_scores(scores)
    for scale, offset in ((1e-3, 0.0), (50.0, -1e3), (1.0, 7.0)):
        moved, _ = decode_scores(scale * scores + offset)
        torch.testing.assert_close(moved, coords, atol=1e-4, rtol=0)


def test_noise_stays_within_the_trusted_step_of_the_arg_max():
    scores = torch.randn(2, 200, 16, 16, generator=torch.Generator().manual_seed(0))
    step = (decode_scores(scores)[0] - decode_scores(scores, 'none')[0]).abs()
    assert step.max() <= 2


def test_saddle_falls_back_to_one_axis():
    # A ridge along y that curves upwards on both sides of its arg max along x: only y can be refined.
    window = torch.tensor([[8.0, 3.0, 0.0], [0.0, 9.0, 8.9], [0.0, 6.0, 9.0]])
    scores = torch.zeros(1, 1, 9, 9)
    scores[0, 0, 3:6, 3:6] = window
    coords, _ = decode_scores(scores)
    arg_max, _ = decode_scores(scores, 'none')
    assert ((coords - arg_max).abs() <= 0.5).all()


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize('fill', [0.0, 5.0, -1e4, 1e4])
def test_constant_maps_are_finite(dtype, fill):
    scores = torch.full((1, 2, 8, 8), fill, dtype=dtype)
    coords, confidence = decode_scores(scores)
    assert torch.isfinite(coords).all()
    torch.testing.assert_close(confidence, torch.full((1, 2), 9 / 64))


@pytest.mark.parametrize('subpixel', SUBPIXEL)
@pytest.mark.parametrize('scale', [1e4, -1e4, 1e30, 3e38])
def test_huge_scores_are_finite(scale, subpixel):
    scores = torch.zeros(1, 1, 8, 8)
    scores[0, 0, 3, 4] = scale
    scores[0, 0, 6, 6] = -scale
    coords, confidence = decode_scores(scores, subpixel)
    assert torch.isfinite(coords).all() and torch.isfinite(confidence).all()
    assert torch.isfinite(read_sites(scores).covariance).all()


def test_masked_pixels_are_ignored():
    scores = torch.full((1, 1, 8, 8), -math.inf)
    scores[0, 0, 2:5, 2:5] = torch.tensor([[0.0, 1, 0], [1, 2, 1], [0, 1, 0]])
    coords, confidence = decode_scores(scores)
    torch.testing.assert_close(coords, torch.tensor([[[3.0, 3.0]]]))
    torch.testing.assert_close(confidence, torch.ones(1, 1))


def test_confidence_by_hand():
    one_hot = torch.zeros(1, 1, 8, 8)
    one_hot[0, 0, 4, 4] = 1
    e = math.e
    expected = {1.0: (8 + e) / (63 + e), 0.5: (8 + e**2) / (63 + e**2)}
    for eps, value in expected.items():
        assert decode_scores(one_hot, eps=eps)[1].item() == pytest.approx(value, rel=1e-5)
    assert decode_scores(60 * one_hot)[1].item() == pytest.approx(1)
    corner = torch.zeros(1, 1, 8, 8)
    corner[0, 0, 0, 7] = 1
    assert decode_scores(corner)[1].item() == pytest.approx(expected[1.0], rel=1e-5)


def test_expectation_and_covariance_equal_sums_over_the_pixels():
    scores = torch.randn(2, 3, 9, 11, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    eps = 0.7
    mean, _ = decode_scores(scores, 'expectation', eps)
    covariance = read_sites(scores, eps=eps).covariance
    for b in range(2):
        for k in range(3):
            p = np.exp(scores[b, k].numpy() / eps)
            p /= p.sum()
            points = np.array([[x, y] for y in range(9) for x in range(11)], dtype=float)
            expected = p.ravel() @ points
            centred = points - expected
            np.testing.assert_allclose(mean[b, k].numpy(), expected, atol=1e-5)
            np.testing.assert_allclose(covariance[b, k].numpy(), (p.ravel()[:, None] * centred).T @ centred, atol=1e-5)


def test_covariance_of_a_narrow_peak_far_from_the_origin_is_accurate_in_float32():
    centres, sigmas = np.array([[100.3, 110.6]]), np.array([[2.0, 1.0]])
    scores = log_gaussian(centres, sigmas, size=(128, 128)).float()
    torch.testing.assert_close(
        read_sites(scores).covariance[0, 0], torch.tensor([[4.0, 0.0], [0.0, 1.0]]), atol=1e-3, rtol=0
    )


def test_batch_equals_single_maps():
    scores = torch.randn(4, 50, 64, 64, generator=torch.Generator().manual_seed(0))  # several slices on a CPU
    for subpixel in SUBPIXEL:
        coords, confidence = decode_scores(scores, subpixel)
        one, one_confidence = decode_scores(scores[3:4, 41:42], subpixel)
        torch.testing.assert_close(coords[3:4, 41:42], one)
        torch.testing.assert_close(confidence[3:4, 41:42], one_confidence)


def test_strided_scores_and_empty_batches():
    scores = torch.randn(2, 16, 12, 6, generator=torch.Generator().manual_seed(0))
    channels_last = scores.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(decode_scores(channels_last), decode_scores(scores))
    coords, confidence = decode_scores(scores[:0])
    assert coords.shape == (0, 6 + 10, 2) and confidence.shape == (0, 16)


def test_the_scores_are_left_untouched():
    scores = torch.randn(1, 3, 8, 8)
    before = scores.clone()
    decode_scores(scores)
    torch.testing.assert_close(scores, before, atol=0, rtol=0)


@pytest.mark.parametrize(
    'call',
    [
        lambda s: decode_scores(s[0]),
        lambda s: decode_scores(s[..., :2]),
        lambda s: decode_scores(s, 'dark'),
        lambda s: decode_scores(s, eps=0),
        lambda s: read_sites(s, eps=-1),
    ],
)
def test_bad_arguments_are_refused(call):
    with pytest.raises(ValueError, match='shape|subpixel|eps'):
        call(torch.zeros(1, 1, 8, 8))


def test_local_expectation_undoes_bilinear_labels_and_ignores_a_second_peak():
    """Where the posterior holds a label by bilinear weights, its mean around the arg max is that label."""
    label, posterior = (20.3, 11.6), torch.zeros(1, 1, 32, 32)
    for x, y, weight in ((20, 11, 0.7 * 0.4), (21, 11, 0.3 * 0.4), (20, 12, 0.7 * 0.6), (21, 12, 0.3 * 0.6)):
        posterior[0, 0, y, x] = 0.6 * weight
    posterior[0, 0, 25, 4] = 0.2  # below the peak's 0.252, far away
    coords, _ = decode_scores((posterior + 1e-12).log(), 'local_expectation')
    assert_close(coords[0, 0], torch.tensor(label), atol=1e-4, rtol=0)
    away, _ = decode_scores((posterior + 1e-12).log(), 'expectation')
    assert (away[0, 0] - torch.tensor(label)).norm() > 3


@pytest.mark.parametrize(('h', 'w', 'radius'), [(12, 20, 4), (9, 9, 4), (20, 6, 2), (5, 8, 2), (3, 4, 1)])
def test_local_expectation_is_the_mean_of_the_window_about_the_arg_max(h, w, radius):
    scores, eps = 2 * torch.randn(1, 40, h, w, generator=torch.Generator().manual_seed(0)), 0.7
    coords, _ = decode_scores(scores, 'local_expectation', eps)
    for values, found in zip(scores[0].double().numpy(), coords[0].numpy()):
        y, x = np.unravel_index(values.argmax(), values.shape)
        y, x = np.clip(y, radius, h - 1 - radius), np.clip(x, radius, w - 1 - radius)
        near = [(i, j) for i in range(y - radius, y + radius + 1) for j in range(x - radius, x + radius + 1)]
        weights = np.array([math.exp(values[i, j] / eps) for i, j in near])
        np.testing.assert_allclose(found[::-1], weights @ near / weights.sum(), atol=1e-4)


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
def test_autocast_changes_nothing(dtype):
    scores = (4 * torch.randn(2, 5, 64, 48, generator=torch.Generator().manual_seed(0))).to(dtype)
    for read in (
        *(lambda x, name=name: decode_scores(x, name) for name in SUBPIXEL),
        lambda x: read_sites(x).covariance,
    ):
        expected = read(scores)
        with torch.autocast('cpu', dtype=torch.bfloat16):
            assert_close(read(scores), expected, rtol=0, atol=0)


@pytest.mark.parametrize('subpixel', SUBPIXEL)
def test_one_reading_is_what_three_would_say(subpixel):
    """Points by eps, confidence and covariance by the calibrated temperature, each as when read alone."""
    scores = 3 * torch.randn(2, 5, 12, 9, generator=torch.Generator().manual_seed(0))
    calibration = Calibration(1.7, 2.0, 1 / 6, 0.3)
    sites = read_sites(scores, subpixel, 0.8, calibration)
    assert_close(sites.points, decode_scores(scores, subpixel, 0.8)[0])
    assert_close(sites.confidence, decode_scores(scores, 'none', 0.8 * 1.7)[1])
    plain = read_sites(scores, 'none', 0.8 * 1.7).covariance
    values, vectors = torch.linalg.eigh(plain)
    values = 2 * (values - 1 / 6).clamp(min=0) + 0.3
    assert_close(sites.covariance, vectors @ torch.diag_embed(values) @ vectors.mT, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('subpixel', SUBPIXEL)
@pytest.mark.parametrize('rubbish', ['a NaN', 'all NaN', 'infinity', 'all masked'])
def test_a_map_that_is_no_numbers_gives_none_and_the_others_are_as_without_it(subpixel, rubbish):
    maps = log_gaussian(*phase_grid(2.0, steps=2), size=(32, 40)).float()
    expected = read_sites(maps, subpixel)
    spoilt = maps.clone()
    if rubbish.startswith('all'):
        spoilt[:, 1] = math.nan if rubbish == 'all NaN' else -math.inf
    else:
        spoilt[:, 1, 3, 5] = math.nan if rubbish == 'a NaN' else math.inf
    found = read_sites(spoilt, subpixel)
    for values, wanted in zip(found, expected):
        assert values[:, 1].isnan().all()
        assert_close(values[:, [0, 2, 3]], wanted[:, [0, 2, 3]])

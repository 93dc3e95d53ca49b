import cv2
import numpy as np
import pytest

from mmpose_sp.codecs.boundary_maps import (
    blur_and_sharpen,
    boundary_curves,
    edge_heatmaps,
    spline_matrix,
    thin_edge_heatmaps,
    visible_runs,
)
from mmpose_sp.faces import Boundary


def circle(count, centre=(31.5, 30.0), radius=12.0):
    angle = 2 * np.pi * np.arange(count) / count
    return np.float32(centre) + radius * np.stack([np.cos(angle), np.sin(angle)], axis=-1).astype(np.float32)


def ring(count):
    return Boundary('ring', tuple(range(count)), closed=True)


def brute_force_edge(curve, size, sigma):
    """exp(-d^2 / (2 sigma^2)) of the exact distance of every pixel to every piece of a polyline."""
    w, h = size
    start, piece = curve[:-1].astype(float), np.diff(curve, axis=0).astype(float)
    pixels = np.stack(np.meshgrid(np.arange(w), np.arange(h)), axis=-1).reshape(-1, 1, 2)
    t = np.clip(((pixels - start) * piece).sum(-1) / np.maximum((piece**2).sum(-1), 1e-12), 0, 1)
    distance = np.linalg.norm(pixels - start - t[..., None] * piece, axis=-1).min(axis=1).reshape(h, w)
    return np.exp(-0.5 * (distance / sigma) ** 2) * (distance <= 3 * sigma)


@pytest.mark.parametrize('closed', [False, True])
@pytest.mark.parametrize('count', [3, 4, 8, 33])
def test_spline_passes_through_its_landmarks(count, closed):
    matrix = spline_matrix(count, closed)
    np.testing.assert_allclose(matrix[: 8 * count : 8], np.eye(count), atol=1e-6)
    np.testing.assert_allclose(matrix.sum(axis=1), 1, atol=1e-6)
    if closed:
        np.testing.assert_allclose(matrix[-1], matrix[0], atol=1e-6)


def test_closed_spline_of_a_circle_is_round():
    curve = spline_matrix(8, True) @ circle(8)
    np.testing.assert_allclose(np.linalg.norm(curve - [31.5, 30.0], axis=1), 12, atol=0.03)


def test_open_spline_of_a_line_is_straight():
    points = np.stack([np.arange(5), 2 * np.arange(5)], axis=-1).astype(np.float32)
    curve = spline_matrix(5, False) @ points
    np.testing.assert_allclose(curve[:, 1], 2 * curve[:, 0], atol=1e-5)


@pytest.mark.parametrize(
    'visible, closed, expected',
    [
        ('1111', True, [((0, 1, 2, 3), True)]),
        ('1111', False, [((0, 1, 2, 3), False)]),
        ('1011', False, [((2, 3), False)]),
        ('1101', True, [((3, 0, 1), False)]),
        ('110110', True, [((3, 4), False), ((0, 1), False)]),
        ('0000', True, []),
        ('1000', True, []),
        ('11', True, [((0, 1), False)]),
    ],
)
def test_curves_are_cut_at_missing_landmarks(visible, closed, expected):
    runs = visible_runs(np.array([v == '1' for v in visible]), closed)
    found = sorted((tuple(run.tolist()), shut) for run, shut in runs)
    assert found == sorted(expected)


@pytest.mark.parametrize('sigma', [0.7, 1.0, 2.0])
def test_edge_map_equals_the_exact_distances(sigma):
    points = circle(8, centre=(30.3, 28.8))
    (curve,) = boundary_curves(points, ring(8))
    (edge,) = edge_heatmaps(points, [ring(8)], (64, 56), sigma)
    assert edge.shape == (56, 64) and edge.dtype == np.float32
    error = np.abs(edge - brute_force_edge(curve, (64, 56), sigma))
    # Lines are drawn on a 4 times finer grid, and the distance transform is good to 2%.
    assert error.max() < 0.15 / sigma
    assert error.mean() < 0.005


def test_edge_map_at_its_line_and_far_from_it():
    points = np.float32([[10, 20], [30, 20], [50, 20]])
    (edge,) = edge_heatmaps(points, [Boundary('line', (0, 1, 2), False)], (64, 64))
    np.testing.assert_allclose(edge[20, 12:48], 1, atol=1e-6)
    np.testing.assert_allclose(edge[21, 12:48], np.exp(-0.5), atol=0.02)
    assert edge[24].max() == 0


def test_one_map_per_boundary():
    points = np.concatenate([circle(4, (16, 16), 6), circle(4, (48, 48), 6)])
    first, second = Boundary('a', (0, 1, 2, 3), True), Boundary('b', (4, 5, 6, 7), True)
    edges = edge_heatmaps(points, [first, second], (64, 64))
    assert edges[0][:30, :30].max() > 0.9 and edges[0][34:, 34:].max() == 0
    assert edges[1][:30, :30].max() == 0 and edges[1][34:, 34:].max() > 0.9


def test_padding_shows_what_lies_around_the_map():
    points = circle(8, (31.5, 31.5), 40.0)
    plain = edge_heatmaps(points, [ring(8)], (64, 64))
    padded = edge_heatmaps(points, [ring(8)], (64, 64), padding=12)
    np.testing.assert_array_equal(padded[:, 12:-12, 12:-12], plain)
    assert padded[0, 30 + 12, 3] > 0.8 and plain[0, 30].max() == 0


@pytest.mark.parametrize('shift', [(40, 0), (-45, 10), (0, 200), (1e7, -1e7)])
def test_landmarks_outside_the_map_draw_what_enters_it(shift):
    points = circle(8) + np.float32(shift)
    (edge,) = edge_heatmaps(points, [ring(8)], (64, 64))
    (whole,) = edge_heatmaps(circle(8), [ring(8)], (64, 64), padding=256)
    expected = np.zeros((64, 64))
    if max(map(abs, shift)) <= 256:
        x, y = 256 - np.array(shift)
        expected = whole[y : y + 64, x : x + 64]
    np.testing.assert_allclose(edge, expected, atol=1e-6)


@pytest.mark.parametrize('missing', [np.nan, np.inf])
def test_missing_landmarks_leave_out_their_part_of_the_curve(missing):
    points = np.stack([np.linspace(8, 56, 7), np.full(7, 20.0)], axis=-1).astype(np.float32)
    boundary = Boundary('line', tuple(range(7)), False)
    lost = points.copy()
    lost[3] = missing
    visible = np.arange(7) != 3
    expected = edge_heatmaps(points, [boundary], (64, 40), visible=visible)
    np.testing.assert_array_equal(edge_heatmaps(lost, [boundary], (64, 40)), expected)
    assert expected[0, 20, 10:24].min() > 0.99 and expected[0, 20, 29:36].max() == 0


def test_all_landmarks_missing_gives_empty_maps():
    edges = edge_heatmaps(np.full((4, 2), np.nan, dtype=np.float32), [ring(4)], (64, 64))
    assert edges.shape == (1, 64, 64) and not edges.any()


def test_moving_the_landmarks_by_a_pixel_moves_the_map():
    points = circle(8, (30.2, 29.7))
    (edge,) = edge_heatmaps(points, [ring(8)], (64, 64))
    (moved,) = edge_heatmaps(points + 1, [ring(8)], (64, 64))
    np.testing.assert_allclose(moved[1:, 1:], edge[:-1, :-1], atol=1e-6)


def test_blur_and_sharpen_equal_their_definition():
    image = np.random.default_rng(0).random((20, 24)).astype(np.float32)
    offset = np.arange(-4, 5)
    line = np.exp(-0.5 * (offset / 1.7) ** 2)
    line /= line.sum()
    padded = np.pad(image, 4, mode='reflect')
    blurred = sum(a * b * padded[i : i + 20, j : j + 24] for i, a in enumerate(line) for j, b in enumerate(line))
    smooth = blurred.copy()
    for y in range(1, 19):
        for x in range(1, 23):
            smooth[y, x] = (blurred[y - 1 : y + 2, x - 1 : x + 2].sum() + 4 * blurred[y, x]) / 13
    expected = np.clip(5 * blurred - 4 * smooth, 0, 1)
    np.testing.assert_allclose(blur_and_sharpen(image), expected, atol=1e-5)


def test_kernel_and_factor_one_change_nothing():
    image = np.random.default_rng(0).random((10, 10)).astype(np.float32)
    np.testing.assert_array_equal(blur_and_sharpen(image, blur_kernel=1, sharpness=1), image)


def test_thin_ring_is_what_adnet_draws():
    """At input size, four times enlarged, 4 px wide; reduced by area to the input and bilinearly to a quarter of it."""
    (found,) = thin_edge_heatmaps(circle(16), [ring(16)], (64, 64))
    (curve,) = boundary_curves(circle(16), ring(16))
    canvas = np.zeros((1024, 1024), dtype=np.float32)
    corners = np.rint(((curve + 0.5) * 4 - 0.5) * 4 + 1.5).astype(np.int32)
    cv2.polylines(canvas, [corners], True, 255, 4, cv2.LINE_AA)
    drawn = cv2.resize(cv2.resize(canvas, (256, 256), interpolation=cv2.INTER_AREA), (64, 64)) / 255
    assert np.abs(found - drawn).max() < 0.2 and np.abs(found - drawn).mean() < 0.002
    assert found.sum() == pytest.approx(drawn.sum(), rel=0.05)


@pytest.mark.parametrize(('row', 'expected'), [(20.0, 0.625), (20.25, 0.3125), (20.5, 0.0), (-3.0, 0.0)])
def test_thin_line_by_hand(row, expected):
    """OpenCV's line of 4 fine px covers 5 of 16; the middle 8 of each px see it."""
    points = np.float32([[-9, row], [20, row], [70, row]])
    (edge,) = thin_edge_heatmaps(points, [Boundary('line', (0, 1, 2), False)], (64, 48))
    np.testing.assert_allclose(edge[20], expected, atol=0.07)
    assert edge.sum() == pytest.approx(edge[20].sum() + edge[21].sum())

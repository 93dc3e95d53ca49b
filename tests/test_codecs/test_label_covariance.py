import numpy as np
import pytest

from mmpose_sp.codecs.boundary_maps import edge_heatmaps
from mmpose_sp.codecs.label_covariance import (
    Smoothing,
    edge_alignment,
    extract_patches,
    gaussian_patch,
    patch_covariance,
    smoothing_stages,
)
from mmpose_sp.faces import Boundary

SMOOTHING = Smoothing(gamma=0.01, edge_weight=0.01, gaussian_kernel=5, patch_radius=4, blur_kernel=9, sharpness=5.0)
# Second moment of the Gaussian of kernel 5: weights exp(-x^2 / (2 * 1.1^2)) at -2..2.
ONE, TWO = np.exp(-0.5 / 1.21), np.exp(-2 / 1.21)
GAUSSIAN_VARIANCE = (2 * ONE + 8 * TWO) / (1 + 2 * ONE + 2 * TWO)


def covariances(landmarks, boundary, **kwargs):
    landmarks = np.asarray(landmarks, dtype=np.float32)
    edge = edge_heatmaps(landmarks, [boundary], (64, 64), padding=SMOOTHING.margin).max(axis=0)
    return smoothing_stages(landmarks, edge, SMOOTHING._replace(**kwargs)).covariances


def line_at(angle, centre=(31.3, 30.8), count=9, length=44.0):
    direction = np.array([np.cos(angle), np.sin(angle)])
    return centre + np.linspace(-0.5, 0.5, count)[:, None] * length * direction


LINE = Boundary('line', tuple(range(9)), closed=False)


def test_gaussian_patch_by_hand():
    patch = gaussian_patch(3, 5)
    assert patch.shape == (7, 7)
    np.testing.assert_allclose(patch[3], [0, TWO, ONE, 1, ONE, TWO, 0], rtol=1e-6)
    np.testing.assert_allclose(patch, patch.T)


def test_patch_covariance_by_hand():
    patch = np.zeros((5, 5), dtype=np.float32)
    patch[2, 4] = 3.0  # x = 2, y = 0
    patch[1, 1] = 1.0  # x = -1, y = -1
    np.testing.assert_allclose(patch_covariance(patch), [[13 / 4, 1 / 4], [1 / 4, 1 / 4]])


def test_without_edges_the_covariance_is_that_of_the_gaussian():
    covariance = covariances(line_at(0.3), LINE, edge_weight=0.0, gamma=0.01)
    np.testing.assert_allclose(covariance, np.broadcast_to(0.01 * GAUSSIAN_VARIANCE * np.eye(2), (9, 2, 2)), atol=1e-7)


def test_patches_interpolate_linearly():
    y, x = np.mgrid[:30, :40].astype(np.float32)
    centres = np.array([[12.25, 15.5], [20.0, 9.0], [33.9, 23.1]])
    patches = extract_patches(3 * x - 2 * y, centres, 4)
    offset = np.arange(-4, 5)
    expected = 3 * (centres[:, 0, None, None] + offset) - 2 * (centres[:, 1, None, None] + offset[:, None])
    np.testing.assert_allclose(patches, expected, atol=1e-4)


def test_straight_edge_by_hand():
    """A horizontal line through a pixel row: E' repeats one profile p(dy) along x, and so do the moments."""
    landmarks = np.stack([np.linspace(4, 60, 9), np.full(9, 30.0)], axis=-1).astype(np.float32)
    edge = edge_heatmaps(landmarks, [LINE], (64, 64), padding=SMOOTHING.margin).max(axis=0)
    stages = smoothing_stages(landmarks, edge, SMOOTHING._replace(gamma=1.0))
    offset = np.arange(-4, 5)
    profile = stages.refined_edge_map[26:35, 32] / stages.refined_edge_map[30, 32]
    weight = 0.01 * 9 * profile.sum() + (1 + 2 * ONE + 2 * TWO) ** 2
    gaussian = (1 + 2 * ONE + 2 * TWO) * (2 * ONE + 8 * TWO)
    along = (0.01 * (offset**2).sum() * profile.sum() + gaussian) / weight
    across = (0.01 * 9 * (offset**2 @ profile) + gaussian) / weight
    np.testing.assert_allclose(stages.covariances[4], [[along, 0], [0, across]], atol=1e-4)
    assert along > across


@pytest.mark.parametrize('degrees', [0, 20, 45, 70, 90, 135, 160])
def test_long_axis_points_along_a_straight_edge(degrees):
    angle = np.deg2rad(degrees)
    values, vectors = np.linalg.eigh(covariances(line_at(angle), LINE, edge_weight=1.0)[4])
    assert values[1] > 1.5 * values[0] > 0
    # The patch is a square, as in the paper: its corners pull the axis towards the diagonal.
    tolerance = 1 if degrees % 45 == 0 else 8
    assert abs(vectors[:, 1] @ [np.cos(angle), np.sin(angle)]) > np.cos(np.deg2rad(tolerance))


def curve():
    """An asymmetric open curve around the centre of a 64 x 64 map."""
    rng = np.random.default_rng(3)
    return line_at(0.4, centre=(31.5, 31.5)) + rng.uniform(-2, 2, (9, 2))


def test_alignment_of_ellipses_by_hand():
    """A square closed curve has at its corners the direction of the neighbours' difference; two ellipses beside it."""
    square = np.array([[0.0, 0.0], [10.0, 0.0], [10.0, 10.0], [0.0, 10.0], [50.0, 50.0]])
    slope = np.array([[5.0, -3.0], [-3.0, 5.0]])  # std 8^0.5 along (1, -1), 2^0.5 along (1, 1)
    found = edge_alignment(np.stack([slope] * 4 + [np.diag([4.0, 1.0])]), square, [Boundary('b', (0, 1, 2, 3), True)])
    np.testing.assert_allclose(found.angle, [0, 90, 0, 90, np.nan], atol=1e-4)
    np.testing.assert_allclose(found.std, [[8**0.5, 2**0.5]] * 4 + [[2, 1]])


@pytest.mark.parametrize('move', [np.diag([-1.0, 1.0]), np.array([[0.0, -1.0], [1.0, 0.0]])], ids=['mirror', 'turn'])
def test_moved_landmarks_have_moved_covariances(move):
    points = curve()
    moved = (points - 31.5) @ move.T + 31.5
    expected = move @ covariances(points, LINE, edge_weight=1.0) @ move.T
    np.testing.assert_allclose(covariances(moved, LINE, edge_weight=1.0), expected, rtol=0.02, atol=2e-4)


def test_the_sub_pixel_phase_of_the_landmarks_hardly_matters():
    base = covariances(curve(), LINE, edge_weight=1.0)
    for phase in ([0.5, 0.0], [0.25, 0.75]):
        moved = covariances(curve() + phase, LINE, edge_weight=1.0)
        np.testing.assert_allclose(moved, base, atol=0.06 * base.max())


def test_border_landmarks_see_the_edge_beyond_the_map():
    inside = line_at(np.pi / 2, centre=(31.0, 31.5), length=40.0)
    at_border = inside + [-31.0, 0.0]
    np.testing.assert_allclose(
        covariances(at_border, LINE, edge_weight=1.0), covariances(inside, LINE, edge_weight=1.0), rtol=1e-4, atol=1e-6
    )


def test_landmarks_outside_the_map_have_finite_covariances():
    points = line_at(0.1) + [500.0, -300.0]
    assert np.isfinite(covariances(points, LINE)).all()


def test_stages_have_the_documented_shapes_and_maxima():
    landmarks = curve().astype(np.float32)
    edge = edge_heatmaps(landmarks, [LINE], (64, 48), padding=SMOOTHING.margin).max(axis=0)
    stages = smoothing_stages(landmarks, edge, SMOOTHING)
    assert stages.edge_map.shape == stages.refined_edge_map.shape == (48, 64)
    assert stages.edge_patches.shape == stages.refined_patches.shape == stages.joint_patches.shape == (9, 9, 9)
    np.testing.assert_allclose(stages.gaussian.max(), 1)
    peak = stages.joint_patches.reshape(9, -1).argmax(axis=1)
    np.testing.assert_array_equal(peak, 40)  # the Gaussian keeps the label the maximum
    assert stages.covariances.shape == (9, 2, 2)

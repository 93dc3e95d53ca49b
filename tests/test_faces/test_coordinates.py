"""The coordinate map: against mmpose's own crop, closed forms and round trips."""

import numpy as np
import pytest
from mmpose.datasets.transforms import GetBBoxCenterScale, TopdownAffine
from mmpose.structures.bbox import get_warp_matrix

from mmpose_sp.faces import (
    compose,
    crop_of_box,
    crop_to_image,
    invert,
    map_grid,
    overlap,
    transform_boxes,
    transform_covariances,
    transform_joint_covariance,
    transform_points,
    turned_to_image,
)
from mmpose_sp.faces.coordinates import far_outside

POINTS = np.random.default_rng(0).uniform(-20, 300, (9, 2))


def test_crop_is_that_of_mmpose():
    center, scale, size = np.array([70.0, 50.0]), np.array([120.0, 160.0]), (96, 128)
    expected = transform_points(POINTS, get_warp_matrix(center, scale, 0, size))
    found = transform_points(POINTS, invert(crop_to_image(center, scale, size)))
    np.testing.assert_allclose(found, expected, atol=1e-3)  # mmpose computes in float32


@pytest.mark.parametrize('box', [(10, 20, 110, 90), (10, 20, 40, 190)])
def test_crop_of_a_box_is_that_of_mmposes_pipeline(box):
    size = (96, 128)
    sample = dict(bbox=np.array([box], dtype=np.float32), img=np.zeros((240, 200, 3), np.uint8))
    sample = TopdownAffine(input_size=size)(GetBBoxCenterScale(padding=1.3)(sample))
    center, scale = crop_of_box(box, size, 1.3)
    np.testing.assert_allclose(center, sample['input_center'], rtol=1e-6)
    np.testing.assert_allclose(scale, sample['input_scale'], rtol=1e-6)


@pytest.mark.parametrize('grid', ['centers', 'corners', 'mmpose'])
def test_grid_and_its_matrix_agree_and_return(grid):
    maps = map_grid((256, 240), (64, 48), grid)
    np.testing.assert_allclose(
        transform_points(POINTS, maps.matrix), np.stack(maps.to_input(*POINTS.T), axis=1), rtol=1e-12
    )
    np.testing.assert_allclose(np.stack(maps.to_heatmap(*maps.to_input(*POINTS.T)), axis=1), POINTS, atol=1e-10)


def test_grids_lie_where_they_say():
    size, maps = (256, 256), (64, 64)
    assert map_grid(size, maps, 'centers').to_input(31.5, 31.5) == (127.5, 127.5)  # the middles agree
    assert map_grid(size, maps, 'corners').to_input(63.0, 0.0) == (255.5, -0.5)
    assert map_grid(size, maps, 'mmpose').to_input(10.0, 0.0) == (40.0, 0.0)
    with pytest.raises(ValueError, match='grid must be one of'):
        map_grid(size, maps, 'udp')


def test_composed_maps_follow_one_another():
    outer, inner = np.random.default_rng(2).normal(size=(2, 2, 3))
    expected = transform_points(transform_points(POINTS, inner), outer)
    np.testing.assert_allclose(transform_points(POINTS, compose(outer, inner)), expected)


def test_covariances_follow_their_points():
    turned = np.array([[0.9, -0.4, 3], [0.4, 0.9, 4]])
    matrix = compose(turned, map_grid((64, 96), (16, 24)).matrix)
    cloud = np.random.default_rng(1).normal(size=(500, 2)) @ [[2, 0.5], [0, 1]]
    expected = np.cov(transform_points(cloud, matrix).T)
    np.testing.assert_allclose(transform_covariances(np.cov(cloud.T), matrix), expected, rtol=1e-9)


@pytest.mark.parametrize('turns', [0, 1, 2, 3, -1, 5])
def test_pixels_of_a_turned_picture_are_found_again(turns):
    image = np.arange(20).reshape(4, 5)
    matrix = turned_to_image((5, 4), turns)
    turned = np.rot90(image, turns)
    for (y, x), value in np.ndenumerate(turned):
        column, row = transform_points(np.array([x, y]), matrix)
        assert image[int(row), int(column)] == value
    corners = transform_boxes(np.array([[1.0, 1, 3, 2]]), matrix)  # of pixels 1, 1 and 3, 2
    values = turned[[1, 2], [1, 3]]
    ys, xs = np.divmod(values, 5)
    np.testing.assert_array_equal(corners, [[xs.min(), ys.min(), xs.max(), ys.max()]])


def test_overlap_is_that_of_boxes_of_whole_pixels():
    """Counted pixel by pixel."""
    rng = np.random.default_rng(3)
    low, size = rng.integers(0, 8, (40, 2)), rng.integers(1, 8, (40, 2))
    boxes = np.column_stack([low, low + size])

    def pixels(box):
        return {(x, y) for x in range(box[0], box[2]) for y in range(box[1], box[3])}

    expected = [len(pixels(boxes[0]) & pixels(box)) / len(pixels(boxes[0]) | pixels(box)) for box in boxes]
    np.testing.assert_allclose(overlap(boxes[0], boxes), expected)


def test_a_point_is_far_outside_by_more_than_the_longer_side():
    far = [(-30.6, 10), (59.6, 10), (5, -30.6), (5, 49.6)]
    near = [(-30.4, 10), (59.4, 10), (5, -30.4), (5, 49.4), (5, 5)]
    assert far_outside(np.array(far), (30, 20)).tolist() == [True] * 4
    assert far_outside(np.array(near), (30, 20)).tolist() == [False] * 5


def test_a_joint_covariance_follows_all_points_at_once():
    turned = np.array([[0.9, -0.4, 3], [0.4, 1.1, 4]])
    half = np.random.default_rng(4).normal(size=(10, 30))
    whole = np.kron(np.eye(5), turned[:, :2])
    found = transform_joint_covariance(half @ half.T, turned)
    np.testing.assert_allclose(found, whole @ half @ half.T @ whole.T)

import pytest
from mmpose.datasets.datasets.utils import parse_pose_metainfo

from mmpose_sp.datasets.boundaries import BOUNDARIES, NUM_LANDMARKS

COUNTS = {'wflw': 9, '300w': 9, 'cofw': 7, 'cofw_star': 7}


def flip_indices(name):
    metainfo = {'wflw': 'wflw', '300w': '300w'}.get(name, 'cofw')
    return parse_pose_metainfo({'from_file': f'configs/_base_/datasets/{metainfo}.py'})['flip_indices']


def undirected(indices, closed):
    """One name for a curve, whichever way it is run through and, if closed, wherever it starts."""
    ways = [tuple(indices), tuple(indices)[::-1]]
    if closed:
        ways = [way[i:] + way[:i] for way in ways for i in range(len(way))]
    return min(ways), closed


@pytest.mark.parametrize('name', BOUNDARIES)
def test_counts_names_and_ranges(name):
    boundaries = BOUNDARIES[name]
    assert len(boundaries) == COUNTS[name] == len({boundary.name for boundary in boundaries})
    for boundary in boundaries:
        assert len(set(boundary.indices)) == len(boundary.indices) > 2
        assert min(boundary.indices) >= 0 and max(boundary.indices) < NUM_LANDMARKS[name]


@pytest.mark.parametrize('name', ['wflw', '300w', 'cofw'])
def test_mirror_symmetric_under_the_flip_of_mmpose(name):
    flip = flip_indices(name)
    assert len(flip) == NUM_LANDMARKS[name]
    curves = {undirected(b.indices, b.closed) for b in BOUNDARIES[name]}
    mirrored = {undirected([flip[i] for i in b.indices], b.closed) for b in BOUNDARIES[name]}
    assert mirrored == curves


@pytest.mark.parametrize('name', ['wflw', '300w', 'cofw'])
def test_sides_are_named_after_the_mirror_image(name):
    flip = flip_indices(name)
    by_name = {b.name: b for b in BOUNDARIES[name]}
    for part in ('eyebrow', 'eye'):
        right, left = by_name[f'right_{part}'], by_name[f'left_{part}']
        assert {flip[i] for i in right.indices} == set(left.indices)


def test_the_set_of_star_differs_in_one_open_eye():
    different = [(a, b) for a, b in zip(BOUNDARIES['cofw'], BOUNDARIES['cofw_star']) if a != b]
    assert [(a.name, a.closed, b.closed) for a, b in different] == [('left_eye', True, False)]


@pytest.mark.parametrize('name, off_curve', [('wflw', {96, 97}), ('300w', set()), ('cofw', {16, 17, 28})])
def test_only_pupils_and_chin_lie_on_no_boundary(name, off_curve):
    on_curve = {i for boundary in BOUNDARIES[name] for i in boundary.indices}
    assert set(range(NUM_LANDMARKS[name])) - on_curve == off_curve

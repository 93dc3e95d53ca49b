"""The records: against mmpose's own files, and against what a face looks like in the mirror."""

import numpy as np
import pytest
from mmpose.datasets.datasets.utils import parse_pose_metainfo

from mmpose_sp.faces import (
    SCHEMES,
    Boundary,
    FaceScheme,
    boundary_sets,
    find_scheme,
    register_scheme,
    scheme_of_count,
    subset_flags,
    subset_names,
)

BENCHMARKS = ('wflw', '300w', 'cofw')
COUNTS = {'wflw': 9, '300w': 9, 'cofw': 7, 'cofw_star': 7}


def undirected(indices, closed):
    """One name for a curve, whichever way it is run through and, if closed, wherever it starts."""
    ways = [tuple(indices), tuple(indices)[::-1]]
    if closed:
        ways = [way[i:] + way[:i] for way in ways for i in range(len(way))]
    return min(ways), closed


@pytest.mark.parametrize('name', BENCHMARKS)
def test_metainfo_is_that_of_mmpose(name):
    ours = parse_pose_metainfo(find_scheme(name).metainfo())
    theirs = parse_pose_metainfo({'from_file': f'configs/_base_/datasets/{name}.py'})
    theirs.pop('paper_info', None)
    assert ours.keys() == theirs.keys()
    for key, value in theirs.items():
        np.testing.assert_array_equal(ours[key], value, err_msg=key)


@pytest.mark.parametrize('name', COUNTS)
def test_counts_names_and_ranges(name):
    scheme, boundaries = boundary_sets()[name]
    assert len(boundaries) == COUNTS[name] == len({boundary.name for boundary in boundaries})
    for boundary in boundaries:
        assert len(set(boundary.indices)) == len(boundary.indices) > 2
        assert min(boundary.indices) >= 0 and max(boundary.indices) < scheme.num_landmarks


@pytest.mark.parametrize('name', BENCHMARKS)
def test_curves_and_normalisers_are_their_own_mirror_image(name):
    scheme = find_scheme(name)
    flip = scheme.flip_indices
    curves = {undirected(b.indices, b.closed) for b in scheme.boundaries}
    assert {undirected([flip[i] for i in b.indices], b.closed) for b in scheme.boundaries} == curves
    for left, right in scheme.normalisers.values():
        assert {flip[i] for i in left} == set(right)


@pytest.mark.parametrize('name', BENCHMARKS)
def test_sides_are_named_after_the_mirror_image(name):
    scheme = find_scheme(name)
    by_name = {b.name: b for b in scheme.boundaries}
    for part in ('eyebrow', 'eye'):
        right, left = by_name[f'right_{part}'], by_name[f'left_{part}']
        assert {scheme.flip_indices[i] for i in right.indices} == set(left.indices)


def test_the_set_of_star_differs_in_one_open_eye():
    sets = boundary_sets()
    different = [(a, b) for a, b in zip(sets['cofw'][1], sets['cofw_star'][1]) if a != b]
    assert [(a.name, a.closed, b.closed) for a, b in different] == [('left_eye', True, False)]


@pytest.mark.parametrize(('name', 'off_curve'), [('wflw', {96, 97}), ('300w', set()), ('cofw', {16, 17, 28})])
def test_only_pupils_and_chin_lie_on_no_boundary(name, off_curve):
    scheme = find_scheme(name)
    on_curve = {i for boundary in scheme.boundaries for i in boundary.indices}
    assert set(range(scheme.num_landmarks)) - on_curve == off_curve
    assert set(scheme.shown) <= on_curve


@pytest.mark.parametrize(
    ('changes', 'named'),
    [
        ({'mirror_pairs': ((0, 1), (1, 2))}, 'mirror_pairs: a landmark stands there twice'),
        ({'mirror_pairs': ((0, 4),)}, r'mirror_pairs: landmarks \[4\] do not exist'),
        ({'boundaries': (Boundary('jaw', (0, 9), closed=False),)}, r'boundaries: jaw: landmarks \[9\] do not exist'),
        ({'boundaries': (Boundary('jaw', (0,), closed=False),)}, 'boundaries: jaw: 2 or more'),
        ({'landmark_names': ('a', 'b')}, 'landmark_names: 4 different names'),
        ({'norm': 'nose'}, "norm: 'nose' is none of the normalisers"),
        ({'normalisers': {'eyes': ((0,), ())}}, 'normalisers: eyes: 1 or more'),
        ({'threshold': 0}, 'threshold, gamma'),
    ],
)
def test_a_record_that_cannot_be_names_its_field(changes, named):
    with pytest.raises(ValueError, match=f"scheme 'own', {named}"):
        FaceScheme(**{'name': 'own', 'num_landmarks': 4, 'mirror_pairs': ((0, 1),), **changes})


def test_registration_keeps_names_apart(monkeypatch):
    monkeypatch.setattr('mmpose_sp.faces.schemes.SCHEMES', dict(SCHEMES))
    own = FaceScheme('own', 5, mirror_pairs=((0, 1),))
    register_scheme(own)
    register_scheme(FaceScheme('own', 5, mirror_pairs=((0, 1),)))  # the same once more, as a reload does
    assert find_scheme('own') == scheme_of_count(5) == own and scheme_of_count(98).name == 'wflw'
    with pytest.raises(ValueError, match='another landmark scheme'):
        register_scheme(FaceScheme('own', 6, mirror_pairs=()))
    with pytest.raises(ValueError, match="curves called 'cofw_star'"):
        register_scheme(FaceScheme('cofw_star', 6, mirror_pairs=()))
    with pytest.raises(ValueError, match='is no landmark scheme, known are wflw, 300w, cofw'):
        find_scheme('another')
    with pytest.raises(ValueError, match='7 landmarks fit no scheme'):
        scheme_of_count(7)


def test_subsets_of_an_annotation():
    annotation = {'attributes': {'blur': 1, 'makeup': 0}, 'subset': 'common'}
    assert subset_flags(annotation) == {'blur': 1, 'makeup': 0, 'common': 1}
    assert subset_names(annotation) == ('blur', 'common')
    assert subset_flags(None) == {} and subset_names({}) == ()


def test_parts_make_up_the_published_splits():
    scheme = find_scheme('300w')
    faces = {**scheme.published, **scheme.published_private}
    totals = {split: sum(faces[part] for part in parts) for split, parts in scheme.splits.items()}
    assert totals == {'train': 3148, 'valid': 689, 'valid_common': 554, 'valid_challenge': 135, 'test': 600}

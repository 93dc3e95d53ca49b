"""Synthetic faces: landmarks, flags and pictures agree, and the files follow the official raw layouts."""

import filecmp
import runpy
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest
from mmpose.datasets.datasets.utils import parse_pose_metainfo

from mmpose_sp.datasets.synthetic import (
    ATTRIBUTES,
    FaceParams,
    planned_face,
    render_face,
    sample_face,
    write_synthetic_faces,
    writers,
)
from mmpose_sp.datasets.synthetic.projection import ProjectedFace

COUNTS = {'wflw': 98, '300w': 68, 'cofw': 29}
CLI = Path(__file__).parents[2] / 'tools' / 'dataset_converters' / 'synthetic_faces.py'


def plain(seed, **changes):
    """A light-skinned, evenly lit face without noise, beard or glasses."""
    params = sample_face(np.random.default_rng(seed))
    return replace(
        params, skin=(160.0, 190.0, 235.0), noise=0.0, beard=0.0, glasses=False, hair_style='short', **changes
    )


def pixels(image, points):
    """Mean colour of 3 x 3 px around each point."""
    smooth = cv2.blur(image.astype(np.float32), (3, 3))
    x, y = np.round(points).astype(int).T
    return smooth[y, x]


def flip_indices(layout):
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # mmpose warns that it takes the file from its own package
        return parse_pose_metainfo({'from_file': f'configs/_base_/datasets/{layout}.py'})['flip_indices']


# -- landmarks ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('layout', COUNTS)
def test_neutral_template_maps_onto_itself_under_the_flip_of_the_dataset(layout):
    points = ProjectedFace(FaceParams(), 256).landmarks()[layout]
    assert points.shape == (COUNTS[layout], 2)
    mirrored = points[flip_indices(layout)] * [-1, 1] + [255, 0]
    np.testing.assert_allclose(mirrored, points, atol=1e-9)


@pytest.mark.parametrize('layout', COUNTS)
@pytest.mark.parametrize('yaw', [-55.0, 20.0])
def test_mirrored_face_has_mirrored_landmarks(layout, yaw):
    params = replace(
        sample_face(np.random.default_rng(3)), yaw=yaw, centre=(0.5, 0.55), eye_closure=(0.1, 0.9), mouth_open=0.4
    )
    points = ProjectedFace(params, 256).landmarks()[layout]
    mirror = replace(
        params,
        yaw=-yaw,
        roll=-params.roll,
        brow_raise=params.brow_raise[::-1],
        eye_closure=(0.9, 0.1),
        gaze=(-params.gaze[0], params.gaze[1]),
    )
    mirrored = ProjectedFace(mirror, 256).landmarks()[layout]
    np.testing.assert_allclose(points[flip_indices(layout)] * [-1, 1] + [255, 0], mirrored, atol=1e-9)


def test_points_that_the_layouts_share_coincide():
    points = ProjectedFace(plain(5, yaw=25.0), 256).landmarks()
    wflw, w300, cofw = points['wflw'], points['300w'], points['cofw']
    np.testing.assert_allclose(w300[48:], wflw[76:96])  # mouth
    np.testing.assert_allclose(w300[27:36], wflw[51:60])  # nose
    np.testing.assert_allclose(w300[[36, 39, 42, 45, 8]], wflw[[60, 64, 68, 72, 16]])  # eye corners, chin
    np.testing.assert_allclose(cofw[[8, 10, 11, 9]], wflw[[60, 64, 68, 72]])
    np.testing.assert_allclose(cofw[[16, 17]], wflw[[96, 97]])
    np.testing.assert_allclose(cofw[[12, 13, 14, 15]], wflw[[62, 66, 70, 74]])  # lids
    np.testing.assert_allclose(cofw[[18, 19, 20, 21]], wflw[[55, 59, 54, 57]])
    np.testing.assert_allclose(cofw[[22, 23, 24, 25, 26, 27, 28]], wflw[[76, 82, 79, 90, 94, 85, 16]])
    np.testing.assert_allclose(cofw[[0, 1, 4, 6]], wflw[[33, 46, 35, 44]])


def test_anatomy_of_the_frontal_face():
    p = ProjectedFace(FaceParams(mouth_open=0.5), 256).landmarks()['wflw']
    assert (np.diff(p[:33, 0]) > 0)[8:24].all()  # the jaw runs from left to right
    assert p[16, 1] == p[:, 1].max()
    assert p[33, 0] < p[37, 0] < p[42, 0] < p[46, 0]
    assert p[60, 0] < p[64, 0] < p[68, 0] < p[72, 0]
    assert (p[34:38, 1] < p[[41, 40, 39, 38], 1]).all()  # brows: upper above lower edge
    assert (p[[61, 62, 63], 1] < p[[67, 66, 65], 1]).all()  # lids
    middle = p[[35, 62, 96, 66, 51, 54, 57, 79, 90, 94, 85, 16], 1]
    assert (np.diff(middle[:4]) > 0).all() and (np.diff(middle[4:]) > 0).all()


def test_landmarks_of_planned_faces_lie_in_the_picture():
    for layout in COUNTS:
        for i in range(60):
            points = ProjectedFace(planned_face(1, layout, 'train', i), 256).landmarks()[layout]
            assert points.min() > 2 and points.max() < 253, (layout, i)


def test_far_side_of_a_turned_face_follows_its_silhouette():
    # at 50 degrees the far jaw edge itself is hidden: the outline must reach beyond every cheek point of the face
    face = ProjectedFace(FaceParams(yaw=50.0), 256)
    x = np.linspace(-1, 1, 41)[None] * face.shape.half_width(np.array([[0.5], [0.9]]))
    y = np.broadcast_to([[0.5], [0.9]], x.shape)
    cheek = face.project(np.stack([x, y, face.shape.depth(x, y, nose=False)], -1))
    outline = face.landmarks()['wflw'][17:33]
    for row in cheek:
        reach = row[row[:, 0].argmax()]
        at = np.interp(reach[1], outline[::-1, 1], outline[::-1, 0])
        assert abs(at - reach[0]) < 0.5


# -- pictures -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('seed', range(6))
def test_picture_agrees_with_landmarks(seed):
    face = render_face(plain(seed, eye_closure=(0.0, 0.0), mouth_open=0.0), 256)
    p, image = face.landmarks['wflw'], face.image
    cheeks = pixels(image, (p[[66, 74]] + p[[76, 82]]) / 2)
    pupils = pixels(image, p[96:])
    assert (pupils.mean(1) < 0.4 * cheeks.mean(1)).all()
    whites = pixels(image, (p[[60, 64, 68, 72]] * 0.4 + p[[96, 96, 97, 97]] * 0.6))
    assert (whites.mean(1) > 1.3 * pupils.mean()).all()
    brows = pixels(image, (p[[35, 44]] + p[[40, 48]]) / 2)
    assert (brows.mean(1) < 0.75 * cheeks.mean(1)).all()
    lip = pixels(image, ((p[85] + p[94]) / 2)[None])[0]
    chin = pixels(image, (0.6 * p[85] + 0.4 * p[16])[None])[0]
    assert lip[2] / lip[1] > 1.2 * chin[2] / chin[1]  # lips are redder than skin


def test_open_mouth_is_dark_between_the_inner_lips():
    face = render_face(plain(2, mouth_open=1.0), 256)
    p = face.landmarks['wflw']
    inside = pixels(face.image, (0.5 * p[90] + 0.5 * p[94])[None])
    lip = pixels(face.image, ((p[85] + p[94]) / 2)[None])
    assert inside.mean() < 0.6 * lip.mean()


def test_picture_is_a_function_of_the_parameters():
    params = planned_face(3, 'wflw', 'train', 7)
    a, b = render_face(params, 128), render_face(params, 128)
    np.testing.assert_array_equal(a.image, b.image)
    np.testing.assert_array_equal(a.landmarks['300w'], b.landmarks['300w'])
    other = render_face(planned_face(3, 'wflw', 'train', 8), 128)
    assert np.abs(a.landmarks['wflw'] - other.landmarks['wflw']).max() > 1


def test_landmarks_scale_with_the_picture():
    params = planned_face(0, 'wflw', 'train', 0)
    small, large = (render_face(params, s).landmarks['cofw'] for s in (128, 256))
    np.testing.assert_allclose((small + 0.5) * 2, large + 0.5, atol=1e-9)


def test_random_generator_gives_a_plain_face():
    face = render_face(np.random.default_rng(0), 64)
    assert face.image.shape == (64, 64, 3) and face.image.dtype == np.uint8
    assert not any(face.attributes.values())


# -- flags --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('attribute', ATTRIBUTES)
def test_asking_for_a_flag_sets_that_flag_only(attribute):
    for seed in range(12):
        face = render_face(sample_face(np.random.default_rng(seed), {attribute: 1}), 96)
        assert face.attributes == {a: int(a == attribute) for a in ATTRIBUTES}, seed


def test_large_pose_means_a_large_angle():
    for i in range(200):
        params = planned_face(0, 'wflw', 'test', i)
        flag = render_face(replace(params, occluder=None), 64).attributes['largepose'] if i < 20 else None
        large = abs(params.yaw) > 30 or abs(params.pitch) > 20
        assert abs(params.yaw) <= 60
        assert flag is None or flag == large


def test_occlusion_flag_counts_landmarks_whose_pixels_something_hides():
    for seed in range(8):
        params = replace(sample_face(np.random.default_rng(seed), {'occlusion': 1}), noise=0.0)
        covered = render_face(params, 192)
        bare = render_face(replace(params, occluder=None), 192)
        assert bare.attributes['occlusion'] == 0
        x, y = np.round(bare.landmarks['wflw']).astype(int).T
        changed = np.abs(covered.image.astype(int) - bare.image)[y, x].sum(1) > 6
        assert changed.sum() >= 5 and covered.attributes['occlusion'] == 1
        hidden = covered.occluded['wflw'] & ~bare.occluded['wflw']
        assert changed[hidden].mean() > 0.9


def test_turned_face_hides_its_far_eye_corner_behind_the_nose():
    face = render_face(FaceParams(yaw=55.0), 256)
    assert face.occluded['cofw'][11] and not face.occluded['cofw'][[8, 10]].any()
    assert not render_face(FaceParams(), 256).occluded['wflw'].any()


# -- files --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope='module')
def wflw(tmp_path_factory):
    dst = tmp_path_factory.mktemp('faces') / 'wflw'
    write_synthetic_faces(dst, 'wflw', num_train=12, num_test=48, seed=4, size=96)
    return dst


def read_lines(path):
    return [line.split() for line in path.read_text().splitlines()]


def test_wflw_lists(wflw):
    folder = wflw / 'WFLW_annotations' / 'list_98pt_rect_attr_train_test'
    for split, count in (('train', 12), ('test', 48)):
        lines = read_lines(folder / f'list_98pt_rect_attr_{split}.txt')
        assert len(lines) == count
        for line in lines:
            assert len(line) == 207
            points = np.array(line[:196], float).reshape(98, 2)
            x0, y0, x1, y1 = map(int, line[196:200])
            image = cv2.imread(str(wflw / 'WFLW_images' / line[206]))
            h, w = image.shape[:2]
            assert (points >= [x0, y0]).all() and (points <= [x1, y1]).all()
            assert 0 <= x0 < x1 < w and 0 <= y0 < y1 < h
            assert set(line[200:206]) <= {'0', '1'}


def test_wflw_subset_lists_hold_the_flagged_test_faces(wflw):
    lines = read_lines(wflw / 'WFLW_annotations/list_98pt_rect_attr_train_test/list_98pt_rect_attr_test.txt')
    order = ['largepose', 'expression', 'illumination', 'makeup', 'occlusion', 'blur']
    for k, name in enumerate(order):
        subset = read_lines(wflw / f'WFLW_annotations/list_98pt_test/list_98pt_test_{name}.txt')
        assert subset and all(len(s) == 197 for s in subset)
        assert subset == [line[:196] + line[206:] for line in lines if line[200 + k] == '1']


def test_a_small_set_converts_though_some_subsets_have_no_face(tmp_path):
    from mmpose_sp.convert import wflw as converter

    write_synthetic_faces(tmp_path / 'raw', 'wflw', num_train=1, num_test=6, seed=0, size=64)
    lists = list((tmp_path / 'raw/WFLW_annotations/list_98pt_test').iterdir())
    assert len(lists) < 6 and all(path.stat().st_size for path in lists)
    converter.main([str(tmp_path / 'raw'), str(tmp_path / 'out')])
    assert (tmp_path / 'out/annotations/face_landmarks_wflw_test.json').is_file()


def test_a_full_disk_is_called_by_its_name(tmp_path, disk_of):
    disk_of(500)
    with pytest.raises(OSError, match='File too large'):  # as a limit of the file's size is told
        write_synthetic_faces(tmp_path / 'raw', '300w', num_train=1, num_test=1, size=64)


def test_some_wflw_pictures_show_two_faces(wflw):
    lines = read_lines(wflw / 'WFLW_annotations/list_98pt_rect_attr_train_test/list_98pt_rect_attr_train.txt')
    names = [line[206] for line in lines]
    pair = next(n for n in names if names.count(n) == 2)
    assert cv2.imread(str(wflw / 'WFLW_images' / pair)).shape == (96, 192, 3)
    left, right = (np.array(line[:196], float)[::2] for line in lines if line[206] == pair)
    assert left.max() < 96 < right.min()


def test_every_flag_occurs_in_any_48_faces():
    for seed in range(5):
        for start in (0, 100):
            counts = np.zeros(6, int)
            for i in range(start, start + 48):
                p = planned_face(seed, 'wflw', 'test', i)
                counts[0] += abs(p.yaw) > 30 or abs(p.pitch) > 20
                counts[1] += max(p.mouth_open, p.smile, p.frown, *p.eye_closure, *np.abs(p.brow_raise)) > 0.5
                counts[2] += p.light != 'soft'
                counts[3] += p.lip_colour is not None or p.eye_shadow is not None
                counts[4] += p.occluder is not None
                counts[5] += p.blur is not None
            assert (counts >= 4).all() and (counts <= 16).all()


def test_cofw_mat_reads_as_the_official_one(tmp_path):
    write_synthetic_faces(tmp_path / 'cofw', 'cofw', num_train=6, num_test=5, seed=2, size=128)
    assert (tmp_path / 'cofw/COFW_train_color.mat').read_bytes().startswith(b'MATLAB 7.3 MAT-file')
    shapes = []
    for name, tag, n in (('train', 'Tr', 6), ('test', 'T', 5)):
        with h5py.File(tmp_path / f'cofw/COFW_{name}_color.mat', 'r') as f:
            phis, boxes, images = f[f'phis{tag}'][()], f[f'bboxes{tag}'][()], f[f'Is{tag}']
            assert phis.shape == (87, n) and boxes.shape == (4, n) and images.shape == (1, n)
            for i in range(n):
                image = f[images[0, i]][()].transpose()
                shapes.append(image.shape)
                assert image.dtype == np.uint8
                points = phis[:58, i].reshape(2, 29).T
                assert points.min() >= 1 and (points <= image.shape[1::-1]).all()
                assert set(np.unique(phis[58:, i])) <= {0.0, 1.0}
                x, y, w, h = boxes[:, i]
                assert (np.abs(points.min(0) - [x, y]) <= 1).all()
                assert (np.abs(np.ptp(points, axis=0) - [w, h]) <= 1).all()
                if name == 'train':
                    face = render_face(planned_face(2, 'cofw', 'train', i), image.shape[0])
                    np.testing.assert_allclose(points - 1, face.landmarks['cofw'])
                    if image.ndim == 3:
                        np.testing.assert_array_equal(image[..., ::-1], face.image)
    assert {len(s) for s in shapes} == {2, 3} and len({s[0] for s in shapes}) > 1


def test_300w_folders_and_pts(tmp_path):
    write_synthetic_faces(tmp_path / '300w', '300w', num_train=9, num_test=6, seed=1, size=96)
    counts = {}
    for pts in sorted((tmp_path / '300w').rglob('*.pts')):
        lines = pts.read_text().splitlines()
        assert lines[:3] == ['version: 1', 'n_points: 68', '{'] and lines[-1] == '}' and len(lines) == 72
        points = np.array([line.split() for line in lines[3:-1]], float)
        image = cv2.imread(str(next(p for p in pts.parent.glob(f'{pts.stem}.*') if p.suffix in ('.jpg', '.png'))))
        part = str(pts.parent.relative_to(tmp_path / '300w'))
        face = render_face(
            planned_face(1, '300w', part, counts.get(part, 0), 'ibug' if part == 'ibug' else ''), len(image)
        )
        np.testing.assert_allclose(points - 1, face.landmarks['300w'], atol=1e-6)  # .pts count from 1
        counts[part] = counts.get(part, 0) + 1
    assert set(counts) == {'afw', 'helen/trainset', 'helen/testset', 'lfpw/trainset', 'lfpw/testset', 'ibug'}
    assert counts['afw'] + counts['helen/trainset'] + counts['lfpw/trainset'] == 9
    assert counts['helen/testset'] + counts['lfpw/testset'] + counts['ibug'] == 6


def files(folder):
    return sorted(p.relative_to(folder) for p in folder.rglob('*') if p.is_file())


def test_files_depend_neither_on_workers_nor_on_the_count(tmp_path):
    for name, workers, count in (('a', 1, 6), ('b', 2, 6), ('c', 1, 9)):
        write_synthetic_faces(tmp_path / name, 'all', count, 3, seed=9, size=64, workers=workers)
    assert files(tmp_path / 'a') == files(tmp_path / 'b')
    same = filecmp.cmpfiles(tmp_path / 'a', tmp_path / 'b', files(tmp_path / 'a'), shallow=False)
    assert same[1] == [] and same[2] == []
    train = 'wflw/WFLW_annotations/list_98pt_rect_attr_train_test/list_98pt_rect_attr_train.txt'
    assert (tmp_path / 'c' / train).read_text().startswith((tmp_path / 'a' / train).read_text())


def test_refuses_to_overwrite_unless_told(tmp_path):
    (tmp_path / 'mine.txt').write_text('precious')
    with pytest.raises(FileExistsError, match='--overwrite'):
        write_synthetic_faces(tmp_path, 'wflw', 2, 1, size=64)
    write_synthetic_faces(tmp_path, 'wflw', 2, 1, size=64, overwrite=True)
    assert not (tmp_path / 'mine.txt').exists() and (tmp_path / 'WFLW_images').is_dir()


def test_a_failure_leaves_nothing_behind(tmp_path, monkeypatch):
    def fail(job):
        raise RuntimeError('disk on fire')

    monkeypatch.setattr(writers, '_draw', fail)
    with pytest.raises(RuntimeError, match='disk on fire'):
        write_synthetic_faces(tmp_path / 'dst', 'wflw', 2, 1, size=64)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'layout': 'aflw'}, 'unknown layout'),
        ({'size': 97}, 'even'),
        ({'size': 32}, 'at least 64'),
        ({'num_train': 0, 'num_test': 0}, 'nothing to render'),
    ],
)
def test_bad_requests(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        write_synthetic_faces(tmp_path / 'dst', **changes)
    assert not (tmp_path / 'dst').exists()


def test_unknown_attribute():
    with pytest.raises(ValueError, match="unknown face attributes \\['pose'\\]"):
        sample_face(np.random.default_rng(0), {'pose': 1})


def test_command_line(tmp_path, monkeypatch, capsys):
    dst = tmp_path / 'faces'
    argv = [str(CLI), str(dst), '--layout', '300w', '--num-train', '3', '--num-test', '3', '--size', '64']
    monkeypatch.setattr(sys, 'argv', argv)
    runpy.run_path(str(CLI), run_name='__main__')
    assert len(list(dst.rglob('*.pts'))) == 6 and str(dst) in capsys.readouterr().out
    with pytest.raises(SystemExit, match='not empty'):
        runpy.run_path(str(CLI), run_name='__main__')

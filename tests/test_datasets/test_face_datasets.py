"""Face datasets: what reaches the pipeline, and what is refused before training starts."""

import copy
import json
import os
import warnings

import cv2
import numpy as np
import pytest
from mmpose.datasets.datasets.face import COFWDataset, Face300WDataset, WFLWDataset
from mmpose.registry import DATASETS
from tools_by_path import data_folder

import mmpose_sp  # noqa: F401
from mmpose_sp.datasets.face import SPCOFWDataset, SPFace300WDataset, SPWFLWDataset
from mmpose_sp.faces import read_crop_list

WIDTH, HEIGHT = 120, 90
CLASSES = {98: SPWFLWDataset, 29: SPCOFWDataset, 68: SPFace300WDataset}
PIPELINE = [
    {'type': 'mmpose.LoadImage'},
    {'type': 'mmpose.GetBBoxCenterScale'},
    {'type': 'mmpose.TopdownAffine', 'input_size': (64, 64)},
    {'type': 'mmpose.PackPoseInputs'},
]


def make_tables(num_keypoints=98, faces=3):
    """COCO-style tables of ``faces`` images with one face each, as the converters write them."""
    rng = np.random.default_rng(0)
    images, annotations = [], []
    for i in range(1, faces + 1):
        points = rng.uniform([20, 30], [70, 80], (num_keypoints, 2)).round(2)
        images.append({'id': i, 'file_name': f'{i}.png', 'width': WIDTH, 'height': HEIGHT})
        face = dict(id=10 + i, image_id=i, category_id=1, iscrowd=0, attributes={'blur': i % 2, 'makeup': 0})
        face.update(bbox=[10.0, 20.0, 60.0, 65.0], area=3900.0, rect=[12, 22, 72, 82], center=[40.0, 52.5], scale=0.325)
        face.update(num_keypoints=num_keypoints, keypoints=np.insert(points, 2, 1, axis=1).ravel().tolist())
        annotations.append(face)
    return {'images': images, 'annotations': annotations, 'categories': [{'id': 1, 'name': 'face'}]}


@pytest.fixture
def tables():
    return make_tables()


@pytest.fixture
def build(tmp_path):
    """Writes tables and images, and builds the dataset that goes with ``num_keypoints``."""

    def _build(tables, num_keypoints=98, cls=None, images=True, **kwargs):
        (tmp_path / 'images').mkdir(exist_ok=True)
        text = json.dumps(tables) if isinstance(tables, dict) else tables
        (tmp_path / 'ann.json').write_bytes(text if isinstance(text, bytes) else text.encode())
        if images:
            noise = np.random.default_rng(1).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
            for row in tables['images']:
                cv2.imwrite(str(tmp_path / 'images' / row['file_name']), noise)
        kwargs.setdefault('pipeline', PIPELINE)
        return (cls or CLASSES[num_keypoints])(
            ann_file='ann.json', data_root=str(tmp_path), data_prefix={'img': 'images/'}, **kwargs
        )

    return _build


def annotated(tables, i=0):
    return np.array(tables['annotations'][i]['keypoints']).reshape(-1, 3)


def set_points(tables, points, i=0):
    tables['annotations'][i]['keypoints'] = np.asarray(points, dtype=float).ravel().tolist()


# what reaches the pipeline


@pytest.mark.parametrize('num_keypoints, stock', [(98, WFLWDataset), (29, COFWDataset), (68, Face300WDataset)])
def test_landmarks_are_those_of_the_stock_dataset(build, num_keypoints, stock):
    tables = make_tables(num_keypoints)
    ours, theirs = build(tables, num_keypoints), build(tables, num_keypoints, cls=stock)
    assert len(ours) == len(theirs) == 3
    assert ours.metainfo['dataset_name'] == theirs.metainfo['dataset_name']
    for a, b in zip(ours, theirs):
        a, b = a['data_samples'], b['data_samples']
        np.testing.assert_array_equal(a.gt_instances.keypoints, b.gt_instances.keypoints)
        np.testing.assert_array_equal(a.gt_instances.keypoints_visible, b.gt_instances.keypoints_visible)
        assert (a.id, a.img_id, a.img_path) == (b.id, b.img_id, b.img_path)


def test_attributes_travel_through_the_pipeline(build, tables):
    samples = [item['data_samples'] for item in build(tables)]
    assert [sample.raw_ann_info['attributes']['blur'] for sample in samples] == [1, 0, 1]
    assert [sample.raw_ann_info['rect'] for sample in samples] == [[12, 22, 72, 82]] * 3


def test_samples_do_not_share_their_annotation(build, tables):
    dataset = build(tables, serialize_data=False)
    dataset[0]['data_samples'].raw_ann_info['attributes']['blur'] = 7
    assert dataset[0]['data_samples'].raw_ann_info['attributes']['blur'] == 1


@pytest.mark.parametrize('num_keypoints', [98, 29, 68])
@pytest.mark.parametrize('box, expected', [('bbox', [10, 20, 70, 85]), ('rect', [12, 22, 72, 82]), ('landmarks', None)])
def test_one_box_gives_bbox_center_and_scale(build, num_keypoints, box, expected):
    tables = make_tables(num_keypoints)
    info = build(tables, num_keypoints, box=box).get_data_info(0)
    if expected is None:
        points = annotated(tables)[:, :2]
        expected = [*points.min(axis=0), *points.max(axis=0)]
    x1, y1, x2, y2 = expected
    np.testing.assert_allclose(info['bbox'], [expected], rtol=1e-6)
    np.testing.assert_allclose(info['bbox_center'], [[(x1 + x2) / 2, (y1 + y2) / 2]], rtol=1e-6)
    np.testing.assert_allclose(info['bbox_scale'], [[max(x2 - x1, y2 - y1)] * 2], rtol=1e-5)


def test_box_of_the_annotated_centre_and_scale(build, tables):
    info = build(tables, box='center_scale').get_data_info(0)  # (40, 52.5), 0.325
    np.testing.assert_allclose(info['bbox'], [[7.5, 20, 72.5, 85]])


@pytest.mark.parametrize('lost', ['center', 'scale'])
def test_an_annotation_without_centre_or_scale(build, tables, lost):
    tables['annotations'][1].pop(lost)
    with pytest.raises(ValueError, match="annotation 12 .* has no 'center_scale'"):
        build(tables, box='center_scale')


def write_crop_list(path, tables, names=False, shift=0.0):
    """The list of ADNet that has the faces of ``tables`` from last to first, each with a crop of its own."""
    lines = ['image\tlandmarks_5pts\tlandmarks_target\tscale\tcenter_w\tcenter_h'] * names
    for i in reversed(range(len(tables['annotations']))):
        points = ','.join(f'{value + shift:.4f}' for value in annotated(tables, i)[:, :2].ravel())
        lines.append(f'./rawImages/{i}.jpg\t{"1,2," * 4}1,2\t{points}\t{0.1 + 0.1 * i}\t{40 + i}\t50.5\t0,1,0,0,0,0')
    path.write_text('\n'.join(lines) + '\n')
    return str(path)


@pytest.mark.parametrize(('names', 'shift'), [(False, 0.0), (True, 0.0), (False, 1.0)])
def test_crops_of_a_list_belong_to_their_faces(build, tables, tmp_path, names, shift):
    """Side 200 * scale around the centre; the list has another order, other names, and may count pixels from 1."""
    dataset = build(tables, box=write_crop_list(tmp_path / 'test.tsv', tables, names, shift))
    for i, side in enumerate((20, 40, 60)):
        expected = [40 + i - side / 2, 50.5 - side / 2, 40 + i + side / 2, 50.5 + side / 2]
        np.testing.assert_allclose(dataset.get_data_info(i)['bbox'], [expected], rtol=1e-6)


def test_a_face_that_a_crop_list_lacks_is_named(build, tables, tmp_path):
    path = write_crop_list(tmp_path / 'test.tsv', tables)
    tables['annotations'][1]['keypoints'][0] += 2
    with pytest.raises(ValueError, match=r'annotation 12 .* has no crop in .*test\.tsv'):
        build(tables, box=path)


@pytest.mark.parametrize(
    ('line', 'message'),
    [
        ('a.jpg\t1,2\t1,2', r':1: 3 fields between tabs'),
        ('a.jpg\t1,2\t1,2\tbig\t3\t4', r':1: field 1 is "big", not a number'),
        ('a.jpg\t1,2\t1,2,3\t1\t3\t4', r':1: 1\.5 landmarks'),
        ('a.jpg\t1,2\t1,2\t1\t3\t4\na.jpg\t1,2\t1,2,3,4\t1\t3\t4', r':2: 2 landmarks'),
        ('a.jpg\t1,2\t1,2\t0\t3\t4', r':1: scale 0 .* no crop'),
        ('image\tpoints\tpoints\tscale\tx\ty', r'no faces'),
    ],
)
def test_a_broken_crop_list(tmp_path, line, message):
    (tmp_path / 'a.tsv').write_text(line)
    with pytest.raises(ValueError, match=message):
        read_crop_list(tmp_path / 'a.tsv')


def test_landmark_box_leaves_out_what_is_not_annotated(build, tables):
    points = annotated(tables)
    points[0] = 0, 0, 0
    set_points(tables, points)
    info = build(tables).get_data_info(0)
    np.testing.assert_allclose(info['bbox'][0, :2], points[1:, :2].min(axis=0), rtol=1e-6)


def test_files_without_mmposes_extra_fields_load(build, tables):
    for row in tables['annotations']:
        for field in ('center', 'scale', 'iscrowd', 'num_keypoints', 'area', 'attributes', 'rect'):
            del row[field]
    for num_keypoints in (98, 68):
        for row in tables['annotations']:
            row['keypoints'] = row['keypoints'][: 3 * num_keypoints]
        assert len(build(tables, num_keypoints)) == 3


def test_metainfo_does_not_depend_on_the_working_directory(tmp_path, monkeypatch):
    shadow = tmp_path / 'configs' / '_base_' / 'datasets'
    shadow.mkdir(parents=True)
    for name in ('wflw', 'cofw', '300w'):
        (shadow / f'{name}.py').write_text("dataset_info = dict(dataset_name='shadow')")
    monkeypatch.chdir(tmp_path)
    for num_keypoints, cls in CLASSES.items():
        assert cls(lazy_init=True).metainfo['num_keypoints'] == num_keypoints


@pytest.mark.parametrize('cls', CLASSES.values())
def test_inferencer_finds_the_face_detector(cls):
    """mmpose reads the object type from the module path."""
    assert DATASETS.get(cls.__name__) is cls
    assert cls.__module__.split('datasets.')[-1].split('.')[0].lower() == 'face'


# what is refused


def test_unknown_box():
    with pytest.raises(ValueError, match="box must be one of .* got 'head'"):
        SPWFLWDataset(box='head')


def test_missing_annotation_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'none\.json does not exist: check data_root'):
        SPWFLWDataset(ann_file=str(tmp_path / 'none.json'))


@pytest.mark.parametrize(
    'content, message',
    [
        ('', r'ann\.json is empty'),
        ('{"images": [{"id": 1, "file_na', r'ann\.json is not valid JSON .*truncated'),
        (b'\xff\xd8\xff\xe0', r'ann\.json is not valid JSON'),
        ('[]', r'ann\.json holds a list'),
        ('{}', r'ann\.json has no images'),
    ],
)
def test_broken_annotation_file(build, content, message):
    with pytest.raises(ValueError, match=message):
        build(content, images=False)


def changed(**fields):
    """Spoils the second annotation; so do the next two."""
    return lambda tables: tables['annotations'][1].update(fields)


def landmark_7(x):
    return lambda tables: tables['annotations'][1]['keypoints'].__setitem__(3 * 7, x)


def moved(change):
    return lambda tables: set_points(tables, change(annotated(tables, 1)), 1)


@pytest.mark.parametrize(
    'spoil, message',
    [
        (lambda t: t['annotations'].clear(), r'ann\.json has no annotations'),
        (lambda t: t['annotations'][1].pop('bbox'), r"ann\.json: 1 annotations \(12\) lack the field 'bbox'"),
        (changed(image_id=99), r'ann\.json: annotations 12 belong to images that are not'),
        (changed(id=11), r'ann\.json: 1 ids of annotations are used twice'),
        (changed(category_id=2), r'ann\.json: annotations of category 2, but its categories are 1'),
        (
            lambda t: t['categories'][0].update(keypoints=['kpt'] * 29),
            r'29 landmarks, the dataset has 98.*another dataset',
        ),
        (moved(lambda points: points[:-1]), r'ann\.json: annotation 12 \(image 2\.png\): 97 landmarks .* has 98'),
        (landmark_7(float('nan')), r'annotation 12 \(image 2\.png\): landmark 7 is NaN'),
        (landmark_7(None), r'annotation 12 \(image 2\.png\): landmark 7 is NaN'),
        (moved(lambda points: points * [1, 1, 0]), r'annotation 12 \(image 2\.png\): no landmark is annotated'),
        (
            moved(lambda points: points + [WIDTH, 0, 0]),
            r'annotation 12 \(image 2\.png\): all landmarks lie outside .* 120 x 90 px',
        ),
        (landmark_7(1e6), r'annotation 12 \(image 2\.png\): landmark 7 at \[1000000\.0, .* is far away from the face'),
        (
            lambda t: (t['images'][1].pop('width'), landmark_7(1e6)(t)),
            r'annotation 12 \(image 2\.png\): landmark 7 at \[1000000\.0, .* is far away',
        ),
        (
            moved(lambda points: 0 * points + [30, 40, 1]),
            r'annotation 12 \(image 2\.png\): the face box \(landmarks\) .* has no area',
        ),
        (lambda t: [row.update(iscrowd=1) for row in t['annotations']], r'ann\.json: all faces are marked iscrowd'),
    ],
)
def test_spoilt_annotation(build, tables, spoil, message):
    spoil(tables)
    with pytest.raises(ValueError, match=message):
        build(tables)


@pytest.mark.parametrize('box', ['bbox', 'rect'])
def test_zero_size_and_missing_boxes(build, tables, box):
    spoilt = copy.deepcopy(tables)
    spoilt['annotations'][1][box] = [10, 10, 0, 20] if box == 'bbox' else [10, 10, 10, 30]
    with pytest.raises(ValueError, match=rf"annotation 12 .*\({box}\).* no area.*box='landmarks'"):
        build(spoilt, box=box)
    assert len(build(spoilt, box='landmarks')) == 3
    tables['annotations'][1][box] = None
    with pytest.raises(ValueError, match=f"annotation 12 .* has no '{box}'"):
        build(tables, box=box)


def test_landmarks_partly_outside_are_counted(build, tables):
    points = annotated(tables, 1)
    points[:4, 0] = [-0.6, -0.5, WIDTH - 0.5, WIDTH - 0.4]  # the border pixels reach half a pixel out
    set_points(tables, points, 1)
    with pytest.warns(UserWarning, match=r'ann\.json: 2 landmarks of 1 of 3 faces lie outside'):
        assert len(build(tables)) == 3


def test_a_face_marked_iscrowd_is_left_out_with_a_warning(build, tables):
    tables['annotations'][1]['iscrowd'] = 1
    with pytest.warns(UserWarning, match='1 faces are marked iscrowd'):
        assert len(build(tables)) == 2


def test_clean_data_gives_no_warning(build, tables):
    with warnings.catch_warnings():
        warnings.simplefilter('error', UserWarning)
        build(tables)


@pytest.mark.parametrize('empty', [False, True])
def test_missing_images_are_counted(build, tables, tmp_path, empty):
    build(tables)
    for name in ('1.png', '3.png'):
        os.remove(tmp_path / 'images' / name)
        if empty:
            (tmp_path / 'images' / name).touch()
    with pytest.raises(FileNotFoundError, match=r'2 of 3 images of .*1\.png, .*3\.png\): check data_'):
        build(tables, images=False)


@pytest.mark.parametrize('suffix', ['.jpg', '.png'])
@pytest.mark.parametrize('damage', [lambda b: b[: len(b) // 2], lambda b: b'<html>' + b[6:]])
def test_damaged_image_is_found_while_loading(build, tables, tmp_path, suffix, damage):
    for row in tables['images']:
        row['file_name'] = row['file_name'].replace('.png', suffix)
    assert len(build(tables)) == 3
    image = tmp_path / 'images' / f'2{suffix}'
    image.write_bytes(damage(image.read_bytes()))
    with pytest.raises(ValueError, match=rf'1 of 3 images of .* cannot be decoded \(.*2\{suffix}\)'):
        build(tables, images=False)


@pytest.mark.parametrize('test_mode', [False, True])
@pytest.mark.parametrize('ignore_empty', [False, True])
def test_unreadable_image_is_never_replaced_by_another(build, tables, tmp_path, ignore_empty, test_mode):
    """mmengine would draw another face where the image transform returns None."""
    load = {'type': 'mmpose.LoadImage', 'ignore_empty': ignore_empty}
    dataset = build(tables, pipeline=[load, *PIPELINE[1:]], test_mode=test_mode)
    (tmp_path / 'images' / '2.png').unlink()
    dataset[0]
    with pytest.raises(RuntimeError, match=r'2\.png \(annotation 12 of .*ann\.json\): the image'):
        dataset[1]


def test_failing_transform_names_the_image(build, tables):
    def fail(results):
        raise ValueError('no such boundary')

    dataset = build(tables, pipeline=[PIPELINE[0], fail])
    message = r'1\.png \(annotation 11 of .*ann\.json\): no such boundary'
    with pytest.raises(RuntimeError, match=message):
        dataset[0]


def test_a_transform_may_still_reject_a_face(build, tables):
    """mmengine then draws another one, as it does for every dataset."""
    dataset = build(tables, pipeline=[PIPELINE[0], lambda r: None if r['id'] == 11 else r['id']])
    np.random.seed(0)  # noqa: NPY002  mmengine draws from it
    assert dataset[0] in (12, 13)


def test_image_of_another_size_is_refused(build, tables, tmp_path):
    dataset = build(tables)
    cv2.imwrite(str(tmp_path / 'images' / '2.png'), np.zeros((45, 60, 3), np.uint8))
    with pytest.raises(RuntimeError, match=r'2\.png .*has 60 x 45 px, the annotation file says 120 x 90'):
        dataset[1]
    assert build(tables, images=False, check_images=False)[1] is not None


@pytest.mark.parametrize('folder, cls, faces', [('wflw', SPWFLWDataset, 4), ('cofw', SPCOFWDataset, 2)])
def test_files_of_mmpose_load(folder, cls, faces):
    root = data_folder('mmpose_samples', folder)
    dataset = cls(ann_file=f'{root}/test_{folder}.json', data_prefix={'img': str(root)}, pipeline=PIPELINE)
    assert len([dataset[i] for i in range(len(dataset))]) == faces

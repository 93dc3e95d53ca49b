"""What converters refuse, report and hold out."""

import json

import cv2
import h5py
import numpy as np
import pytest
from raw_layouts import (
    WFLW_LISTS,
    cofw_table,
    keypoints,
    points,
    read_json,
    write_cofw,
    write_image,
    write_pts,
)

from mmpose_sp.convert import cofw, wflw
from mmpose_sp.convert import face_300w as w300
from mmpose_sp.convert.raw_faces import RawFace, check_points, find_duplicates, image_size
from mmpose_sp.convert.reports import check_counts
from mmpose_sp.convert.splits import hold_out, photo_of
from mmpose_sp.faces.annotation_files import AnnotationError


# ---- counts, duplicates, splits
@pytest.mark.parametrize(('tool', 'raw'), [(wflw, 'wflw_raw'), (cofw, 'cofw_raw'), (w300, 'raw_300w')])
def test_a_partial_set_is_a_loud_warning_or_an_error(tool, raw, tmp_path, request, capsys):
    source = str(request.getfixturevalue(raw))
    with pytest.raises(AnnotationError, match='is NOT'):
        tool.main([source, str(tmp_path / 'out'), '--strict'])
    assert not (tmp_path / 'out').exists()
    tool.main([source, str(tmp_path / 'out')])
    shown = capsys.readouterr().err
    assert '#' * 60 in shown and 'is NOT' in shown
    number = {wflw: '7,500', cofw: '1,345', w300: '2,000'}[tool]
    assert f'published  {number}' in shown
    train = next((tmp_path / 'out/annotations').glob('*train.json'))
    assert json.loads(train.read_text())['info']['complete'] is False


def test_published_counts_are_quiet(capsys):
    assert check_counts('X', {'train': 3}, {'train': 3}, strict=True)
    assert 'WARNING' not in capsys.readouterr().err


def test_duplicates_are_reported(raw_300w, tmp_path, capsys):
    (raw_300w / 'afw/5_1.pts').write_bytes((raw_300w / 'afw/99_1.pts').read_bytes())
    write_image(raw_300w / 'afw/5_1.jpg')
    w300.main([str(raw_300w), str(tmp_path / 'out')])
    assert '1 faces stand there twice' in capsys.readouterr().err
    assert len(read_json(tmp_path / 'out', 'face_landmarks_300w_train.json')['annotations']) == 6


def face(name, seed=0, photo=None, size=(64, 48)):
    return RawFace(name, size, points(68, seed, size), photo or name, name)


def test_same_landmarks_in_images_of_other_size_are_no_duplicates():
    other = RawFace('b', (640, 480), points(68, 0), 'b', 'b')
    assert not find_duplicates([face('a'), other])
    assert len(find_duplicates([face('a'), face('b')])) == 1


def test_photo_shared_by_train_and_test_is_reported(wflw_raw, tmp_path, capsys):
    path = wflw_raw / WFLW_LISTS.format('test')
    path.write_text(path.read_text().replace('1--Test/0.jpg', '0--Parade/0.jpg'))
    wflw.main([str(wflw_raw), str(tmp_path / 'out')])
    assert '1 photos are in both train and test: 0--Parade/0.jpg' in capsys.readouterr().err


def test_photo_of():
    assert [photo_of(name) for name in ('afw/134212_2', 'ibug/image_092 _01')] == ['afw/134212', 'ibug/image_092']
    for name in ('lfpw/trainset/image_0001', 'Test/01_Indoor/indoor_001'):
        assert photo_of(name) == name


def test_hold_out_follows_the_seed_and_not_the_order():
    faces = [face(f'{i}_{j}', i, str(i)) for i in range(100) for j in range(1 + i % 3)]
    val = hold_out(faces, 0.2, seed=1)[1]
    assert {f.photo for f in hold_out(faces, 0.2, seed=2)[1]} != {f.photo for f in val}
    assert [f.file_name for f in hold_out(faces[::-1], 0.2, seed=1)[1]][::-1] == [f.file_name for f in val]


def test_val_fraction_writes_two_more_files(wflw_raw, tmp_path):
    wflw.main([str(wflw_raw), str(tmp_path / 'out'), '--val-fraction', '0.25'])
    train, part, val = (
        read_json(tmp_path / 'out', f'face_landmarks_wflw_{n}.json') for n in ('train', 'train_part', 'val')
    )
    assert [len(c['annotations']) for c in (train, part, val)] == [8, 6, 2]
    assert len(val['images']) == 1  # both faces of one image
    ids = {a['id'] for c in (part, val) for a in c['annotations']}
    assert ids == {a['id'] for a in train['annotations']}


def test_val_list_names_the_images(cofw_raw, tmp_path):
    (tmp_path / 'val.txt').write_text('000002.jpg\n')
    cofw.main([str(cofw_raw), str(tmp_path / 'out'), '--val-list', str(tmp_path / 'val.txt')])
    assert [i['id'] for i in read_json(tmp_path / 'out', 'cofw_val.json')['images']] == [2]
    assert [i['id'] for i in read_json(tmp_path / 'out', 'cofw_train_part.json')['images']] == [1, 3]


def test_val_list_with_a_name_that_is_not_there(cofw_raw, tmp_path):
    (tmp_path / 'val.txt').write_text('000004\n')  # a test image
    with pytest.raises(AnnotationError, match=r'val.txt: 1 names are not in the training set: 000004'):
        cofw.main([str(cofw_raw), str(tmp_path / 'out'), '--val-list', str(tmp_path / 'val.txt')])


# ---- bad input
def replace_field(path, field, value, line=0):
    lines = path.read_text().splitlines()
    fields = lines[line].split()
    fields[field] = value
    lines[line] = ' '.join(fields)
    path.write_text('\n'.join(lines))


@pytest.mark.parametrize(
    ('field', 'value', 'message'),
    [
        (5, 'nan', r'train.txt:1: landmark 2 is .*nan.*not finite'),
        (4, '900', r'train.txt:1: landmark 2 .* far outside the 64 x 48 image'),
        (7, 'x', r'train.txt:1: field 8 is "x", not a number'),
        (201, '2', r'train.txt:1: attribute flags'),
        (198, 'inf', r'train.txt:1: box .*inf'),
        (198, '3', r'train.txt:1: box'),
        (206, 'gone.jpg', r'gone.jpg: image is missing'),
        (206, '../x.jpg', r'x.jpg'),
        (206, '', r'train.txt:1: 206 fields, expected 207'),
    ],
)
def test_bad_wflw_line(wflw_raw, tmp_path, field, value, message):
    replace_field(wflw_raw / WFLW_LISTS.format('train'), field, value)
    with pytest.raises(AnnotationError, match=message):
        wflw.main([str(wflw_raw), str(tmp_path / 'out')])
    assert not (tmp_path / 'out').exists()


def test_all_bad_lines_are_told_at_once(wflw_raw, tmp_path):
    for line in (1, 4):
        replace_field(wflw_raw / WFLW_LISTS.format('train'), 0, 'inf', line)
    with pytest.raises(AnnotationError, match=r'(?s)2 problems.*train.txt:2.*train.txt:5'):
        wflw.main([str(wflw_raw), str(tmp_path / 'out')])


def test_empty_wflw_list(wflw_raw, tmp_path):
    (wflw_raw / WFLW_LISTS.format('test')).write_text('\n')
    with pytest.raises(AnnotationError, match='test.txt: empty list'):
        wflw.main([str(wflw_raw), str(tmp_path / 'out')])


@pytest.mark.parametrize(
    ('tool', 'message'), [(wflw, 'WFLW_annotations'), (cofw, 'COFW_train_color.mat'), (w300, 'no face of 300-W')]
)
def test_wrong_source_folder(tool, message, tmp_path):
    with pytest.raises(AnnotationError, match=message):
        tool.main([str(tmp_path), str(tmp_path / 'out')])


@pytest.mark.parametrize(
    ('edit', 'message'),
    [
        (lambda t: t.replace('}\n', ''), 'no coordinates between'),
        (lambda t: t.replace('{\n', '{\n1 2\n'), r'69 landmarks \(n_points: 68\), expected 68'),
        (lambda t: t.replace('n_points: 68', 'n_points: 49'), 'n_points: 49'),
        (lambda t: t.replace('{\n', '{\n7 '), 'landmark 0 has 3 coordinates'),
        (lambda t: '', 'no coordinates between'),
    ],
)
def test_bad_pts(raw_300w, tmp_path, edit, message):
    path = raw_300w / 'ibug/image_092 _01.pts'
    path.write_text(edit(path.read_text()))
    with pytest.raises(AnnotationError, match=message) as info:
        w300.main([str(raw_300w), str(tmp_path / 'out')])
    assert str(path) in str(info.value)


def test_missing_image_of_a_pts(raw_300w, tmp_path):
    (raw_300w / 'afw/99_1.jpg').unlink()
    with pytest.raises(AnnotationError, match=r'afw/99_1\.jpg.* image is missing'):
        w300.main([str(raw_300w), str(tmp_path / 'out')])


@pytest.mark.parametrize('suffix', ['.jpg', '.png'])
def test_truncated_image(tmp_path, suffix):
    path = tmp_path / f'a{suffix}'
    write_image(path, (300, 200))
    assert image_size(path) == (300, 200)
    path.write_bytes(path.read_bytes()[:-5000])
    with pytest.raises(AnnotationError, match=f'a{suffix}: unreadable image'):
        image_size(path)


def test_image_that_is_none(tmp_path):
    (tmp_path / 'a.jpg').write_text('<html>403</html>')
    with pytest.raises(AnnotationError, match='a.jpg: unreadable image'):
        image_size(tmp_path / 'a.jpg')


def test_image_size_is_what_opencv_delivers_for_a_rotated_photo(tmp_path):
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees
    Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(tmp_path / 'a.jpg', exif=exif)
    assert image_size(tmp_path / 'a.jpg') == cv2.imread(str(tmp_path / 'a.jpg')).shape[1::-1] == (20, 30)


def test_landmarks_a_little_outside_are_kept_and_told(raw_300w, tmp_path, capsys):
    landmarks = points(68, 0)
    landmarks[3] = (-4, 20)
    write_pts(raw_300w / 'afw/99_1.pts', landmarks)
    w300.main([str(raw_300w), str(tmp_path / 'out')])
    assert '1 landmarks of 8 faces lie outside' in capsys.readouterr().out
    train = read_json(tmp_path / 'out', 'face_landmarks_300w_train.json')
    assert keypoints(train['annotations'][2])[3, :2].tolist() == [-4, 20]


def test_landmarks_without_extent():
    with pytest.raises(AnnotationError, match='no extent'):
        check_points(np.ones((68, 2)), (64, 48), 'a.pts')


@pytest.mark.parametrize('keep', [0, 100, 0.5, 0.9])
def test_truncated_mat(cofw_raw, tmp_path, keep):
    path = cofw_raw / 'COFW_test_color.mat'
    content = path.read_bytes()
    path.write_bytes(content[: int(keep if keep > 1 else keep * len(content))])
    with pytest.raises(AnnotationError, match='COFW_test_color.mat.*download and unpack it again'):
        cofw.main([str(cofw_raw), str(tmp_path / 'out')])
    assert not (tmp_path / 'out').exists()


def test_mat_of_another_set(cofw_raw, tmp_path):
    (cofw_raw / 'COFW_train_color.mat').write_bytes((cofw_raw / 'COFW_test_color.mat').read_bytes())
    with pytest.raises(AnnotationError, match=r'no variable IsTr \(it holds .*IsT'):
        cofw.main([str(cofw_raw), str(tmp_path / 'out')])


def test_mat_whose_tables_disagree(cofw_raw, tmp_path):
    phis, boxes = cofw_table(3, 0)
    write_cofw(cofw_raw / 'COFW_train_color.mat', [np.zeros((48, 64), np.uint8)] * 2, phis, boxes[:2], 'Tr')
    with pytest.raises(AnnotationError, match=r'phisTr: shape \(87, 3\), expected 87 x 2'):
        cofw.main([str(cofw_raw), str(tmp_path / 'out')])


def edit_train_mat(cofw_raw, edit):
    with h5py.File(cofw_raw / 'COFW_train_color.mat', 'r+') as file:
        edit(file)


def replaced(name, make):
    def edit(file):
        del file[name]
        make(file, name)

    return edit


def reference_to(target):
    def edit(file):
        references = file['IsTr'][()]
        references[0, 1] = target(file, references)
        file['IsTr'][...] = references

    return edit


OF_OTHER_TYPES = {
    'a table is a group': replaced('phisTr', lambda file, name: file.create_group(name)),
    'the cells are a group': replaced('IsTr', lambda file, name: file.create_group(name)),
    'cells of numbers': replaced('IsTr', lambda file, name: file.create_dataset(name, data=np.zeros((1, 3)))),
    'a table of text': replaced('phisTr', lambda file, name: file.create_dataset(name, data=np.full((87, 3), b'x'))),
    'a table of records': replaced('phisTr', lambda file, name: file.create_dataset(name, (87, 3), [('a', 'f4')])),
    'complex numbers': replaced(
        'bboxesTr', lambda file, name: file.create_dataset(name, data=np.ones((4, 3), complex))
    ),
    'a frame is a group': reference_to(lambda file, _: file.create_group('other').ref),
    'a frame is text': reference_to(lambda file, _: file.create_dataset('other', data='text').ref),
    'no frame': reference_to(lambda *_: h5py.Reference()),
}


@pytest.mark.parametrize('edit', OF_OTHER_TYPES.values(), ids=OF_OTHER_TYPES)
def test_mat_of_other_types(cofw_raw, tmp_path, edit):
    edit_train_mat(cofw_raw, edit)
    with pytest.raises(AnnotationError, match='COFW_train_color.mat.*download and unpack it again'):
        cofw.main([str(cofw_raw), str(tmp_path / 'out')])


def test_two_faces_with_one_frame(cofw_raw, tmp_path):
    edit_train_mat(cofw_raw, reference_to(lambda file, references: references[0, 0]))
    with pytest.raises(AnnotationError, match='train_color.mat: face 2: has the frame of face 1'):
        cofw.main([str(cofw_raw), str(tmp_path / 'out')])


def test_a_wflw_list_with_x_and_y_swapped(wflw_raw, tmp_path, capsys):
    path = wflw_raw / WFLW_LISTS.format('train')
    rows = [line.split() for line in path.read_text().splitlines()]
    for row in rows:
        row[0:196:2], row[1:196:2] = row[1:196:2], row[0:196:2]
    path.write_text('\n'.join(' '.join(row) for row in rows))
    with pytest.raises(AnnotationError, match=r'8 of 8 faces fit their boxes better with x and y .*train.txt:1,'):
        wflw.main([str(wflw_raw), str(tmp_path / 'out')])


def test_a_cofw_table_with_x_and_y_swapped(cofw_raw, tmp_path):
    def swap(file):
        table = file['phisTr'][()]
        file['phisTr'][...] = np.concatenate([table[29:58], table[:29], table[58:]])

    edit_train_mat(cofw_raw, swap)
    with pytest.raises(AnnotationError, match='3 of 3 faces fit their boxes better with x and y'):
        cofw.main([str(cofw_raw), str(tmp_path / 'out')])


def test_a_face_outside_of_its_box_is_told(wflw_raw, tmp_path, capsys):
    for field, value in zip(range(196, 200), ('0', '0', '3', '2')):
        replace_field(wflw_raw / WFLW_LISTS.format('train'), field, value, line=4)
    wflw.main([str(wflw_raw), str(tmp_path / 'out')])
    assert '1 faces lie outside of their official box' in (err := capsys.readouterr().err) and 'train.txt:5' in err

"""Contact sheets, and the sheets of predictions."""

import pickle

import cv2
import numpy as np
import pytest

from mmpose_sp.visualization import (
    PredictedFace,
    contact_sheet,
    fit_tile,
    group_by_subset,
    load_predictions,
    select_faces,
    subset_overview,
    subset_sheet,
    write_image,
)


def flat(value, height=20, width=20):
    return np.full((height, width, 3), value, np.uint8)


def test_pictures_stand_in_reading_order():
    sheet = contact_sheet([flat(v) for v in (10, 60, 110, 160, 210)], columns=3, tile=(20, 20), gap=4)
    assert sheet.shape == (2 * 24 + 4, 3 * 24 + 4, 3)
    middles = [sheet[4 + 24 * row + 10, 4 + 24 * column + 10, 0] for row in (0, 1) for column in range(3)]
    assert middles == [10, 60, 110, 160, 210, 255]


def test_captions_and_title_leave_ink_outside_of_the_pictures():
    plain = contact_sheet([flat(255)] * 2, tile=(60, 60))
    written = contact_sheet([flat(255)] * 2, ['one', 'two'], tile=(60, 60), title='a title')
    assert plain.min() == 255 and written.min() < 120
    assert written.shape[0] > plain.shape[0]


def test_a_tile_keeps_the_aspect():
    tile = fit_tile(flat(0, height=10, width=40), (80, 80))
    y, x = np.nonzero(tile[..., 0] < 128)
    assert (np.ptp(x) + 1, np.ptp(y) + 1) == (80, 20)


def test_no_picture_or_another_number_of_captions_is_an_error():
    with pytest.raises(ValueError, match='at least one'):
        contact_sheet([])
    with pytest.raises(ValueError, match='2 pictures but 1 captions'):
        contact_sheet([flat(0)] * 2, ['one'])


def test_empty_rows_are_left_out():
    sheet = subset_sheet([('a', [flat(0)]), ('b', []), ('c', [flat(0)] * 3)], tile=(20, 20), label_width=50, gap=5)
    assert sheet.shape == (5 + 2 * 25, 55 + 3 * 25, 3)


def test_writing_to_an_unknown_format_names_the_file(tmp_path):
    with pytest.raises(OSError, match='face.nonsense'):
        write_image(str(tmp_path / 'face.nonsense'), flat(0))


def face(error, subsets=(), image='x.png'):
    points = np.array([[10.0, 10.0], [40.0, 40.0], [25.0, 40.0]])
    return PredictedFace(image, points, points + 1, subsets, np.ones(3), error)


@pytest.mark.parametrize(
    'how, expected', [('first', [5, 1, 9]), ('best', [1, 3, 5]), ('worst', [9, 7, 5]), ('spread', [1, 5, 9])]
)
def test_selection(how, expected):
    faces = [face(error) for error in (5, 1, 9, 3, 7)]
    assert [f.error for f in select_faces(faces, 3, how)] == expected


def test_random_selection_repeats_with_its_seed():
    faces = [face(error) for error in range(20)]
    first, second, other = ([f.error for f in select_faces(faces, 5, 'random', seed)] for seed in (1, 1, 2))
    assert first == second and first != other


def test_a_face_belongs_to_all_its_subsets_in_the_order_of_the_paper():
    groups = group_by_subset([face(1, ('blur', 'largepose')), face(2, ('largepose',)), face(3)])
    assert list(groups) == ['largepose', 'blur']
    assert [[f.error for f in group] for group in groups.values()] == [[1, 2], [1]]


def test_overview_has_a_row_per_subset(tmp_path):
    path = str(tmp_path / 'face.png')
    cv2.imwrite(path, flat(90, 60, 60))
    faces = [face(1, ('blur',), path), face(2, ('makeup', 'blur'), path)]
    sheet = subset_overview(faces, size=50)
    assert sheet.shape[0] == 6 + 2 * 56


def test_overview_without_subsets_is_an_error():
    with pytest.raises(ValueError, match='no face belongs to a subset'):
        subset_overview([face(1)])


def test_a_dump_of_predictions_is_read_back(tmp_path):
    truth = np.array([[[1.0, 2.0], [3.0, 4.0]]])
    sample = dict(
        img_path='a.jpg',
        id=7,
        raw_ann_info=dict(attributes=dict(blur=1, makeup=0)),
        gt_instances=dict(keypoints=truth, keypoints_visible=np.array([[1.0, 0.0]])),
        pred_instances=dict(keypoints=truth + 1, keypoint_scores=np.array([[0.5, 0.25]])),
    )
    path = tmp_path / 'dump.pkl'
    path.write_bytes(pickle.dumps([sample]))
    (found,) = load_predictions(str(path), {7: 3.5})
    assert found.image == 'a.jpg' and found.subsets == ('blur',) and found.error == 3.5
    assert np.isnan(found.ground_truth[1]).all() and found.ground_truth[0].tolist() == [1, 2]
    assert found.prediction.tolist() == [[2, 3], [4, 5]] and found.confidence.tolist() == [0.5, 0.25]


def test_a_file_that_is_no_dump_is_named(tmp_path):
    (tmp_path / 'no.pkl').write_bytes(pickle.dumps({'a': 1}))
    with pytest.raises(ValueError, match='no.pkl: not a dump'):
        load_predictions(str(tmp_path / 'no.pkl'))

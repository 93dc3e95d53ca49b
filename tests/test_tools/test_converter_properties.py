"""What holds for any raw file: numbers come back, damage is named, photos are never divided."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from hypothesis.extra.numpy import arrays
from raw_layouts import wflw_line, write_pts

from mmpose_sp.convert.coco_writing import landmark_box
from mmpose_sp.convert.splits import hold_out
from mmpose_sp.convert.wflw import IMAGE, read_list
from mmpose_sp.faces.annotation_files import AnnotationError, read_pts

ONE_FOLDER = [HealthCheck.function_scoped_fixture]  # each example writes its file anew
numbers = some.floats(-1e5, 1e5).map(lambda value: round(value, 3))


def faces(count):
    return arrays(np.float64, (count, 2), elements=numbers)


@settings(max_examples=50, deadline=None, suppress_health_check=ONE_FOLDER)
@given(points=faces(5), newline=some.sampled_from(['\n', '\r\n']), start=some.sampled_from(['', '\ufeff']))
def test_pts_files_give_back_what_was_written(points, newline, start, tmp_path):
    write_pts(tmp_path / 'a.pts', points, newline=newline, start=start)
    np.testing.assert_allclose(read_pts(tmp_path / 'a.pts', 5), points, atol=6e-4)


@settings(max_examples=50, deadline=None, suppress_health_check=ONE_FOLDER)
@given(points=faces(98), name=some.text('abc -_/.0', min_size=1).map(str.strip).filter(bool))
def test_wflw_lines_give_back_what_was_written(points, name, tmp_path):
    (tmp_path / 'list.txt').write_text(wflw_line(points, (1, 2, 30, 40), (0, 1, 0, 0, 1, 0), name) + '\n')
    (line,) = read_list(tmp_path / 'list.txt', IMAGE)
    assert line.image == name
    np.testing.assert_allclose(line.numbers, [*points.ravel(), 1, 2, 30, 40, 0, 1, 0, 0, 1, 0], atol=1e-6)


@settings(max_examples=200, deadline=None, suppress_health_check=ONE_FOLDER)
@given(place=some.integers(0, 10**6), piece=some.binary(max_size=8), cut=some.integers(0, 30))
def test_a_damaged_file_is_read_or_named(place, piece, cut, tmp_path):
    """Any bytes in place of any others: numbers, right or wrong, or the error that users are shown."""
    path = tmp_path / 'a.pts'
    write_pts(path, np.arange(10.0).reshape(5, 2))
    data = path.read_bytes()
    place %= len(data)
    path.write_bytes(data[:place] + piece + data[place + cut :])
    try:
        assert read_pts(path, 5).shape == (5, 2)
    except AnnotationError as error:
        assert 'a.pts' in str(error)


@settings(max_examples=100, deadline=None)
@given(points=faces(6), shift=some.integers(-1000, 1000))
def test_the_box_holds_all_landmarks_and_moves_with_them(points, shift):
    box = landmark_box(points)
    x, y, width, height = box.bbox
    assert (points >= (x - 1e-5, y - 1e-5)).all() and (points <= (x + width + 1e-5, y + height + 1e-5)).all()
    moved = landmark_box(points + shift)
    np.testing.assert_allclose(moved.bbox, [x + shift, y + shift, width, height], atol=1e-5)
    np.testing.assert_allclose(moved.center, np.array(box.center) + shift, atol=1.0)


@settings(max_examples=100, deadline=None)
@given(photos=some.lists(some.integers(0, 12), min_size=2, max_size=60), fraction=some.floats(0.05, 0.95))
def test_a_split_divides_no_photo_and_loses_no_face(photos, fraction):
    all_faces = [SimpleNamespace(photo=str(photo), number=number) for number, photo in enumerate(photos)]
    try:
        rest, held = hold_out(all_faces, fraction)
    except AnnotationError:
        return  # too few photos to divide
    assert sorted(face.number for face in rest + held) == list(range(len(photos)))
    assert not {face.photo for face in rest} & {face.photo for face in held}
    largest = max(photos.count(photo) for photo in photos)
    assert len(held) == pytest.approx(fraction * len(photos), abs=largest)

"""tools/infer.py: pictures, predictions and exit status."""

import json

import cv2
import numpy as np
import pytest
from api_helpers import LITE, noise
from test_inputs import write_video
from tools_by_path import load_tool

infer = load_tool('infer')


@pytest.fixture
def run(checkpoint, landmarker, monkeypatch, tmp_path):
    """Run the command; gives its status."""
    monkeypatch.chdir(tmp_path)

    def command(source, *options):
        return infer.main([str(source), str(LITE), str(checkpoint), '--device', 'cpu', *options])

    return command


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / 'photos'
    path.mkdir()
    for name, seed in (('a.jpg', 0), ('b.png', 1)):
        cv2.imwrite(str(path / name), noise(120, 110, seed))
    return path


def test_a_picture_gives_what_mmpose_would_write(run, folder, landmarker, tmp_path):
    status = run(folder / 'a.jpg', '--bboxes', '10,10,90,100', '5,20,60,70.5', '--out-dir', 'out', '--json', 'all.json')
    assert status == 0
    predictions = json.loads((tmp_path / 'out' / 'predictions' / 'a.json').read_text())
    assert predictions == json.loads((tmp_path / 'all.json').read_text())
    faces = landmarker(folder / 'a.jpg', bboxes=[(10, 10, 90, 100), (5, 20, 60, 70.5)])[0].faces
    for written, face in zip(predictions, faces):
        np.testing.assert_allclose(written['keypoints'], face.landmarks, atol=1e-2)
        np.testing.assert_allclose(written['keypoint_scores'], face.confidence, atol=1e-4)
        np.testing.assert_allclose(written['keypoint_covariances'], face.covariance, rtol=1e-3, atol=1e-2)
    assert [written['bbox'] for written in predictions] == [[[10, 10, 90, 100]], [[5, 20, 60, 70.5]]]
    drawn = cv2.imread(str(tmp_path / 'out' / 'visualizations' / 'a.jpg'))
    assert drawn.shape == (110, 120, 3)


def test_predictions_have_the_format_of_mmpose(run, folder, checkpoint, tmp_path):
    from mmpose.apis import MMPoseInferencer

    inferencer = MMPoseInferencer(
        pose2d=str(LITE), pose2d_weights=str(checkpoint), device='cpu', det_model='whole_image'
    )
    next(inferencer(str(folder / 'b.png'), pred_out_dir=str(tmp_path / 'mmpose')))
    run(folder / 'b.png', '--whole-image', '--out-dir', 'out')
    (theirs,) = json.loads((tmp_path / 'mmpose' / 'b.json').read_text())
    (ours,) = json.loads((tmp_path / 'out' / 'predictions' / 'b.json').read_text())
    assert set(ours) == {*theirs, 'keypoint_covariances', 'tail_weight'}
    for key, value in theirs.items():
        np.testing.assert_allclose(ours[key], value, atol=1e-2)


def test_a_bad_file_is_reported_at_the_end(run, folder, tmp_path, capsys):
    (folder / 'aa.jpg').write_bytes(b'broken')
    assert run(folder, '--whole-image', '--out-dir', 'out', '--json', 'all.json') == 1
    output = capsys.readouterr()
    assert 'aa.jpg' in output.err and '3 pictures, 2 faces, 1 failed' in output.out
    records = json.loads((tmp_path / 'all.json').read_text())
    assert [len(record['instances']) for record in records] == [1, 0, 1]
    assert 'error' in records[1] and 'error' not in records[0]
    assert sorted(path.name for path in (tmp_path / 'out').rglob('*.*')) == ['a.jpg', 'a.json', 'b.json', 'b.png']


def test_what_a_folder_leaves_out_is_one_line(run, folder, capsys):
    (folder / 'c.heic').write_bytes(b'nothing')
    assert run(folder, '--whole-image', '--json', 'all.json') == 0
    assert capsys.readouterr().err.splitlines()[0] == f'{folder}: 1 files left out: .heic 1'


def test_a_single_bad_picture_leaves_no_prediction(run, tmp_path):
    (tmp_path / 'bad.png').write_bytes(b'broken')
    assert run('bad.png', '--whole-image', '--json', 'all.json') == 1
    assert not (tmp_path / 'all.json').exists()


def test_boxes_from_a_file(run, folder, tmp_path, capsys):
    (tmp_path / 'boxes.json').write_text(json.dumps({'a.jpg': [[10, 10, 90, 90]], 'b.png': []}))
    assert run(folder, '--bbox-file', 'boxes.json') == 0
    out = capsys.readouterr().out
    assert 'a.jpg: 1 faces' in out and 'b.png: no face found' in out


@pytest.mark.parametrize('pattern', ['photos/**/*.jpg', '{}/photos/**/*.jpg'])
def test_results_lie_as_their_pictures_do(run, folder, tmp_path, pattern):
    for more, seed in (('b', 2), ('b/c', 3)):
        (folder / more).mkdir()
        cv2.imwrite(str(folder / more / 'a.jpg'), np.full((90, 80 + seed, 3), 50 * seed, np.uint8))
    assert run(pattern.format(tmp_path), '--whole-image', '--out-dir', 'out', '--draw', 'landmarks') == 0
    for path in folder.rglob('*.jpg'):
        drawn = tmp_path / 'out' / 'visualizations' / path.relative_to(folder)
        assert cv2.imread(str(drawn)).shape == cv2.imread(str(path)).shape
        assert (tmp_path / 'out' / 'predictions' / path.relative_to(folder)).with_suffix('.json').is_file()


def test_one_picture_of_a_pattern_lies_as_it_does_among_others(run, folder, tmp_path):
    assert run('*/a.jpg', '--whole-image', '--out-dir', 'out') == 0
    assert run(folder, '--whole-image', '--out-dir', 'out') == 0  # beside the folder of that name
    found = {path.relative_to(tmp_path / 'out').as_posix() for path in (tmp_path / 'out').rglob('*.*')}
    drawn = {'visualizations/photos/a.jpg', 'visualizations/a.jpg', 'visualizations/b.png'}
    assert found == drawn | {f'predictions/{name}.json' for name in ('photos/a', 'a', 'b')}


def test_a_pattern_that_leaves_its_folder_writes_nothing_elsewhere(run, folder, tmp_path):
    (folder / 'below').mkdir()
    before = {path: path.read_bytes() for path in tmp_path.rglob('*.*')}
    assert run('photos/b*w/../../photos/a.jpg', '--whole-image', '--out-dir', 'photos/below') == 0
    assert {path: path.read_bytes() for path in before} == before
    assert all(folder / 'below' in path.parents for path in tmp_path.rglob('*.*') if path not in before)


def test_names_that_differ_by_suffix_do_not_replace_each_other(run, folder, tmp_path):
    cv2.imwrite(str(folder / 'a.png'), noise(90, 80))
    assert run(folder, '--whole-image', '--out-dir', 'out') == 0
    shapes = {p.name: cv2.imread(str(p)).shape[:2] for p in (tmp_path / 'out' / 'visualizations').iterdir()}
    assert shapes == {'a.jpg': (110, 120), 'a_2.png': (80, 90), 'b.png': (110, 120)}


def test_a_video(run, tmp_path):
    write_video(tmp_path / 'clip.avi', frames=4)
    assert run('clip.avi', '--bboxes', '10,10,70,70', '--out-dir', 'out', '--draw', 'landmarks', 'ellipses') == 0
    records = json.loads((tmp_path / 'out' / 'predictions' / 'clip.json').read_text())
    assert [record['frame_id'] for record in records] == [0, 1, 2, 3]
    assert all(len(record['instances']) == 1 for record in records)
    capture = cv2.VideoCapture(str(tmp_path / 'out' / 'visualizations' / 'clip.mp4'))
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == 4
    assert capture.read()[1].shape == (80, 96, 3)


@pytest.mark.parametrize(
    ('source', 'options', 'message'),
    [
        ('missing.jpg', [], 'missing.jpg'),
        ('photos', ['--bboxes', '1,2,3,4'], '--bbox-file'),
        ('photos/a.jpg', ['--bboxes', '1,2,3'], "'1,2,3' is not a box"),
        ('photos/a.jpg', ['--bboxes', 'a,b,c,d'], 'X1,Y1,X2,Y2'),
        ('photos', ['--bbox-file', 'missing.json'], 'missing.json'),
        ('photos', ['--bbox-file', 'photos/a.jpg'], 'a.jpg'),
        ('photos', ['--device', 'gpu'], "'gpu'"),
    ],
)
def test_usage_errors_are_one_line(run, folder, capsys, source, options, message):
    assert run(source, *options) == 2
    error = capsys.readouterr().err
    assert message in error and 'Traceback' not in error


def test_a_bad_box_is_the_pictures_error(run, folder, capsys):
    assert run(folder / 'a.jpg', '--bboxes', '9,9,5,5') == 1
    assert 'has no area' in capsys.readouterr().err

"""The folder behind the page: corrections against FaceResult.condition, undo, resume, files that can be trained on."""

import json
from pathlib import Path

import numpy as np
import pytest

from mmpose_sp.faces.annotation_files import AnnotationError, pts_text, read_annotations, read_pts

LITE = '300w_part/td-hm_lite-unet_sp-1xb16-100e_300w-part-128x128.py'
CONFIGS = Path(__file__).resolve().parents[2] / 'configs' / 'face_2d_keypoint' / 'topdown_heatmap'
A, B, EMPTY, BROKEN = range(4)  # the pictures


def points(picture, face=0):
    return np.array(picture['faces'][face]['landmarks'])


def written(opened_folder):
    return json.loads((opened_folder.folder / 'annotations.json').read_text())


def test_a_moved_landmark_takes_the_others_along(opened, landmarker):
    folder = opened()
    found = landmarker.face(folder.histories['a.png'].faces[0].box if folder.look(A) else None)
    moved = folder.move(A, 0, 8, [60.0, 130.0])
    expected = found.condition({8: (60.0, 130.0)})
    np.testing.assert_allclose(points(moved), expected.landmarks, atol=1e-4)
    np.testing.assert_allclose(moved['faces'][0]['covariance'], expected.covariance, atol=1e-5)
    assert moved['faces'][0]['corrected'] == [8] and moved['faces'][0]['confidence'][8] == 1
    again = folder.move(A, 0, 20, [20.0, 90.0])
    both = found.condition({8: (60.0, 130.0), 20: (20.0, 90.0)})
    np.testing.assert_allclose(points(again), both.landmarks, atol=1e-4)


def test_a_landmark_that_is_moved_twice_counts_once(opened):
    folder = opened()
    folder.look(A)
    folder.move(A, 0, 8, [90.0, 90.0])
    twice = folder.move(A, 0, 8, [60.0, 130.0])['faces']
    folder.undo(A), folder.undo(A)
    assert twice == folder.move(A, 0, 8, [60.0, 130.0])['faces']


def test_a_landmark_that_is_let_go_follows_again(opened):
    folder = opened()
    before = points(folder.look(A))
    folder.move(A, 0, 8, [60.0, 130.0])
    np.testing.assert_array_equal(points(folder.move(A, 0, 8, None)), before)


def test_dragging_keeps_nothing(opened):
    folder = opened()
    before = folder.look(A)
    dragged = folder.drag(A, 0, 8, [60.0, 130.0])
    assert dragged['landmarks'][8] == [60.0, 130.0]
    assert folder.look(A) == before
    assert dragged == folder.move(A, 0, 8, [60.0, 130.0])['faces'][0]


def test_undo_and_redo_go_through_all_steps(opened):
    folder = opened()
    steps = [folder.look(A), folder.move(A, 0, 8, [60.0, 130.0]), folder.add_face(A, [100, 40, 160, 120])]
    steps.append(folder.remove_face(A, 0))
    assert [len(step['faces']) for step in steps] == [1, 1, 2, 1]
    for step in steps[-2::-1]:
        assert folder.undo(A)['faces'] == step['faces']
    assert not folder.look(A)['undo'] and folder.undo(A)['faces'] == steps[0]['faces']
    for step in steps[1:]:
        assert folder.redo(A)['faces'] == step['faces']
    folder.undo(A)
    other = folder.move(A, 1, 3, [130.0, 100.0])
    assert not other['redo'] and folder.redo(A) == other


@pytest.mark.parametrize('form', ['coco', 'pts'])
def test_another_process_goes_on(opened, landmarker, form):
    folder = opened(form)
    folder.look(B)
    folder.move(B, 1, 5, [120.0, 60.0])
    folder.move(B, 0, 6, [70.0, 65.0])
    folder.undo(B)
    folder.accept(B)
    before = folder.look(B)
    landmarker.pictures_seen = 0
    again = opened(form)
    assert again.overview()['pictures'][B]['accepted'] and again.look(B) == before
    assert landmarker.pictures_seen == 2  # the faces by their boxes: the detector is not asked again
    assert again.redo(B)['faces'][0]['corrected'] == [6]


def test_a_step_that_a_kill_cut_off_is_no_step(opened):
    folder = opened()
    before = folder.look(A)
    folder.move(A, 0, 8, [60.0, 130.0])
    folder.journal.close()
    whole = folder.output.journal.read_bytes()
    folder.output.journal.write_bytes(whole[:-40])
    assert opened().look(A) == before


def test_coco_files_hold_what_was_accepted(opened):
    folder = opened()
    seen = folder.accept(B)
    folder.look(A)
    assert [row['file_name'] for row in written(folder)['images']] == ['b.jpg']
    faces = read_annotations(folder.folder / 'annotations.json', '.')
    np.testing.assert_allclose([face.landmarks for face in faces], [points(seen, 0), points(seen, 1)], atol=1e-5)
    moved = folder.move(B, 0, 0, [70.0, 90.0])  # an accepted picture that changes is written again
    np.testing.assert_allclose(
        read_annotations(folder.folder / 'annotations.json', '.')[0].landmarks, points(moved), atol=1e-5
    )
    folder.accept(B, False)
    assert not (folder.folder / 'annotations.json').exists()


def test_datasets_load_and_a_model_trains_on_it(opened):
    import torch
    from mmengine.config import Config
    from mmengine.dataset import pseudo_collate
    from mmengine.registry import init_default_scope
    from mmpose.registry import DATASETS, MODELS

    folder = opened()
    seen = [folder.accept(index) for index in (A, B, EMPTY)][:2]
    cfg = Config.fromfile(CONFIGS / LITE)
    init_default_scope('mmpose')
    where = dict(data_root=str(folder.folder), ann_file='annotations.json', data_prefix=dict(img=''))
    dataset = DATASETS.build(dict(cfg.train_dataloader.dataset, **where))
    assert len(dataset) == 3
    loaded = [dataset.get_data_info(index)['keypoints'][0] for index in range(3)]
    np.testing.assert_allclose(loaded, [points(seen[0]), points(seen[1], 0), points(seen[1], 1)], atol=1e-4)
    model = MODELS.build(cfg.model).train()
    batch = model.data_preprocessor(pseudo_collate([dataset[0], dataset[1]]), training=True)
    losses = model(**batch, mode='loss')
    losses['loss_kpt'].backward()
    assert torch.isfinite(losses['loss_kpt']) and any(p.grad is not None for p in model.parameters())


def test_pts_files_hold_what_was_accepted(opened, pictures):
    folder = opened('pts')
    seen = folder.accept(B)
    assert sorted(path.name for path in pictures.glob('*.pts')) == ['b.face2.pts', 'b.pts']
    np.testing.assert_allclose(read_pts(pictures / 'b.pts', 68), points(seen), atol=1e-5)
    np.testing.assert_allclose(read_pts(pictures / 'b.face2.pts', 68), points(seen, 1), atol=1e-5)
    first = (pictures / 'b.pts').read_text().splitlines()[3].split()
    np.testing.assert_allclose(np.array(first, float), points(seen)[0] + 1, atol=1e-5)  # iBUG counts from 1
    folder.remove_face(B, 0)
    assert sorted(path.name for path in pictures.glob('*.pts')) == ['b.pts']
    np.testing.assert_allclose(read_pts(pictures / 'b.pts'), points(seen, 1), atol=1e-5)


@pytest.mark.parametrize('form', ['coco', 'pts'])
def test_annotations_that_are_there_are_kept_until_they_are_corrected(opened, pictures, form):
    seen = opened(form).accept(B)
    before = {path.name: path.read_bytes() for path in pictures.iterdir() if path.suffix in ('.json', '.pts')}
    opened(form).journal.finish()  # the files alone are left
    folder = opened(form)
    assert folder.overview()['pictures'][B]['accepted'] and '1 pictures have annotations' in folder.notes[0]
    given = folder.look(B)
    assert given['faces'][0]['corrected'] == list(range(68))
    np.testing.assert_allclose(points(given), points(seen), atol=2e-4)
    folder.accept(A)
    if form == 'pts':
        assert all((pictures / name).read_bytes() == content for name, content in before.items())
    else:
        assert [row['file_name'] for row in written(folder)['images']] == ['a.png', 'b.jpg']
    moved = points(folder.move(B, 0, 8, [70.0, 90.0]))  # a landmark of a whole annotation moves alone
    assert (np.abs(moved - points(given)).max(axis=1) > 0).sum() == 1


def test_fields_and_flags_of_others_are_kept_and_gaps_filled(opened, pictures):
    opened().accept(B)
    content = json.loads((pictures / 'annotations.json').read_text())
    row = content['annotations'][0]
    row.update(attributes={'blur': 1}, rect=[1, 2, 3, 4])
    row['keypoints'][2], row['keypoints'][3:6] = 2, [0, 0, 0]  # one is visible, one is not annotated
    opened().journal.finish()
    (pictures / 'annotations.json').write_text(json.dumps(content))
    folder = opened()
    assert folder.look(B)['faces'][0]['corrected'] == [0, *range(2, 68)]
    folder.accept(A)
    kept = next(face for face in written(folder)['annotations'] if 'rect' in face)
    assert kept['attributes'] == {'blur': 1} and kept['rect'] == [1, 2, 3, 4]
    assert kept['keypoints'][2] == 2 and kept['keypoints'][5] == 1
    np.testing.assert_allclose(kept['keypoints'][3:5], points(folder.look(B))[1], atol=1e-4)
    assert np.hypot(*np.subtract(kept['keypoints'][3:5], kept['keypoints'][:2])) < 10  # beside its neighbour


def test_files_that_others_changed_are_not_overwritten(opened, pictures):
    opened().accept(A)
    (pictures / 'annotations.json').write_text((pictures / 'annotations.json').read_text() + '\n')
    with pytest.raises(AnnotationError, match='changed by somebody else'):
        opened()


def test_a_file_that_is_lost_is_written_again(opened, pictures):
    opened().accept(A)
    before = (pictures / 'annotations.json').read_bytes()
    (pictures / 'annotations.json').unlink()
    opened()
    assert (pictures / 'annotations.json').read_bytes() == before


def test_annotations_of_other_pictures_are_not_lost(opened, pictures):
    opened().accept(B)
    opened().journal.finish()
    (pictures / 'b.jpg').rename(pictures / 'z.jpg')
    with pytest.raises(AnnotationError, match=r'pictures that are not in .*b\.jpg'):
        opened()


def test_a_picture_that_is_gone_is_left_out(opened, pictures):
    folder = opened()
    folder.accept(A)
    folder.accept(B)
    (pictures / 'b.jpg').unlink()
    folder = opened()
    assert 'b.jpg' in folder.notes[0]
    assert [row['file_name'] for row in written(folder)['images']] == ['a.png']


def test_pictures_without_a_face_get_one_by_a_box(opened, landmarker):
    folder = opened()
    assert folder.look(EMPTY)['faces'] == []
    added = folder.add_face(EMPTY, [30, 30, 90, 110])
    # cropped again by its landmarks, which lie on an ellipse in the box
    np.testing.assert_allclose(points(added), landmarker.face([30, 30, 90, 110]).landmarks, atol=1e-3)
    assert len(folder.accept(EMPTY)['faces']) == 1 and len(written(folder)['annotations']) == 1


@pytest.mark.parametrize(
    ('action', 'message'),
    [
        (lambda folder: folder.look(9), 'picture 9'),
        (lambda folder: folder.look(-1), 'picture -1'),
        (lambda folder: folder.look(BROKEN), 'd.jpg'),
        (lambda folder: folder.accept(BROKEN), 'd.jpg'),
        (lambda folder: folder.move(A, 1, 0, [1, 2]), 'face 1'),
        (lambda folder: folder.move(A, 0, 68, [1, 2]), 'landmark 68'),
        (lambda folder: folder.move(A, 0, 0, [1, float('nan')]), 'finite'),
        (lambda folder: folder.move(A, 0, 0, ['1', None]), ''),
        (lambda folder: folder.move(A, 0, 0, [900.0, 2]), 'far outside'),
        (lambda folder: folder.add_face(A, [5, 5, 5, 9]), 'no area'),
        (lambda folder: folder.add_face(A, [500, 5, 600, 9]), 'outside'),
        (lambda folder: folder.remove_face(A, -1), 'face -1'),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(opened, action, message):
    folder = opened()
    before = folder.look(A)
    with pytest.raises((ValueError, TypeError), match=message):
        action(folder)
    assert folder.look(A) == before and opened().look(A) == before


def test_a_landmark_may_lie_outside_of_the_picture_but_not_all_of_them(opened):
    folder = opened()
    folder.look(A)
    assert points(folder.move(A, 0, 0, [-20.0, 80.0]))[0].tolist() == [-20.0, 80.0]
    folder.accept(A)
    folder.accept(EMPTY)
    folder.add_face(EMPTY, [-60, 40, 10, 120])
    with pytest.raises(AnnotationError, match='face 2: all landmarks lie outside|outside of the picture'):
        for landmark in range(68):
            folder.move(EMPTY, 0, landmark, [-50.0 + landmark / 9, 50.0 + landmark])
    assert (points(folder.look(EMPTY))[:, 0] > 0).any()


def test_contradictory_corrections_widen_the_face(opened):
    folder = opened()
    before = folder.look(A)
    folder.move(A, 0, 0, [10.0, 10.0])
    moved = folder.move(A, 0, 1, [230.0, 190.0])
    assert np.isfinite(points(moved)).all()
    assert moved['faces'][0]['covariance'][30][0][0] > 4 * before['faces'][0]['covariance'][30][0][0]


def test_two_processes_do_not_write_one_journal(opened, pictures, landmarker):
    from mmpose_sp.annotation.annotated_folder import AnnotatedFolder

    folder = opened()
    with pytest.raises(ValueError, match='another process'):
        AnnotatedFolder(pictures, landmarker)
    assert folder.look(A)['faces']


def test_other_landmarks_and_landmarks_alone_are_refused(opened, pictures, landmarker):
    (pictures / 'a.pts').write_text(pts_text(np.ones((5, 2))))
    with pytest.raises(AnnotationError, match='5 landmarks, the model has 68'):
        opened('pts')
    opened()
    landmarker.dataset_name = 'wflw'
    with pytest.raises(ValueError, match='differs in annotation of'):
        opened()
    landmarker.joint = 'off'
    with pytest.raises(ValueError, match='not joined'):
        opened()


def test_pictures_of_one_stem_cannot_share_a_pts_file(opened, pictures):
    (pictures / 'a.jpg').write_bytes((pictures / 'a.png').read_bytes())
    with pytest.raises(AnnotationError, match='a.jpg, a.png'):
        opened('pts')
    assert opened('coco').look(A)['name'] == 'a.jpg'


def test_a_full_disk_is_said_and_the_step_does_not_count(opened, disk_of):
    folder = opened()
    before = folder.look(A)
    disk_of(folder.output.journal.stat().st_size + 100)
    with pytest.raises(OSError, match='[Ff]ile too large'):
        folder.move(A, 0, 8, [60.0, 130.0])
    assert folder.look(A) == before

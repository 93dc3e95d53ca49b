"""Commands that draw: smoothing pipeline (Fig. 1), score maps (Fig. 4), sheets of predictions (Fig. 5)."""

import json

import cv2
import numpy as np
import pytest
from raw_layouts import write_pts
from tools_by_path import load_tool

from mmpose_sp.benchmarks.problems import face_landmarks
from mmpose_sp.visualization import PredictedFace

qualitative, score_maps, smoothing_pipeline = (
    load_tool(f'analysis_tools/{name}') for name in ('qualitative', 'score_maps', 'smoothing_pipeline')
)


@pytest.fixture
def cofw_pts(tmp_path):
    write_pts(tmp_path / 'face.pts', np.random.default_rng(0).uniform(20, 80, (29, 2)))
    cv2.imwrite(str(tmp_path / 'face.png'), np.full((100, 100, 3), 100, np.uint8))
    return tmp_path


def test_smoothing_pipeline_command(cofw_pts):
    pts, image = cofw_pts / 'face.pts', cofw_pts / 'face.png'
    command = f'--annotation {pts} --image {image} --landmarks 0 8 --annotators {pts} {pts} --out-dir {cofw_pts}/out'
    smoothing_pipeline.main(command.split())
    for name in ('stages', 'spread'):
        assert np.ptp(cv2.imread(str(cofw_pts / 'out' / f'{name}.png'))) > 100


def test_own_edges_are_followed_closer_in_the_statistics(tmp_path, capsys):
    faces = [points[0] for points in face_landmarks('wflw', 3)]
    annotations = [dict(image_id=0, keypoints=np.insert(points, 2, 2, axis=1).ravel().tolist()) for points in faces]
    (tmp_path / 'a').mkdir()
    path = tmp_path / 'a' / 'faces.json'
    path.write_text(json.dumps(dict(images=[dict(id=0, file_name='0.jpg')], annotations=annotations)))
    smoothing_pipeline.main(['--annotation', str(path), '--statistics'])
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[2:]]
    ratio = {(row[0], int(row[1])): float(row[4]) for row in rows}
    assert all(ratio['own', radius] > ratio['union', radius] for radius in (8, 12))


def test_smoothing_pipeline_asks_for_the_image_of_a_pts_file(cofw_pts, capsys):
    with pytest.raises(SystemExit):
        smoothing_pipeline.main(['--annotation', str(cofw_pts / 'face.pts')])
    assert 'give --image' in capsys.readouterr().err


def test_score_map_tile_shows_peak_and_landmark_at_their_places():
    scores = np.zeros((16, 16), np.float32)
    scores[4, 12] = 5
    # a map pixel is 2 image px: image = 2 (map + 0.5) - 0.5 + (10, 20)
    matrix = np.array([[2.0, 0, 10.5], [0, 2.0, 20.5]])
    tile = score_maps.draw_tile(np.zeros((100, 100, 3), np.uint8), scores, matrix, np.array([18.5, 36.5]), 160)
    # tile px = 10 (map + 0.5) - 0.5, the landmark is map (4, 8)
    assert tuple(tile[44, 124]) == score_maps.RED or tuple(tile[45, 125]) == score_maps.RED
    assert tuple(tile[84, 44]) == score_maps.GREEN or tuple(tile[85, 45]) == score_maps.GREEN


@pytest.mark.parametrize(
    'name, expected', [('work/epoch_5.pth', 'epoch 5'), ('best_NME_epoch_12.pth', 'epoch 12'), ('final.pth', 'final')]
)
def test_checkpoints_are_named_by_their_epoch(name, expected):
    assert score_maps.checkpoint_name(name) == expected


def test_models_are_matched_face_by_face():
    def face(image, shift):
        points = np.array([[1.0, 2.0], [3.0, 4.0]])
        return PredictedFace(image, points, points + shift)

    first, second = [face('a', 1), face('b', 1)], [face('b', 2), face('c', 2), face('a', 2)]
    rows = qualitative.match_models([first, second], ['x', 'y'])
    assert [[(f.image, f.prediction[0, 0]) for f in row] for row in rows] == [
        [('a', 2), ('a', 3)],
        [('b', 2), ('b', 3)],
    ]


def test_models_of_different_faces_are_refused():
    points = np.ones((2, 2))
    with pytest.raises(ValueError, match='x and y share no face'):
        qualitative.match_models([[PredictedFace('a', points, points)], [PredictedFace('b', points, points)]], 'xy')


def test_score_maps_command(tiny, tmp_path):
    out, weights = tmp_path / 'maps.png', tiny / 'epoch_3.pth'
    command = (
        f'--model Ours {tiny}/tiny.py {weights} {weights} --annotation {tiny}/faces.json --image-root {tiny}/images'
    )
    score_maps.main([*command.split(), *f'--faces 0 2 --landmarks 60 --size 64 --device cpu --out {out}'.split()])
    assert cv2.imread(str(out)).shape == (34 + 8 + 2 * (64 + 22 + 8), 8 + 2 * 72, 3)


def test_qualitative_command_predicts_and_groups(tiny, tmp_path):
    command = f'--config {tiny}/tiny.py --checkpoint {tiny}/epoch_3.pth --device cpu --size 64 --out-dir {tmp_path}'
    qualitative.main(command.split())
    assert {path.name for path in tmp_path.iterdir()} == {'full.png', 'largepose.png', 'overview.png'}

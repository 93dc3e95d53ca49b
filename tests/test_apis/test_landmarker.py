"""Geometry, batches and options of FaceLandmarker, on networks whose answer is known."""

import numpy as np
import pytest
import torch
from api_helpers import INPUT_SIZE, MAP_SIZE, NUM_LANDMARKS, PADDING, noise, random_landmarker, spot
from mmpose.apis import inference_topdown

from mmpose_sp.apis import draw_result
from mmpose_sp.apis.crops import heatmap_to_image
from mmpose_sp.codecs import ImageAwareLabelSmoothing

BOXES = {
    'inside': (50, 40, 170, 160),
    'tall': (60, 20, 120, 180),
    'reaching out': (-40, -30, 90, 100),
    'sub-pixel': (51.3, 42.7, 160.1, 149.9),
}


def quadratic_scores(peak, precision):
    """(1, K, h, w) of -(x - peak)' P (x - peak) / 2."""
    ys, xs = torch.meshgrid(torch.arange(MAP_SIZE), torch.arange(MAP_SIZE), indexing='ij')
    offset = torch.stack([xs - peak[0], ys - peak[1]], dim=-1).double()
    scores = -0.5 * torch.einsum('hwi,ij,hwj->hw', offset, torch.as_tensor(precision).double(), offset)
    return scores.float().expand(1, NUM_LANDMARKS, -1, -1)


def with_scores(scores):
    """A landmarker without flip test that always sees these scores."""
    made = random_landmarker(
        cfg_options={'model.test_cfg.flip_test': False, 'model.head.decoder.subpixel': 'quadratic'}
    )
    made.model.head.forward = lambda feats: scores
    return made


@pytest.mark.parametrize('box', BOXES.values(), ids=BOXES)
def test_a_known_peak_comes_out_in_image_px(box):
    peak = np.array([11.3, 20.8])
    (face,) = with_scores(quadratic_scores(peak, np.eye(2)))(noise(220, 200), bboxes=[box])[0].faces
    # by hand: the crop is the squared and padded box, and heatmap px are pixel centres
    x1, y1, x2, y2 = box
    side = PADDING * max(x2 - x1, y2 - y1)
    in_input = (peak + 0.5) * INPUT_SIZE / MAP_SIZE - 0.5
    expected = in_input * side / INPUT_SIZE + np.array([x1 + x2, y1 + y2]) / 2 - side / 2
    np.testing.assert_allclose(face.landmarks, np.tile(expected, (NUM_LANDMARKS, 1)), atol=1e-2)
    np.testing.assert_allclose(face.box, box, atol=1e-4)
    np.testing.assert_allclose(face.heatmap_to_image @ [*peak, 1], expected, atol=1e-4)


def test_covariance_is_in_image_px_squared():
    sigma = np.array([[4.0, 1.5], [1.5, 2.0]])  # heatmap px^2
    made = with_scores(quadratic_scores((16, 15), np.linalg.inv(sigma)))
    (face,) = made(noise(220, 200), bboxes=[(50, 40, 170, 160)])[0].faces
    per_px = PADDING * 120 / MAP_SIZE
    np.testing.assert_allclose(face.covariance[0], sigma * per_px**2, rtol=1e-3)
    assert face.covariance.shape == (NUM_LANDMARKS, 2, 2)


@pytest.mark.parametrize('flip_test', [True, False])
def test_a_bright_spot_is_found_where_it_is(knows_brightness, flip_test):
    knows_brightness.model.test_cfg['flip_test'] = flip_test
    boxes = [(60, 50, 160, 150), (90, 40, 150, 170), (75.5, 60.25, 150, 190)]
    faces = knows_brightness(spot(240, 220, 113.4, 96.2), bboxes=boxes)[0].faces
    for face in faces:
        np.testing.assert_allclose(face.landmarks[0], [113.4, 96.2], atol=0.25)


@pytest.mark.parametrize('grid', ['centers', 'corners'])
def test_heatmap_to_image_is_what_the_codec_and_mmpose_do(grid):
    codec = ImageAwareLabelSmoothing((96, 128), (24, 32), smoothing='none', subpixel='none', grid=grid)
    scores = torch.zeros(1, 2, 32, 24)
    scores[0, 0, 5, 20] = scores[0, 1, 31, 0] = 1
    in_input = codec.batch_decode(scores)[0][0][0]
    center, scale = np.array([70.0, 50.0]), np.array([60.0, 80.0])
    expected = in_input / codec.input_size * scale + center - 0.5 * scale  # TopdownPoseEstimator
    matrix = heatmap_to_image(codec, center, scale)
    np.testing.assert_allclose(np.array([[20, 5, 1], [0, 31, 1]]) @ matrix.T, expected, atol=1e-4)


def test_landmarks_are_those_of_mmpose(model, landmarker):
    image = noise(220, 200)
    boxes = np.array([(50, 40, 170, 160), (20, 60, 110, 190)], dtype=np.float32)
    faces = landmarker(image, bboxes=boxes)[0].faces
    for face, sample in zip(faces, inference_topdown(model, image, boxes)):
        np.testing.assert_allclose(face.landmarks, sample.pred_instances.keypoints[0], atol=1e-3)
        np.testing.assert_allclose(face.confidence, sample.pred_instances.keypoint_scores[0], atol=1e-5)


@pytest.mark.parametrize('batch_size', [1, 2, 100])
def test_batches_do_not_change_results(landmarker, monkeypatch, batch_size):
    images = [noise(200, 180, seed) for seed in range(4)]
    boxes = [[(20, 20, 120, 120)], np.zeros((0, 4)), [(10, 30, 90, 100), (50, 50, 190, 170)], [(0, 0, 200, 180)]]
    alone = [landmarker(image, bboxes=own)[0] for image, own in zip(images, boxes)]
    sizes = []
    step = landmarker.model.test_step
    monkeypatch.setattr(landmarker, 'batch_size', batch_size)
    monkeypatch.setattr(landmarker.model, 'test_step', lambda data: sizes.append(len(data['inputs'])) or step(data))
    together = landmarker(images, bboxes=boxes)
    assert sizes == {1: [1] * 4, 2: [2, 2], 100: [4]}[batch_size]
    assert [len(result.faces) for result in together] == [1, 0, 2, 1]
    for one, other in zip(alone, together):
        for a, b in zip(one.faces, other.faces):
            np.testing.assert_allclose(a.landmarks, b.landmarks, atol=1e-2)
            np.testing.assert_allclose(a.covariance, b.covariance, rtol=1e-3, atol=1e-2)


def test_no_face_is_a_result_and_the_whole_image_is_explicit(landmarker):
    blank = np.full((150, 200, 3), 128, dtype=np.uint8)
    (result,) = landmarker(blank)
    assert result.faces == [] and result.error is None and result.size == (200, 150)
    (whole,) = landmarker(blank, whole_image=True)
    np.testing.assert_array_equal(whole.faces[0].box, [0, 0, 200, 150])


def test_a_function_detects(landmarker, monkeypatch):
    monkeypatch.setattr(landmarker, '_detector', lambda image: (np.array([[10, 20, 100, 110.0]]), np.array([0.7])))
    monkeypatch.setattr(landmarker, 'refine', 0)
    (face,) = landmarker(noise(150, 140))[0].faces
    np.testing.assert_allclose(face.box, [10, 20, 100, 110])
    assert face.box_score == pytest.approx(0.7)


@pytest.mark.parametrize('refine', [0, 1, 2])
def test_detected_faces_are_cropped_anew_by_their_landmarks(monkeypatch, refine):
    made = random_landmarker(refine=refine, cfg_options={'model.head.decoder.subpixel': 'none'})
    first, low, high = np.array([40.0, 30, 104, 94]), np.array([8, 6]), np.array([23, 27])
    scores = torch.zeros(1, NUM_LANDMARKS, MAP_SIZE, MAP_SIZE)
    scores[0, ::2, low[1], low[0]] = scores[0, 1::2, high[1], high[0]] = 1  # two corners, whatever the crop
    made.model.head.forward = lambda feats: scores
    made.model.test_cfg['flip_test'] = False
    monkeypatch.setattr(made, '_detector', lambda image: (first[None], np.array([0.6])))
    (face,) = made(noise(200, 180))[0].faces
    box = first
    for _ in range(refine):
        side = PADDING * (box[2:] - box[:2]).max()
        corner = (box[:2] + box[2:] - side) / 2
        stride = INPUT_SIZE / MAP_SIZE
        box = np.concatenate([corner + ((p + 0.5) * stride - 0.5) / INPUT_SIZE * side for p in (low, high)])
    np.testing.assert_allclose(face.box, box, atol=1e-3)
    assert face.box_score == pytest.approx(0.6)
    np.testing.assert_allclose(made(noise(200, 180), bboxes=[first])[0].faces[0].box, first)  # given: as it is


def test_unsure_faces_of_the_detector_are_dropped(landmarker, monkeypatch):
    image, boxes = noise(150, 140), np.array([(10, 20, 100, 110), (40, 30, 140, 130)], dtype=np.float32)
    monkeypatch.setattr(landmarker, '_detector', lambda image: (boxes, np.ones(2)))
    means = [face.confidence.mean() for face in landmarker(image)[0].faces]
    assert means[0] != means[1]
    monkeypatch.setattr(landmarker, 'min_confidence', sum(means) / 2)
    (face,) = landmarker(image)[0].faces
    assert face.confidence.mean() == pytest.approx(max(means))
    assert len(landmarker(image, bboxes=boxes)[0].faces) == 2  # given, not guessed


@pytest.mark.parametrize('turns', [1, 2, 3])
def test_a_lying_face_is_turned_upright_for_the_network(landmarker, monkeypatch, turns):
    upright, box = noise(180, 140), np.array([[30.0, 20, 120, 110]])

    def detector(image):
        """Sure of the face as it stands upright, less sure of where it lies."""
        if image.shape == upright.shape and (image == upright).all():
            return box, np.array([0.9])
        return (np.array([[30.0, 40, 120, 120]]), np.array([0.6])) if image.shape == upright.shape else ([], [])

    monkeypatch.setattr(landmarker, '_detector', detector)
    (expected,) = landmarker(upright)[0].faces
    monkeypatch.setattr(landmarker, 'rotations', (0, 90, 180, 270))
    lying = np.ascontiguousarray(np.rot90(upright, -turns))
    (face,) = landmarker(lying)[0].faces
    height, width = lying.shape[:2]
    x, y = expected.landmarks.T  # where a pixel of the upright picture went
    where = {1: (width - 1 - y, x), 2: (width - 1 - x, height - 1 - y), 3: (y, height - 1 - x)}[turns]
    np.testing.assert_allclose(face.landmarks, np.stack(where, axis=1), atol=1e-3)
    swapped = turns % 2
    variances = np.diagonal(expected.covariance, axis1=1, axis2=2)
    np.testing.assert_allclose(
        np.diagonal(face.covariance, axis1=1, axis2=2), variances[:, ::-1] if swapped else variances, rtol=1e-4
    )
    assert face.box_score == pytest.approx(0.9)
    peak = np.array([3.0, 5.0])  # a pixel of the maps lies on the same pixel of the face
    x, y = expected.heatmap_to_image[:, :2] @ peak + expected.heatmap_to_image[:, 2]
    where = {1: (width - 1 - y, x), 2: (width - 1 - x, height - 1 - y), 3: (y, height - 1 - x)}[turns]
    np.testing.assert_allclose(face.heatmap_to_image[:, :2] @ peak + face.heatmap_to_image[:, 2], where, atol=1e-3)


@pytest.mark.parametrize('rotations', [(), (0, 45)])
def test_rotations_are_quarter_turns(rotations):
    with pytest.raises(ValueError, match='multiples of 90'):
        random_landmarker(rotations=rotations)


def test_boxes_by_name_and_with_scores(landmarker, tmp_path):
    from mmpose_sp.visualization.sheets import write_image

    for name in 'ab':
        write_image(str(tmp_path / f'{name}.png'), noise(100, 100))
    first, second = landmarker(tmp_path, bboxes={'b.png': [], str(tmp_path / 'a.png'): [(10, 10, 90, 90, 0.25)]})
    assert [face.box_score for face in first.faces] == [0.25] and second.faces == []
    with pytest.warns(UserWarning, match='1 pictures have an error'):
        first, second = landmarker(tmp_path, bboxes={'b.png': []})
    assert 'no entry' in first.error


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        ({'bboxes': [[(0, 0, 9, 9)]]}, '2 pictures but bboxes for 1'),
        ({'bboxes': [[], []], 'whole_image': True}, 'not both'),
        ({'errors': 'ignore'}, "'raise' or 'record'"),
    ],
)
def test_arguments_that_do_not_match(landmarker, kwargs, message):
    with pytest.raises(ValueError, match=message):
        landmarker([noise(20, 20)] * 2, **kwargs)


def test_options_reach_the_config():
    made = random_landmarker(cfg_options={'model.test_cfg.flip_test': False, 'model.head.decoder.eps': 2.0})
    seen = []
    extract = made.model.extract_feat
    made.model.extract_feat = lambda inputs: seen.append(len(inputs)) or extract(inputs)
    made.model.head.forward = lambda feats: quadratic_scores((16, 15), np.eye(2))
    (face,) = made(noise(99, 99), bboxes=[(0, 0, MAP_SIZE / PADDING, 20)])[0].faces  # 1 image px per heatmap px
    assert seen == [1]
    np.testing.assert_allclose(face.covariance[0], 2 * np.eye(2), atol=1e-3)  # eps scales it


def test_pictures_and_scores_are_there_on_demand(landmarker):
    image = noise(120, 110)
    (plain,) = landmarker(image, bboxes=[(10, 10, 90, 90)])
    assert plain.image is None and plain.faces[0].score_maps is None
    (result,) = landmarker(image, bboxes=[(10, 10, 90, 90)], keep_image=True, score_maps=True)
    np.testing.assert_array_equal(result.image, image)
    maps = result.faces[0].score_maps
    assert maps.shape == (NUM_LANDMARKS, MAP_SIZE, MAP_SIZE)
    index = maps.reshape(NUM_LANDMARKS, -1).argmax(axis=1)
    peaks = np.stack([index % MAP_SIZE, index // MAP_SIZE, np.ones_like(index)], axis=1)
    per_px = PADDING * 80 / MAP_SIZE
    distance = np.abs(peaks @ result.faces[0].heatmap_to_image.T - result.faces[0].landmarks)
    assert distance.max() <= 4.5 * per_px  # no decoder looks further away from the arg max


def test_long_input_shows_its_progress(landmarker, capsys):
    landmarker([noise(30, 30)] * 2, bboxes=[[]] * 2)
    assert 'faces' not in capsys.readouterr().err
    landmarker([noise(30, 30)] * 20, bboxes=[[]] * 20)
    assert '20/20' in capsys.readouterr().err


def test_a_stream_is_not_read_ahead(landmarker):
    from mmpose_sp.apis.sources import Frame, Source

    read = []

    def camera():
        for index in range(1000):
            yield Frame(str(index), lambda index=index: read.append(index) or noise(40, 40), index)

    results = landmarker.iterate(Source(camera(), 'video', live=True), bboxes=[(5, 5, 35, 35)], progress=False)
    assert next(results).frame == 0 and read == [0]
    assert next(results).frame == 1 and read == [0, 1]


def test_waiting_pictures_are_bounded(landmarker, monkeypatch):
    monkeypatch.setattr('mmpose_sp.apis.base_landmarker.MAX_WAITING_PIXELS', 3 * 40 * 40)
    steps = []
    step = landmarker.model.test_step
    monkeypatch.setattr(landmarker.model, 'test_step', lambda data: steps.append(len(data['inputs'])) or step(data))
    landmarker([noise(40, 40)] * 8, bboxes=[[(5, 5, 35, 35)]] * 8, keep_image=True)
    assert steps == [4, 4]


@pytest.mark.parametrize('layer', ['boxes', 'boundaries', 'ellipses', 'landmarks', 'confidence'])
def test_each_layer_draws_near_the_face_alone(knows_brightness, layer):
    image = spot(240, 220, 113, 96)
    (result,) = knows_brightness(image, bboxes=[(80, 60, 150, 130)])
    points = np.random.default_rng(0).uniform((85, 65), (145, 125), (NUM_LANDMARKS, 2))
    result.faces[0].landmarks = points.astype(np.float32)
    result.faces[0].covariance = np.tile(9 * np.eye(2, dtype=np.float32), (NUM_LANDMARKS, 1, 1))
    drawn = draw_result(image, result, [layer], knows_brightness.boundaries)
    changed = (drawn != image).any(axis=-1)
    assert changed[60:131, 80:151].any()
    changed[40:150, 60:170] = False
    assert not changed.any()


def test_an_unknown_layer_is_refused(landmarker):
    with pytest.raises(ValueError, match="'hats'"):
        draw_result(noise(20, 20), landmarker(noise(20, 20), whole_image=True)[0], ['hats'])


def test_a_face_that_is_no_number_does_not_take_the_others_along(landmarker, monkeypatch):
    image, boxes = noise(150, 140), [(10, 20, 100, 110), (40, 30, 140, 130), (20, 20, 90, 90)]
    good = landmarker(image, bboxes=boxes)[0].faces
    forward = landmarker.model.head.forward

    def second_is_nan(feats):
        scores = forward(feats)
        scores[1] = float('nan')
        return scores

    monkeypatch.setattr(landmarker.model.head, 'forward', second_is_nan)
    with pytest.raises(ValueError, match=r'box 1 of 3 are not finite'):
        landmarker(image, bboxes=boxes)
    (result,) = landmarker.iterate(image, bboxes=boxes, errors='record')
    assert 'box 1 of 3' in result.error
    for found, expected in zip(result.faces, (good[0], good[2])):
        np.testing.assert_array_equal(found.box, expected.box)
        np.testing.assert_allclose(found.landmarks, expected.landmarks, atol=1e-4)
    monkeypatch.setattr(landmarker, '_detector', lambda image: (np.array(boxes), np.ones(3)))
    with pytest.raises(ValueError, match='box 1 of 3'):  # not as a face of low confidence
        landmarker(image)


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        ({'refine': -1}, 'refine'),
        ({'min_confidence': float('nan')}, 'min_confidence'),
        ({'batch_size': 0}, 'batch_size'),
    ],
)
def test_numbers_that_would_lose_all_faces_are_refused(kwargs, message):
    with pytest.raises(ValueError, match=message):
        random_landmarker(**kwargs)

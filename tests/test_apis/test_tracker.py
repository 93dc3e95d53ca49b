"""Faces followed through a video, with a network and a detector that see bright spots."""

from types import SimpleNamespace

import numpy as np
import pytest

from mmpose_sp.apis import FaceResult, FaceTracker, ImageResult
from mmpose_sp.faces import motion

SHAPE = 12 * np.array([[-1, -1], [1, -1], [0, 0], [-1, 1], [1, 1]], dtype=np.float32)
SIZE = 200, 120


def picture(*places, brightness=0):
    """A grey picture with the faces' places written into it as single pixels of their own value."""
    image = np.full((SIZE[1], SIZE[0], 3), brightness, np.uint8)
    for x, y in places:
        image[int(y), int(x)] = 255
    return image


class SpotLandmarker:
    """Landmarks around the bright pixel of a box, or of the picture; counts how often the picture was searched."""

    rotations = (0,)

    def __init__(self):
        self.looks = 0
        self.noise = np.random.default_rng(0)
        self.sigma = 0.0

    def search(self, image):
        self.looks += 1
        ys, xs = np.nonzero(image[..., 0] == 255)
        return np.stack([xs - 12, ys - 12, xs + 12, ys + 12], axis=1).astype(np.float32)

    def __call__(self, images, errors, progress, bboxes=None):
        (image,) = images
        (boxes,) = bboxes or [self.search(image)]
        return [ImageResult('array 0', [self.face(image, box) for box in boxes])]

    def face(self, image, box):
        x1, y1, x2, y2 = np.round(box).astype(int)
        ys, xs = np.nonzero(image[max(y1, 0) : y2 + 1, max(x1, 0) : x2 + 1, 0] == 255)
        there = len(xs) > 0
        place = np.array([xs[0] + max(x1, 0), ys[0] + max(y1, 0)]) if there else (box[:2] + box[2:]) / 2
        landmarks = SHAPE + place + self.noise.normal(0, self.sigma, SHAPE.shape)
        return FaceResult(
            landmarks.astype(np.float32),
            np.full(5, 0.9 if there else 0.1, np.float32),
            np.tile(np.eye(2, dtype=np.float32), (5, 1, 1)),
            np.asarray(box, dtype=np.float32),
            1.0,
            np.eye(2, 3),
        )


def run(frames, **options):
    landmarker = SpotLandmarker()
    return list(FaceTracker(landmarker, **options).track(frames)), landmarker


def tracks(results):
    return [sorted(face.track for face in result.faces) for result in results]


def test_a_face_keeps_its_number_and_is_detected_once():
    results, landmarker = run([picture((30 + 2 * t, 40)) for t in range(14)])
    assert tracks(results) == [[0]] * 14
    assert landmarker.looks == 1
    centre = results[-1].faces[0].landmarks.mean(axis=0)
    np.testing.assert_allclose(centre, (56, 40), atol=0.5)


def test_faces_that_pass_each_other_keep_their_numbers():
    frames = [picture((30 + 5 * t, 30), (170 - 5 * t, 80)) for t in range(28)]
    results, _ = run(frames)
    by_track = {face.track: face.landmarks.mean(axis=0) for face in results[-1].faces}
    assert by_track[0][1] == pytest.approx(30, abs=1) and by_track[1][1] == pytest.approx(80, abs=1)


def test_a_new_face_is_found_at_the_next_look():
    frames = [picture((40, 40), *([(150, 80)] if t >= 3 else [])) for t in range(10)]
    results, _ = run(frames, detect_every=5)
    assert tracks(results) == [[0]] * 5 + [[0, 1]] * 5


def test_a_face_that_comes_back_is_another():
    """Whether it is the same person is not known, so no number is given twice."""
    frames = [picture(*([(40, 40)] if t not in (4, 5) else [])) for t in range(8)]
    results, _ = run(frames)
    assert tracks(results) == [[0]] * 4 + [[]] * 2 + [[1]] * 2


def test_a_lost_face_is_looked_for_in_the_same_frame():
    frames = [picture((40, 40) if t < 4 else (150, 80)) for t in range(8)]
    results, _ = run(frames)
    assert tracks(results) == [[0]] * 4 + [[1]] * 4


def test_a_cut_ends_all_faces():
    """The face after the cut is where the one before it was."""
    frames = [picture((40, 40), brightness=0 if t < 4 else 120) for t in range(8)]
    results, _ = run(frames)
    assert tracks(results) == [[0]] * 4 + [[1]] * 4


def test_two_tracks_do_not_stay_on_one_face():
    frames = [picture((40 + 4 * t, 60), *([] if t > 6 else [(140 - 8 * t, 60)])) for t in range(12)]
    results, _ = run(frames)
    assert all(len(faces) == 1 for faces in tracks(results)[8:])


def trembling(smoothing):
    landmarker = SpotLandmarker()
    landmarker.sigma = 0.3
    results = list(FaceTracker(landmarker, smoothing, lag=5).track([picture((60, 60))] * 60))
    return np.array([result.faces[0].landmarks for result in results]), results


def test_filter_and_smoother_calm_a_still_face():
    found = {smoothing: trembling(smoothing)[0][20:] for smoothing in ('none', 'filter', 'smooth')}
    jitter = {name: np.diff(landmarks, axis=0).std() for name, landmarks in found.items()}
    assert jitter['filter'] < 0.6 * jitter['none'] and jitter['smooth'] < 0.75 * jitter['filter']


def test_the_smoother_gives_every_frame_in_order():
    landmarks, results = trembling('smooth')
    assert [result.frame for result in results] == list(range(60)) and len(landmarks) == 60


def test_the_smoother_with_enough_lag_is_that_of_the_whole_video():
    landmarker = SpotLandmarker()
    landmarker.sigma = 0.3
    frames = [picture((60 + t, 60)) for t in range(20)]
    found = list(FaceTracker(landmarker, 'smooth', lag=20).track(frames))
    landmarker.noise = np.random.default_rng(0)
    raw = list(FaceTracker(landmarker, 'none').track(frames))
    states = [motion.start(raw[0].faces[0].landmarks, raw[0].faces[0].covariance)]
    for result in raw[1:]:
        face = result.faces[0]
        states.append(motion.update(motion.predict(states[-1]), face.landmarks, face.covariance))
    expected = [state.landmarks for state in motion.smooth(states)]
    np.testing.assert_allclose([result.faces[0].landmarks for result in found], expected, atol=1e-4)


def test_a_frame_that_cannot_be_read_is_recorded():
    def broken():
        raise ValueError('damaged')

    frames = [SimpleNamespace(name=str(t), read=lambda: picture((40, 40)), index=t) for t in range(4)]
    frames[2].read = broken
    from mmpose_sp.apis.sources import Source

    results = list(FaceTracker(SpotLandmarker()).track(Source(iter(frames), 'video', 4, live=True), errors='record'))
    assert [result.error for result in results] == [None, None, 'damaged', None]
    assert tracks(results) == [[0], [0], [], [0]]


def test_turned_faces_are_not_followed():
    landmarker = SpotLandmarker()
    landmarker.rotations = (0, 90)
    with pytest.raises(ValueError, match='rotations'):
        FaceTracker(landmarker)


@pytest.mark.parametrize('options', [dict(smoothing='kalman'), dict(detect_every=0), dict(lag=0)])
def test_options_out_of_range(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        FaceTracker(SpotLandmarker(), **options)

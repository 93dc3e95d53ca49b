"""The comparison with peers: disturbed photographs keep their landmarks, errors are exact, results are kept."""

import numpy as np
import pytest
from raw_layouts import write_pts
from tools_by_path import load_tool

from mmpose_sp.peers import measure, photos, systems
from mmpose_sp.peers.photos import DISTURBANCES, Photo
from mmpose_sp.utils.images import read_image
from mmpose_sp.visualization.sheets import write_image


def spots(points, size=(160, 120)):
    """A photograph with a bright spot on each of a few landmarks."""
    xs, ys = np.arange(size[0]), np.arange(size[1])
    image = sum(np.exp(-0.5 * ((ys[:, None] - y) ** 2 + (xs - x) ** 2) / 9) for x, y in points)
    return Photo('spots', np.repeat(np.round(255 * image / image.max()).astype(np.uint8)[..., None], 3, 2), points)


@pytest.fixture
def photo():
    return spots(np.array([[40.0, 30], [110, 35], [45, 90], [100, 80]]))


def brightest(image, point, reach=4):
    """Centre of mass around a point."""
    x, y = np.round(point).astype(int)
    ys, xs = np.mgrid[y - reach : y + reach + 1, x - reach : x + reach + 1]
    mass = image[ys, xs, 0].astype(float) ** 2
    return np.array([(mass * xs).sum(), (mass * ys).sum()]) / mass.sum()


@pytest.mark.parametrize('name', ['turned by 30', 'turned by 90', 'shrunk', 'placed'])
def test_landmarks_move_with_the_picture(photo, name):
    moved = {
        'turned by 30': lambda: photos.turned(photo, 30),
        'turned by 90': lambda: photos.turned(photo, 90),
        'shrunk': lambda: photos.shrunk(photo, 50),
        'placed': lambda: photos.placed(photo, (300, 200), np.random.default_rng(0)),
    }[name]()
    for point in moved.landmarks:
        np.testing.assert_allclose(brightest(moved.image, point), point, atol=0.4)
    if name == 'shrunk':
        assert moved.side == pytest.approx(50, abs=0.5)
    if name == 'turned by 90':
        np.testing.assert_array_equal(moved.image, np.rot90(photo.image))


@pytest.mark.parametrize('name', DISTURBANCES)
def test_every_disturbance_changes_the_picture_the_same_way_each_time(photo, name):
    photo = photo._replace(image=np.random.default_rng(0).integers(0, 256, photo.image.shape, dtype=np.uint8))
    for strength in DISTURBANCES[name].strengths:
        condition = measure.Condition(name, strength)
        once, again = condition.apply(photo), condition.apply(photo)
        np.testing.assert_array_equal(once.image, again.image)
        changed = once.image.shape != photo.image.shape or (once.image != photo.image).any()
        assert changed and once.image.dtype == np.uint8 or name == 'small' and photo.side <= strength


def test_the_annotated_face_is_the_one_that_overlaps(photo):
    x1, y1, x2, y2 = photo.box
    assert photos.matching(photo, np.array([[0, 0, 10, 10], [x1 + 5, y1, x2 + 5, y2], [x1, y1, x2, y2 + 1]])) == 2
    assert photos.matching(photo, np.array([[x1, y1, x2, y1 + 0.29 * (y2 - y1)]])) is None
    assert photos.matching(photo, np.zeros((0, 4))) is None


@pytest.fixture
def data(tmp_path):
    """Three photographs in the layout of 300-W."""
    rng = np.random.default_rng(0)
    folder = tmp_path / '300w' / 'helen' / 'testset'
    for name in 'abc':
        write_pts(folder / f'{name}.pts', rng.uniform(40, 160, (68, 2)))
        write_image(str(folder / f'{name}.png'), rng.integers(0, 256, (200, 220, 3), dtype=np.uint8))
    names = tmp_path / 'names.txt'
    names.write_text(''.join(f'helen/testset/{name}\n' for name in 'abc'))
    return tmp_path / '300w', names


@pytest.fixture
def fake(data):
    """A system that is wrong by 3 px to the right, misses the face of picture c, and sees another one everywhere."""
    seen = []
    known = {photo.image.tobytes(): photo for photo in photos.read_photos(data[0], photos.names_of(*map(str, data)))}

    class Fake(systems.System):
        title, install, licence, trained_on = 'fake', '`pip install fake`', 'none', 'nothing'

        def faces(self, image):
            seen.append(image)
            photo = known.get(image.tobytes())
            right = [] if photo is None or photo.name.endswith('c') else [photo.landmarks + [3, 0]]
            return [np.random.default_rng(0).uniform(190, 200, (68, 2)), *right]

    class Absent(Fake):
        def __init__(self):
            raise ImportError("No module named 'absent'")

    return seen, {'fake': Fake, 'absent': Absent}


def test_page(data, fake, tmp_path, monkeypatch, capsys):
    tool = load_tool('analysis_tools/benchmark_peers.py')
    seen, known = fake
    monkeypatch.setattr(tool, 'SYSTEMS', known)
    monkeypatch.setattr(tool.os, 'sched_setaffinity', lambda *cores: None, raising=False)
    command = [str(data[0]), '--names', str(data[1]), '--systems', 'fake', 'absent', '--every', '1']
    command += ['--work-dir', str(tmp_path / 'kept'), '--out', str(tmp_path / 'peers.md')]
    command += ['--plot', str(tmp_path / 'peers.png')]
    tool.main(command)
    assert "absent: left out, No module named 'absent'. Fix: pip install fake" in capsys.readouterr().out

    page = (tmp_path / 'peers.md').read_text()
    faces = list(photos.read_photos(data[0], photos.names_of(*map(str, data))))[:2]
    error = np.mean([300 / np.linalg.norm(face.landmarks[36] - face.landmarks[45]) for face in faces])
    assert f'| fake | 2 | {error:.2f} | {error:.2f} | {error:.2f} |' in page
    assert '| JPEG | 5 | 20.0 (0) |' in page  # disturbed pictures it does not know
    assert read_image(tmp_path / 'peers.png').std() > 0

    count = len(seen)
    tool.main(command)
    assert len(seen) == count  # nothing is measured again
    assert (tmp_path / 'peers.md').read_text() == page


def test_results_of_other_photographs_do_not_count(tmp_path):
    store = measure.Store(tmp_path)
    store.save('fake', 'clean', ['a', 'b'], landmarks=np.zeros((2, 68, 2)))
    assert store.load('fake', 'clean', ['a', 'b'])['landmarks'].shape == (2, 68, 2)
    assert store.load('fake', 'clean', ['a', 'c']) == {} == store.load('fake', 'clean', ['a'])


def test_a_face_that_is_not_found_counts_as_the_cap():
    assert measure.capped_mean(np.array([2.0, 30.0, np.inf, 4.0])) == (11.5, 75.0)

"""What can be given to FaceLandmarker: every kind of picture, folder, video and box, good or bad."""

import struct
import zlib

import cv2
import numpy as np
import pytest
from api_helpers import noise, spot
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mmpose_sp.apis import BoxMapping
from mmpose_sp.apis.boxes import check_boxes
from mmpose_sp.apis.sources import open_source
from mmpose_sp.utils.images import as_bgr, max_pixels, read_image, set_max_pixels

BOX = (60, 50, 160, 150)
SPOT = (113.0, 96.0)


def write(path, image):
    assert cv2.imwrite(str(path), image)
    return path


def jpeg(path, image, **kwargs):
    Image.fromarray(image[..., ::-1]).save(path, quality=95, **kwargs)
    return path


def write_video(path, frames=5, size=(96, 80), fps=10):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'MJPG'), fps, size)
    for seed in range(frames):
        writer.write(noise(*size, seed=seed))
    writer.release()
    return path


def sixteen_bit(image):
    return image.astype(np.uint16) * 256 + 77


def with_alpha(image):
    return np.concatenate([image, np.full_like(image[..., :1], 9)], axis=2)


KINDS = {
    'bgr': lambda x: x,
    'gray': lambda x: x[..., 0],
    'gray (H, W, 1)': lambda x: x[..., :1],
    'alpha': with_alpha,
    '16 bit': sixteen_bit,
    '16 bit gray': lambda x: sixteen_bit(x)[..., 0],
    '16 bit alpha': lambda x: sixteen_bit(with_alpha(x)),
    'strided': lambda x: np.repeat(x, 2, axis=1)[:, ::2],
}


@pytest.mark.parametrize('convert', KINDS.values(), ids=KINDS)
def test_the_kind_of_a_picture_does_not_matter(knows_brightness, tmp_path, convert):
    picture = convert(spot(240, 220, *SPOT))
    path = write(tmp_path / 'picture.png', picture)
    for item in (picture, path, str(path)):
        (result,) = knows_brightness(item, bboxes=[BOX])
        np.testing.assert_allclose(result.faces[0].landmarks[0], SPOT, atol=0.25)


def test_files_and_arrays_are_the_same_picture(tmp_path):
    for convert in KINDS.values():
        picture = convert(noise(31, 20))
        np.testing.assert_array_equal(read_image(write(tmp_path / 'p.png', picture)), as_bgr(picture))


def test_pillow_images_are_the_same_picture(tmp_path):
    for convert in KINDS.values():
        path = write(tmp_path / 'p.png', convert(noise(31, 20)))
        np.testing.assert_array_equal(as_bgr(Image.open(path)), read_image(path))
    first, second = open_source([Image.open(path), path]).frames
    assert (first.name, second.name) == ('array 0', str(path))
    np.testing.assert_array_equal(first.read(), second.read())


@pytest.mark.parametrize('brightest', [255, 65535])
def test_pillow_images_of_32_bit_are_8_or_16_bit_gray(brightest):
    gray = np.linspace(0, brightest, 12).astype(np.int32).reshape(3, 4)
    expected = (gray >> 8 if brightest > 255 else gray).astype(np.uint8)
    np.testing.assert_array_equal(as_bgr(Image.fromarray(gray))[..., 0], expected)


def test_a_result_prints_as_a_line(landmarker):
    (result,) = landmarker(noise(150, 140), bboxes=[(10, 20, 100.4, 110)])
    confidence = result.faces[0].confidence.mean()
    assert repr(result.faces[0]) == f'FaceResult(68 landmarks, confidence {confidence:.2f}, box (10, 20, 100, 110))'
    assert len(repr(result)) < 250


def test_exif_orientation_is_applied(knows_brightness, tmp_path):
    upright = spot(240, 220, *SPOT)
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: show it rotated by 90 degrees clockwise
    path = jpeg(tmp_path / 'turned.jpg', cv2.rotate(upright, cv2.ROTATE_90_COUNTERCLOCKWISE), exif=exif)
    (result,) = knows_brightness(path, bboxes=[BOX])
    assert result.size == (240, 220)
    np.testing.assert_allclose(result.faces[0].landmarks[0], SPOT, atol=0.3)


def test_one_pixel(landmarker):
    pixel = np.full((1, 1, 3), 200, dtype=np.uint8)
    assert landmarker(pixel)[0].faces == []
    (face,) = landmarker(pixel, whole_image=True)[0].faces
    assert np.isfinite(face.landmarks).all() and np.abs(face.landmarks).max() < 2


def test_8k(knows_brightness):
    width, height, centre = 7680, 4320, np.array([7000.3, 4000.6])
    picture = np.zeros((height, width, 3), dtype=np.uint8)
    picture[3900:4101, 6900:7101] = spot(201, 201, 100.3, 100.6)
    (result,) = knows_brightness(picture, bboxes=[(6940, 3940, 7050, 4070)])
    np.testing.assert_allclose(result.faces[0].landmarks[0], centre, atol=0.25)
    assert knows_brightness(picture)[0].faces == []  # the cascade searches a smaller copy


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (b'', 'empty'),
        (b'this is no picture', 'cannot be decoded'),
        (b'\xff\xd8\xff\xe0' + bytes(2000), 'cannot be decoded'),
    ],
)
def test_files_that_are_no_pictures(landmarker, tmp_path, content, message):
    path = tmp_path / 'bad.jpg'
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f'bad.jpg.*{message}'):
        landmarker(path, whole_image=True)


def png_of(width, height):
    """A PNG of that size by its header; the pixels are missing."""

    def chunk(kind, data):
        return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))

    header = struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)
    return b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', header) + chunk(b'IDAT', zlib.compress(b'')) + chunk(b'IEND', b'')


def test_a_picture_made_to_fill_the_memory_is_not_decoded(tmp_path, monkeypatch):
    monkeypatch.setattr(cv2, 'imdecode', lambda *_: pytest.fail('decoded'))
    (tmp_path / 'bomb.png').write_bytes(png_of(30000, 30000))
    with pytest.raises(ValueError, match=r'bomb\.png: .*900000000 pixels.* limit .*--max-pixels'):
        read_image(tmp_path / 'bomb.png')


def test_the_limit_of_pixels_can_be_set(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', Image.MAX_IMAGE_PIXELS)  # put back at the end
    path, clip = write(tmp_path / 'a.png', noise(60, 50)), write_video(tmp_path / 'clip.avi', 1, (60, 50))
    set_max_pixels(60 * 50)
    assert read_image(path).shape == (50, 60, 3) and open_source(clip).length == 1
    set_max_pixels(60 * 50 - 1)
    for name in (path, clip):
        with pytest.raises(ValueError, match=name.name):
            next(open_source(name).frames).read()


@settings(max_examples=60, deadline=None)
@given(data=st.data(), suffix=st.sampled_from(['.png', '.jpg', '.bmp', '.tiff', '.webp', '.ppm']))
def test_whatever_bytes_change_a_picture_is_read_or_refused(tmp_path_factory, data, suffix):
    whole = bytearray(cv2.imencode(suffix, noise(24, 20))[1].tobytes())
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, min(len(whole), 200) - 1))  # headers are at the beginning
        whole[place : place + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    path = tmp_path_factory.mktemp('changed') / f'a{suffix}'
    path.write_bytes(whole)
    try:
        image = read_image(path)
    except ValueError as error:
        assert path.name in str(error)
    else:
        assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[0] * image.shape[1] <= max_pixels()


@pytest.mark.parametrize('suffix', ['.jpg', '.png', '.bmp'])
def test_truncated_pictures_are_refused(tmp_path, suffix):
    whole = write(tmp_path / f'whole{suffix}', noise(160, 120))
    assert read_image(whole).shape == (120, 160, 3)
    cut = tmp_path / f'cut{suffix}'
    cut.write_bytes(whole.read_bytes()[:-5000])
    with pytest.raises(ValueError, match='truncated|cannot be decoded'):
        read_image(cut)


@pytest.mark.parametrize('size', [100, 1000])
def test_what_is_cut_short_is_called_so(tmp_path, size):
    whole = jpeg(tmp_path / 'whole.jpg', noise(50, 40)).read_bytes()
    (tmp_path / 'cut.jpg').write_bytes(whole[:size])  # in the header, and in the pixels
    with pytest.raises(ValueError, match=r'cut\.jpg: cannot be decoded: truncated or damaged$'):
        read_image(tmp_path / 'cut.jpg')


def test_what_is_whole_is_not_called_damaged(tmp_path):
    Image.fromarray(np.ones((9, 8), np.float32)).save(tmp_path / 'floats.tif')
    with pytest.raises(ValueError, match=r'floats\.tif: .*TIFF with values .*mode F.*convert it to PNG') as error:
        read_image(tmp_path / 'floats.tif')
    assert 'damaged' not in str(error.value)
    clip = write_video(tmp_path / 'clip.avi', frames=2).rename(tmp_path / 'clip.mp4')
    (frame,) = open_source(str(tmp_path / '*.mp4')).frames
    with pytest.raises(ValueError, match=rf'{clip.name}: .*format that is not read.*a video has to be the only input'):
        frame.read()


def test_a_folder_tells_what_it_leaves_out(landmarker, tmp_path):
    write(tmp_path / 'a.png', noise(50, 40))
    for name in ('b.HEIC', 'c.mp4', 'd.mp4', '.e.mp4', 'notes.txt', 'a.json'):
        (tmp_path / name).write_bytes(b'nothing')
    with pytest.warns(UserWarning, match='3 files left out: .heic 1, .mp4 2$'):
        (result,) = landmarker(tmp_path, whole_image=True)
    assert not result.error
    assert open_source(tmp_path / 'a.png').left_out == ''


@pytest.mark.parametrize('name', ['a.gif', 'a.jfif'])
def test_a_folder_is_searched_for_the_rarer_suffixes(tmp_path, name):
    Image.fromarray(spot(50, 40, 20, 20)).save(tmp_path / name, format='GIF' if name == 'a.gif' else 'JPEG')
    (frame,) = open_source(tmp_path).frames
    expected = np.asarray(Image.open(tmp_path / name).convert('RGB')).astype(int)[..., ::-1]
    assert np.abs(frame.read() - expected).max() <= 2  # two JPEG decoders round differently


@pytest.mark.parametrize(
    ('image', 'error', 'message'),
    [
        (np.zeros((9, 9, 3), dtype=np.float32), TypeError, 'astype'),
        (np.zeros((9, 9, 2), dtype=np.uint8), ValueError, 'shape'),
        (np.zeros((0, 9, 3), dtype=np.uint8), ValueError, 'no pixels'),
        (np.zeros((2, 9, 9, 3), dtype=np.uint8), ValueError, 'shape'),
    ],
)
def test_arrays_that_are_no_pictures(landmarker, image, error, message):
    with pytest.raises(error, match=message):
        landmarker(image, whole_image=True)


def test_a_bad_file_does_not_stop_a_folder(landmarker, tmp_path):
    write(tmp_path / 'a.png', noise(50, 40))
    (tmp_path / 'b.png').write_bytes(b'broken')
    write(tmp_path / 'c.png', noise(50, 40))
    (tmp_path / 'notes.txt').write_text('no picture')
    with pytest.warns(UserWarning, match='b.png'):
        results = landmarker(tmp_path, whole_image=True)
    assert [len(result.faces) for result in results] == [1, 0, 1]
    assert 'b.png' in results[1].error and not results[0].error and not results[2].error
    with pytest.raises(ValueError, match=r'b\.png'):
        landmarker(tmp_path, whole_image=True, errors='raise')


def test_folders_patterns_and_lists_are_expanded_in_order(tmp_path):
    for name in ('b.png', 'a.JPG', 'sub/c.png'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write(tmp_path / name, noise(8, 8))

    def names(inputs):
        return [frame.name.replace(f'{tmp_path}/', '') for frame in open_source(inputs).frames]

    assert names(tmp_path) == ['a.JPG', 'b.png']
    assert names(str(tmp_path / '**' / '*.png')) == ['b.png', 'sub/c.png']
    mixed = [tmp_path / 'sub', noise(8, 8), [str(tmp_path / 'b.png')]]
    assert names(mixed) == ['sub/c.png', 'array 1', 'b.png']
    kinds = [open_source(x).kind for x in (tmp_path / 'b.png', noise(8, 8), tmp_path, mixed)]
    assert kinds == ['image', 'image', 'images', 'images']


def test_a_name_with_brackets_is_a_file_not_a_pattern(tmp_path):
    path = write(tmp_path / 'me[1].png', noise(8, 8))
    assert open_source(path).kind == 'image'


@pytest.mark.parametrize(
    'pattern', ['fam [2023]/*.png', 'fam [2023]/**/*.png', 'fam [2023]/[ab].png', './fam [2023]/?.png']
)
def test_brackets_in_the_name_of_a_folder_are_no_pattern(tmp_path, monkeypatch, pattern):
    monkeypatch.chdir(tmp_path)
    for folder in ('fam [2023]', 'fam 2'):  # the second is what the brackets say as a pattern
        (tmp_path / folder).mkdir()
        write(tmp_path / folder / 'a.png', noise(8, 8))
    for inputs in (pattern, f'{tmp_path}/{pattern}'):
        (frame,) = open_source(inputs).frames
        assert (tmp_path / frame.name).samefile(tmp_path / 'fam [2023]' / 'a.png')


def test_videos_are_read_frame_by_frame(landmarker, tmp_path):
    path = write_video(tmp_path / 'clip.avi')
    source = open_source(path)
    assert (source.kind, source.length, source.fps) == ('video', 5, 10)
    results = landmarker(path, bboxes=[(20, 20, 70, 70)], progress=False)
    assert [result.frame for result in results] == [0, 1, 2, 3, 4]
    assert all(len(result.faces) == 1 and result.size == (96, 80) for result in results)


def test_a_video_cut_short_is_an_error_after_its_frames(landmarker, tmp_path):
    whole = write_video(tmp_path / 'clip.avi', frames=12)
    whole.write_bytes(whole.read_bytes()[: whole.stat().st_size // 3])
    with pytest.warns(UserWarning, match=r'1 pictures have an error.*clip\.avi: only \d of the 12 frames'):
        *frames, last = landmarker(whole, whole_image=True, progress=False)
    assert frames and all(len(frame.faces) == 1 and not frame.error for frame in frames)
    assert last.frame == len(frames) and last.faces == [] and 'cut short' in last.error


@pytest.mark.parametrize(
    ('inputs', 'error', 'message'),
    [
        ('missing.jpg', FileNotFoundError, 'missing.jpg'),
        ('missing.mp4', FileNotFoundError, 'missing.mp4'),
        ('*.nothing', FileNotFoundError, 'pattern'),
        ('empty', FileNotFoundError, 'no picture'),
        ('bad.mp4', ValueError, 'bad.mp4.*video'),
        (['bad.mp4'], ValueError, 'only input'),
        ([], ValueError, 'empty'),
        ('', ValueError, 'empty'),
        (98, ValueError, 'camera 98'),
        ('webcam:98', ValueError, 'camera 98'),
        (None, TypeError, 'NoneType'),
        (True, TypeError, 'bool'),
    ],
)
def test_inputs_that_are_not_there(landmarker, tmp_path, monkeypatch, inputs, error, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'empty').mkdir()
    (tmp_path / 'bad.mp4').write_bytes(b'no video')
    with pytest.raises(error, match=message):
        landmarker(inputs)


@pytest.mark.parametrize(
    ('boxes', 'message'),
    [
        ([(10, 10, 10, 40)], 'no area'),
        ([(10, 10, 60, 60), (50, 50, 20, 20)], r'box 1 .*no area'),
        ([(10, np.nan, 30, 40)], 'not finite'),
        ([(10, 10, np.inf, 40)], 'not finite'),
        ([(-50, 0, -1, 40)], 'outside of the image'),
        ([(0, 100, 50, 150)], 'outside of the image'),
        ([(1, 2, 3)], 'shape'),
        ('everything', 'numbers'),
        ([[(1, 2, 3, 4)]], 'shape'),
    ],
)
def test_boxes_that_cannot_be(landmarker, boxes, message):
    with pytest.raises(ValueError, match=message):
        landmarker(noise(120, 100), bboxes=boxes)


@pytest.mark.parametrize(
    ('boxes', 'scores', 'message'),
    [
        ([(10, 10, 40, 40)], [0.5, 0.5], '1 boxes, but 2 scores'),
        ([(10, 10, np.nan, 40)], [0.5], 'not finite'),
        ([(10, 10, 40, 40)], [np.nan], 'not finite'),
        ([(10, 10, 40, 40), (40, 10, 10, 40)], [0.5, 0.5], 'box 1 .*no area'),
        ([(10, 10, 40)], [0.5], 'reshape'),
    ],
)
def test_a_detectors_boxes_are_checked(landmarker, monkeypatch, boxes, scores, message):
    monkeypatch.setattr(landmarker, '_detector', lambda image: (boxes, scores))
    with pytest.raises(ValueError, match=message):
        landmarker(noise(120, 100))


def test_what_a_detector_finds_outside_of_the_picture_is_no_face(landmarker, monkeypatch):
    boxes = np.array([(-60, 10, -1, 40), (200, 10, 240, 40), (90, 60, 150, 130)])
    monkeypatch.setattr(landmarker, '_detector', lambda image: (boxes, np.ones(3)))
    (face,) = landmarker(noise(120, 100))[0].faces
    assert face.box_score == 1 and 60 < face.landmarks.mean() < 140


def test_good_boxes_pass():
    np.testing.assert_array_equal(check_boxes((-5, 2, 30, 40), 20, 20), [[-5, 2, 30, 40, 1]])
    np.testing.assert_allclose(check_boxes([(1, 2, 30, 40, 0.5)], 50, 50), [[1, 2, 30, 40, 0.5]])
    assert check_boxes([], 50, 50).shape == (0, 5)


def test_box_mapping_by_hand():
    mapped = BoxMapping(scale=0.5, down=0.1)(np.array([[100.0, 50, 300, 250], [0, 0, 90, 40]]))
    np.testing.assert_allclose(mapped, [[150, 120, 250, 220], [30, 11, 60, 41]])  # roots of the areas: 200 and 60
    np.testing.assert_array_equal(BoxMapping()([[0, 0, 100, 40]]), [[0, 0, 100, 40]])


@given(
    box=st.tuples(*[st.floats(-1e6, 1e6, width=32)] * 4),
    size=st.tuples(st.integers(1, 5000), st.integers(1, 5000)),
)
def test_a_box_passes_exactly_where_it_overlaps_the_picture(box, size):
    x1, y1, x2, y2 = box
    overlaps = min(x2, size[0]) > max(x1, 0) and min(y2, size[1]) > max(y1, 0)
    try:
        (checked,) = check_boxes(box, *size)
    except ValueError:
        assert not overlaps
    else:
        assert overlaps and checked.tolist() == [*box, 1]

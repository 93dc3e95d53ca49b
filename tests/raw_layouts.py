"""Tiny raw downloads in each official layout, written here without the code under test."""

import json

import cv2
import numpy as np

WFLW_LISTS = 'WFLW_annotations/list_98pt_rect_attr_train_test/list_98pt_rect_attr_{}.txt'
WFLW_SUBSETS = 'WFLW_annotations/list_98pt_test/list_98pt_test_{}.txt'

NAMES_300W = (
    'afw/134212_1',
    'afw/134212_2',
    'afw/99_1',
    'helen/trainset/100032540_1',
    'lfpw/trainset/image_0001',
    'helen/testset/296814969_3',
    'lfpw/testset/image_0001',
    'ibug/image_092 _01',
)


def points(num, seed, size=(64, 48)):
    """(num, 2) random landmarks well inside an image of ``size`` (width, height)."""
    rng = np.random.RandomState(seed)
    return (rng.rand(num, 2) * 0.6 + 0.2) * size


def write_image(path, size=(64, 48)):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.RandomState(size[0]).randint(0, 255, (size[1], size[0], 3), np.uint8)
    assert cv2.imwrite(str(path), pixels)


def wflw_line(landmarks, rect, flags, name):
    numbers = [f'{v:.6f}' for v in np.ravel(landmarks)]
    return ' '.join([*numbers, *map(str, rect), *map(str, flags), name])


def write_wflw(root, train, test):
    """``train`` and ``test``: lists of (landmarks, rect, flags, image name)."""
    for split, faces in (('train', train), ('test', test)):
        path = root / WFLW_LISTS.format(split)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(''.join(wflw_line(*face) + '\n' for face in faces))
        for face in faces:
            write_image(root / 'WFLW_images' / face[3])
    return root


def write_pts(path, landmarks, header='version: 1\nn_points: {}\n', newline='\n', start=''):
    """``landmarks`` are pixel indices; iBUG's files count from 1."""
    rows = ''.join(f'{x + 1:.3f} {y + 1:.3f}\n' for x, y in landmarks)
    text = start + header.format(len(landmarks)) + '{\n' + rows + '}\n'
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.replace('\n', newline).encode())


def write_300w(root, names, suffix='.jpg'):
    """One face per name, landmarks seeded by its place in ``names``."""
    for i, name in enumerate(names):
        write_image(root / f'{name}{suffix}')
        write_pts(root / f'{name}.pts', points(68, i))
    return root


def write_cofw(path, frames, phis, boxes, suffix, transposed=True):
    """A .mat as MATLAB v7.3 stores it: cells of references, every array transposed.

    frames: list of (H, W) or (H, W, 3) uint8; phis (n, 87), boxes (n, 4), both 1-based.
    """
    import h5py

    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, 'w', userblock_size=512) as file:  # MATLAB's header lies there
        references = file.create_dataset(f'Is{suffix}', (1, len(frames)), h5py.ref_dtype)
        for i, frame in enumerate(frames):
            references[0, i] = file.create_dataset(f'#refs#/{i}', data=frame.T).ref
        for name, table in ((f'phis{suffix}', phis), (f'bboxes{suffix}', boxes)):
            file[name] = table.T if transposed else table
    return path


def read_json(dst, name):
    return json.loads((dst / 'annotations' / name).read_text())


def keypoints(annotation):
    return np.array(annotation['keypoints']).reshape(-1, 3)


def cofw_table(num, seed):
    """phis (num, 87) and boxes (num, 4) as MATLAB counts, from 1."""
    rng = np.random.RandomState(seed)
    xy = np.stack([points(29, seed + i) + 1 for i in range(num)])
    phis = np.concatenate([xy[..., 0], xy[..., 1], rng.randint(0, 2, (num, 29))], axis=1)
    return phis.astype(float), np.tile([11.0, 6.0, 40.0, 30.0], (num, 1))

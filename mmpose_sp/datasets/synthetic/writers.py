"""Synthetic datasets on disk, in the official raw layouts of WFLW, COFW and 300-W."""

import multiprocessing
import shutil
import sys
import tempfile
import zlib
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Sequence, Tuple, Union

import cv2
import numpy as np
from tqdm import tqdm

from mmpose_sp.faces.annotation_files import pts_text
from mmpose_sp.faces.benchmarks import COFW, FACE_300W, WFLW

from .params import ATTRIBUTES, LAYOUTS
from .plan import planned_face
from .render import render_face

_JPEG = [cv2.IMWRITE_JPEG_QUALITY, 92]


class _Job(NamedTuple):
    layout: str
    split: str
    index: int
    size: int
    rates: str
    seed: int


class _Drawn(NamedTuple):
    image: np.ndarray  # uint8 BGR
    points: np.ndarray  # (K, 2) 0-based px of the layout
    occluded: np.ndarray  # (K,) bool
    attributes: Dict[str, int]


def _draw(job: _Job) -> _Drawn:
    params = planned_face(job.seed, job.layout, job.split, job.index, job.rates)
    face = render_face(params, job.size)
    return _Drawn(face.image, face.landmarks[job.layout], face.occluded[job.layout], face.attributes)


def _one_thread():
    cv2.setNumThreads(1)


def _draw_all(jobs: Sequence[_Job], workers: int, what: str) -> Iterator[_Drawn]:
    bar = partial(tqdm, total=len(jobs), desc=what, unit='face', mininterval=0.5)
    if workers <= 1:
        yield from bar(map(_draw, jobs))
    else:
        # Forking starts workers at once, but OpenCV's threads do not survive it: stop them first.
        method = 'fork' if sys.platform.startswith('linux') else 'spawn'
        threads = cv2.getNumThreads()
        cv2.setNumThreads(1)
        try:
            context = multiprocessing.get_context(method)
            with ProcessPoolExecutor(workers, mp_context=context, initializer=_one_thread) as pool:
                yield from bar(pool.map(_draw, jobs, chunksize=8))
        finally:
            cv2.setNumThreads(threads)


def _varied_size(size: int, seed: int, *names) -> int:
    """An even side between 0.75 and 1.25 times ``size``."""
    rng = np.random.default_rng((seed, zlib.crc32('/'.join(map(str, names)).encode())))
    return max(64, 2 * int(round(size * rng.uniform(0.75, 1.25) / 2)))


@contextmanager
def _complete_or_nothing(dst: Union[str, Path], overwrite: bool) -> Iterator[Path]:
    """A scratch folder beside ``dst`` that takes its place only when the block ends well."""
    dst = Path(dst)
    if dst.exists() and not dst.is_dir():
        raise NotADirectoryError(f'{dst} is a file; name a folder for the synthetic faces')
    if dst.is_dir() and any(dst.iterdir()) and not overwrite:
        raise FileExistsError(f'{dst} is not empty; choose another folder or pass --overwrite to replace it')
    dst.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f'.{dst.name}.', dir=dst.parent))
    try:
        scratch.chmod(0o755)
        yield scratch
        if dst.exists():
            shutil.rmtree(dst)
        scratch.rename(dst)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _save_picture(path: Path, image: np.ndarray):
    path.parent.mkdir(parents=True, exist_ok=True)
    encoded = cv2.imencode(path.suffix, image, _JPEG if path.suffix == '.jpg' else [])[1]
    path.write_bytes(encoded)  # not by OpenCV, which does not say that the disk is full


def write_wflw(dst: Path, num_train: int, num_test: int, seed: int, size: int, workers: int) -> None:
    """``WFLW_images`` and ``WFLW_annotations``: the rect-and-attribute lists and the six subset lists of the test set.

    A tenth of the pictures show two faces side by side and so appear in two lines, as in the real set.
    """
    for split, count in (('train', num_train), ('test', num_test)):
        jobs = [_Job('wflw', split, i, size, 'wflw', seed) for i in range(count)]
        lines, subsets = [], {a: [] for a in ATTRIBUTES}
        group: List[_Drawn] = []
        for i, drawn in enumerate(_draw_all(jobs, workers, f'wflw {split}')):
            group.append(drawn)
            if i % 11 == 9 and i + 1 < count:  # this face shares its picture with the next one
                continue
            kind = ('0--Portrait', '1--Pair')[len(group) > 1]
            name = f'{kind}/{kind.replace("--", "_")}_{split}_{i:06d}.jpg'
            _save_picture(dst / WFLW.download['images'] / name, np.hstack([g.image for g in group]))
            for k, g in enumerate(group):
                points = g.points + [k * size, 0]
                coordinates = ' '.join(f'{v:.6f}' for v in points.ravel())
                rect = _rect(points, i, seed, g.image.shape[0], k)
                flags = [g.attributes[a] for a in ATTRIBUTES]
                lines.append(' '.join([coordinates, *map(str, rect), *map(str, flags), name]))
                for a in ATTRIBUTES:
                    if g.attributes[a]:
                        subsets[a].append(f'{coordinates} {name}')
            group = []
        _save_lines(dst / WFLW.download['split'].format(split), lines)
        if split == 'test':
            for a in ATTRIBUTES:
                _save_lines(dst / WFLW.download['subset'].format(a), subsets[a])


def _rect(points: np.ndarray, index: int, seed: int, size: int, column: int) -> Tuple[int, int, int, int]:
    """A face box (x_min, y_min, x_max, y_max) that holds all landmarks, loosened a little at random."""
    rng = np.random.default_rng((seed, index, column))
    slack = rng.uniform(0, 0.06, 4) * np.ptp(points, axis=0).max()
    x0, y0 = np.floor(points.min(0) - slack[:2]).astype(int)
    x1, y1 = np.ceil(points.max(0) + slack[2:]).astype(int)
    left = column * size
    return max(x0, left), max(y0, 0), min(x1, left + size - 1), min(y1, size - 1)


def _save_lines(path: Path, lines: Sequence[str]):
    """Write a list, if it has a face: no official download has an empty one."""
    if not lines:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(''.join(line + '\n' for line in lines))


def write_cofw(dst: Path, num_train: int, num_test: int, seed: int, size: int, workers: int) -> None:
    """``COFW_{train,test}_color.mat`` (MATLAB v7.3): pictures of varied size, one in five of them grey."""
    for split, count, tag in (('train', num_train, 'Tr'), ('test', num_test, 'T')):
        sizes = [_varied_size(size, seed, 'cofw', split, i) for i in range(count)]
        jobs = [_Job('cofw', split, i, s, 'cofw', seed) for i, s in enumerate(sizes)]
        _save_cofw(dst / COFW.download['split'].format(split), tag, count, _draw_all(jobs, workers, f'cofw {split}'))


def _save_cofw(path: Path, tag: str, count: int, faces: Iterator[_Drawn]):
    import h5py

    phis, boxes = np.zeros((3 * COFW.num_landmarks, count)), np.zeros((4, count))
    with h5py.File(path, 'w', userblock_size=512) as f:
        cells = np.empty((1, count), dtype=object)
        group = f.create_group('#refs#')
        for i, face in enumerate(faces):
            grey = i % 5 == 3
            picture = cv2.cvtColor(face.image, cv2.COLOR_BGR2GRAY if grey else cv2.COLOR_BGR2RGB)
            item = group.create_dataset(
                f'i{i}', data=np.ascontiguousarray(picture.T), compression='gzip', compression_opts=1, track_times=False
            )
            item.attrs['MATLAB_class'] = np.bytes_('uint8')
            cells[0, i] = item.ref
            phis[:, i] = np.concatenate([face.points[:, 0] + 1, face.points[:, 1] + 1, face.occluded])
            low, high = face.points.min(0) + 1, face.points.max(0) + 1
            boxes[:, i] = np.round([*low, *(high - low)])
        images = f.create_dataset(f'Is{tag}', data=cells, dtype=h5py.ref_dtype, track_times=False)
        images.attrs['MATLAB_class'] = np.bytes_('cell')
        for name, values in (('phis', phis), ('bboxes', boxes)):
            f.create_dataset(name + tag, data=values, track_times=False).attrs['MATLAB_class'] = np.bytes_('double')
    header = b'MATLAB 7.3 MAT-file, Platform: GLNXA64, HDF5 schema 1.00 .'.ljust(124) + b'\x00\x02IM'
    with open(path, 'r+b') as f:
        f.write(header)


def write_300w(dst: Path, num_train: int, num_test: int, seed: int, size: int, workers: int) -> None:
    """afw, helen, lfpw and ibug with a ``.pts`` file (1-based) beside every picture; ibug is the hard part."""
    for split, count in (('train', num_train), ('valid', num_test)):
        parts = FACE_300W.splits[split]
        for folder, n in zip(parts, _shares(count, [FACE_300W.published[part] for part in parts])):
            rates = 'ibug' if folder == 'ibug' else '300w'
            (dst / folder).mkdir(parents=True)
            sizes = [_varied_size(size, seed, folder, i) for i in range(n)]
            jobs = [_Job('300w', folder, i, s, rates, seed) for i, s in enumerate(sizes)]
            suffix = '.png' if folder.startswith('lfpw') else '.jpg'
            for i, face in enumerate(_draw_all(jobs, workers, f'300w {folder}')):
                stem = dst / folder / f'image_{i + 1:04d}'
                _save_picture(stem.with_suffix(suffix), face.image)
                stem.with_suffix('.pts').write_text(pts_text(face.points))


def _shares(count: int, weights: Sequence[int]) -> List[int]:
    """``count`` divided in proportion to ``weights``; every part gets one as long as there are enough."""
    exact = np.asarray(weights) / sum(weights) * count
    shares = np.floor(exact).astype(int)
    for i in np.argsort(shares - exact, kind='stable')[: count - shares.sum()]:
        shares[i] += 1
    for i in np.flatnonzero(shares == 0):
        if shares.max() > 1:
            shares[shares.argmax()] -= 1
            shares[i] += 1
    return shares.tolist()


_WRITERS = {'wflw': write_wflw, 'cofw': write_cofw, '300w': write_300w}


def write_synthetic_faces(
    dst: Union[str, Path],
    layout: str = 'wflw',
    num_train: int = 600,
    num_test: int = 120,
    seed: int = 0,
    size: int = 256,
    workers: int = 1,
    overwrite: bool = False,
) -> None:
    """Renders a synthetic dataset into the folder ``dst``.

    Args:
        dst: the folder; with ``layout='all'`` it holds one folder per layout: wflw, cofw, 300w.
        layout: 'wflw' | 'cofw' | '300w' | 'all'.
        num_train, num_test: faces of each layout.
        seed: same seed, same files, whatever the number of workers; face i is the same in a larger set.
        size: side of a picture in px, even, at least 64 (COFW and 300-W: the mean side).
        workers: processes.
        overwrite: replace what is in ``dst``.

    Raises:
        ValueError: an unknown layout, an odd or too small size, a negative count.
        FileExistsError: ``dst`` is not empty and ``overwrite`` is False.
    """
    if layout not in (*LAYOUTS, 'all'):
        raise ValueError(f'unknown layout {layout!r}; known are {", ".join(LAYOUTS)} and all')
    if min(num_train, num_test) < 0 or num_train + num_test == 0:
        raise ValueError(f'nothing to render: num_train {num_train}, num_test {num_test}')
    if size < 64 or size % 2:
        raise ValueError(f'size of a face picture must be even and at least 64, got {size}')
    with _complete_or_nothing(dst, overwrite) as scratch:
        for name in LAYOUTS if layout == 'all' else (layout,):
            folder = scratch / name if layout == 'all' else scratch
            folder.mkdir(exist_ok=True)
            _WRITERS[name](folder, num_train, num_test, seed, size, workers)

"""How calm and how late are tracked landmarks? Our filter against none and against the One-Euro filter.

    python tools/analysis_tools/benchmark_tracking.py [PHOTO] [--model accurate] [--plot tracking.png]

One photograph (by default the public-domain astronaut of scikit-image) becomes three videos whose motion is known: the
face at rest, the head moving, and the head moving while the mouth opens and closes; each frame has new noise. The
landmarks of each frame are found once; every filter gets the same. Jitter is the root mean square change of a landmark
from frame to frame in the frame of the face, lag how many frames a filter is behind (the regression of its error on the
velocity), both after the first frames. For the mouth, which is moved by hand after the landmarks were found, lag and
error are those of the moving landmarks.
"""

import argparse
from pathlib import Path
from typing import Callable, Dict, List, NamedTuple

import cv2
import numpy as np
from tqdm import tqdm

from mmpose_sp.apis.arguments import add_packaged_argument
from mmpose_sp.apis.packaged import DEFAULT
from mmpose_sp.faces import find_scheme, invert, motion, transform_points
from mmpose_sp.utils.atomic import save_figure

SKIPPED = 20  # frames at the beginning, which every filter needs to settle
GREY_NOISE = 8.0  # standard deviation of the noise of a pixel, of 255
#: (min_cutoff, beta) of the One-Euro filter; per frame, and per inter-ocular distance.
ONE_EURO = [(cutoff, beta) for cutoff in (0.005, 0.02, 0.08) for beta in (5.0, 20.0, 80.0, 320.0)]
POSE_NOISES = (1e-8, 3e-8, motion.POSE_NOISE, 3e-7, 1e-6)


class Video(NamedTuple):
    """What was found in a video, and what is known of it.

    Attributes:
        landmarks: (T, K, 2) px, as found.
        covariances: (T, K, 2, 2) px^2.
        matrices: (T, 2, 3) from the photograph to the frame.
        moved: (T, K, 2) px of the photograph, by which landmarks were moved in the face.
        unit: Inter-ocular distance in the photograph, px.
    """

    landmarks: np.ndarray
    covariances: np.ndarray
    matrices: np.ndarray
    moved: np.ndarray
    unit: float


def head_motion(centre: np.ndarray, count: int, moving: bool, unit: float) -> np.ndarray:
    """(T, 2, 3) similarities about the centre of the face: slow sines of shift, turn and scale."""
    t = np.arange(count)
    shift = unit * np.stack([0.5 * np.sin(2 * np.pi * t / 90), 0.25 * np.sin(2 * np.pi * t / 61 + 1)], axis=1) * moving
    angle = moving * np.radians(8) * np.sin(2 * np.pi * t / 75 + 0.5)
    scale = np.exp(moving * 0.08 * np.sin(2 * np.pi * t / 110))
    linear = scale[:, None, None] * np.array(
        [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    ).transpose(2, 0, 1)
    return np.concatenate([linear, (centre + shift - linear @ centre)[:, :, None]], axis=2)


def film(photo: np.ndarray, count: int, moving: bool, landmarker, seed: int) -> Video:
    """Move the photograph, and find the landmarks in each frame around those of the frame before."""
    face = max(landmarker([photo])[0].faces, key=lambda face: face.confidence.mean(), default=None)
    if face is None:
        raise ValueError('no face was found in the photograph')
    left, right = find_scheme(landmarker.dataset_name).normalisers['inter_ocular']
    unit = float(np.linalg.norm(face.landmarks[list(left)].mean(axis=0) - face.landmarks[list(right)].mean(axis=0)))
    matrices = head_motion(face.landmarks.mean(axis=0), count, moving, unit)
    noise, landmarks, covariances = np.random.default_rng(seed), [], []
    box = transform_points(face.landmarks, matrices[0])
    for matrix in tqdm(matrices, desc='moving' if moving else 'at rest', unit='frame'):
        frame = cv2.warpAffine(photo, matrix, photo.shape[1::-1], borderMode=cv2.BORDER_REFLECT)
        frame = np.clip(frame + noise.normal(0, GREY_NOISE, frame.shape), 0, 255).astype(np.uint8)
        (result,) = landmarker([frame], bboxes=[[[*box.min(axis=0), *box.max(axis=0)]]], progress=False)
        box = result.faces[0].landmarks
        landmarks.append(box)
        covariances.append(result.faces[0].covariance)
    return Video(
        np.array(landmarks, float), np.array(covariances, float), matrices, np.zeros((count, len(box), 2)), unit
    )


def with_mouth(video: Video, boundaries) -> Video:
    """The video in which the mouth opens by 0.18 of the inter-ocular distance within six frames, every 60 frames."""
    count, num_landmarks = video.landmarks.shape[:2]
    phase = np.arange(count) % 60 / 60
    opening = 0.18 * video.unit * np.clip(np.minimum((phase - 0.3) / 0.1, (0.8 - phase) / 0.1), 0, 1)
    share = np.zeros(num_landmarks)
    for boundary in boundaries:
        if 'lip' in boundary.name:
            index = np.array(boundary.indices)
            rest = invert(video.matrices[0])
            heights = transform_points(video.landmarks[0], rest)[index, 1]
            share[index[heights > heights.mean()]] = 1.0
    moved = opening[:, None, None] * share[:, None] * np.array([0.0, 1.0])
    landmarks = video.landmarks + np.einsum('tij,tkj->tki', video.matrices[:, :, :2], moved)
    return video._replace(landmarks=landmarks, moved=moved)


def scores(video: Video, filtered: np.ndarray) -> Dict[str, float]:
    """Jitter and error (percent of the inter-ocular distance) and lag (frames) of filtered landmarks (T, K, 2)."""

    def at_rest(landmarks: np.ndarray) -> np.ndarray:
        return np.array([transform_points(points, invert(m)) for points, m in zip(landmarks, video.matrices)])[SKIPPED:]

    reference = (at_rest(video.landmarks) - video.moved[SKIPPED:]).mean(axis=0)
    true = np.array([transform_points(reference + d, m) for d, m in zip(video.moved, video.matrices)])
    error = at_rest(filtered) - reference - video.moved[SKIPPED:]
    in_face = np.abs(video.moved).max() > 0
    still = ~(np.abs(video.moved).max(axis=(0, 2)) > 0)
    velocity = np.gradient(video.moved if in_face else true, axis=0)[SKIPPED:]
    behind = error if in_face else (filtered - true)[SKIPPED:]
    total = (velocity**2).sum()
    counted = error[np.abs(velocity).sum(axis=2) > 1e-6 * video.unit] if in_face else error
    return {
        'jitter': 100 / video.unit * np.sqrt((np.diff(error[:, still], axis=0) ** 2).sum(axis=2).mean()),
        'lag': -(behind * velocity).sum() / total if total > 1e-6 else 0.0,
        'error': 100 / video.unit * np.sqrt((counted**2).sum(axis=-1).mean()),
    }


def one_euro(video: Video, cutoff: float, beta: float) -> np.ndarray:
    """Casiez, Roussel and Vogel, CHI 2012: a low pass for each coordinate whose cutoff rises with its speed."""

    def share(frequency):
        return 2 * np.pi * frequency / (2 * np.pi * frequency + 1)

    value, speed = video.landmarks[0], np.zeros_like(video.landmarks[0])
    filtered = [value]
    for landmarks in video.landmarks[1:]:
        speed = speed + share(0.2) * ((landmarks - value) / video.unit - speed)
        value = value + share(cutoff + beta * np.abs(speed)) * (landmarks - value)
        filtered.append(value)
    return np.array(filtered)


def ours(video: Video, pose_noise: float = motion.POSE_NOISE, smooth: bool = False) -> np.ndarray:
    """The filter of :mod:`mmpose_sp.faces.motion`, or its smoother."""
    states = [motion.start(video.landmarks[0], video.covariances[0])]
    for landmarks, covariances in zip(video.landmarks[1:], video.covariances[1:]):
        states.append(motion.update(motion.predict(states[-1], pose_noise), landmarks, covariances))
    return np.array([state.landmarks for state in (motion.smooth(states, pose_noise) if smooth else states)])


def table(rows: Dict[str, Callable[[Video], np.ndarray]], videos: Dict[str, Video]) -> List[dict]:
    """The scores of every filter on every video."""
    return [
        {
            'filter': name,
            **{
                f'{kind} {key}': value
                for kind, video in videos.items()
                for key, value in scores(video, run(video)).items()
            },
        }
        for name, run in rows.items()
    ]


def as_text(rows: List[dict]) -> str:
    shown = ('rest jitter', 'head jitter', 'head lag', 'head error', 'mouth lag', 'mouth error')
    lines = ['| Filter | ' + ' | '.join(shown) + ' |', '|:--' * 1 + '|:-:' * len(shown) + '|']
    for row in rows:
        lines.append(f'| {row["filter"]} | ' + ' | '.join(f'{row[key]:.3f}' for key in shown) + ' |')
    return '\n'.join(lines)


def plot(rows: List[dict], path: str) -> None:
    """Jitter at rest against the lag of a moving head: lower and further left is better."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.6, 3.8), layout='constrained')
    axes = figure.add_subplot()
    for name, colour in (('One-Euro', 'C0'), ('ours, filter', 'C1'), ('ours, smoother', 'C2'), ('none', '0.3')):
        chosen = [row for row in rows if row['filter'].startswith(name)]
        axes.plot(
            [row['head lag'] for row in chosen], [row['head jitter'] for row in chosen], 'o', color=colour, label=name
        )
    axes.set(xlabel='lag of a moving head [frames]', ylabel='jitter of a moving head [% inter-ocular]', ylim=(0, None))
    axes.set_xlim(-0.02, None)
    axes.grid(alpha=0.3)
    axes.legend(loc='center right')
    save_figure(figure, path, 130)


def parse_args(argv=None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('photo', nargs='?', help="a picture with a face (default: scikit-image's astronaut)")
    add_packaged_argument(parser)
    parser.add_argument('--frames', type=int, default=360, help='of each video (default: 360)')
    parser.add_argument('--seed', type=int, default=0, help='of the noise of the pixels (default: 0)')
    parser.add_argument('--plot', metavar='FILE', help='jitter against lag as a picture')
    return parser.parse_args(argv)


def main(argv=None) -> None:
    args = parse_args(argv)
    from mmpose_sp.runtime import Landmarker
    from mmpose_sp.utils.images import read_image

    if args.photo:
        photo = read_image(args.photo)
    else:
        from skimage.data import astronaut

        photo = astronaut()[..., ::-1].copy()
    landmarker = Landmarker.from_packaged(args.model or DEFAULT)
    videos = {
        kind: film(photo, args.frames, kind == 'head', landmarker, args.seed + number)
        for number, kind in enumerate(('rest', 'head'))
    }
    videos['mouth'] = with_mouth(videos['head'], landmarker.boundaries)
    rows: Dict[str, Callable[[Video], np.ndarray]] = {'none': lambda video: video.landmarks}
    for cutoff, beta in ONE_EURO:
        rows[f'One-Euro {cutoff:g}, {beta:g}'] = lambda video, c=cutoff, b=beta: one_euro(video, c, b)
    for noise in POSE_NOISES:
        rows[f'ours, filter {noise:g}'] = lambda video, noise=noise: ours(video, noise)
    rows[f'ours, smoother {motion.POSE_NOISE:g}'] = lambda video: ours(video, smooth=True)
    found = table(rows, videos)
    name = Path(args.photo).name if args.photo else 'astronaut'
    print(f'{name}, {args.frames} frames; jitter and error in % inter-ocular, lag in frames')
    print(as_text(found))
    if args.plot:
        plot(found, args.plot)
        print(f'written: {args.plot}')


if __name__ == '__main__':
    main()

"""The moving picture of the README: a rendered face turns and talks, the packaged model follows it.

python tools/misc/tracked_face.py docs/images/tracked_face.gif
"""

import argparse
from dataclasses import replace
from typing import Iterator

import numpy as np

from mmpose_sp.apis.arguments import add_packaged_argument
from mmpose_sp.apis.packaged import DEFAULT


def frames(count: int, size: int, seed: int) -> Iterator[np.ndarray]:
    """uint8 BGR pictures of a face that turns, nods and opens its mouth once, and ends where it began."""
    from mmpose_sp.datasets.synthetic import render_face, sample_face

    face = sample_face(np.random.default_rng(seed))
    for phase in 2 * np.pi * np.arange(count) / count:
        yield render_face(
            replace(
                face,
                yaw=24 * np.sin(phase),
                pitch=8 * np.sin(2 * phase),
                roll=6 * np.sin(phase + 1),
                mouth_open=max(0.0, np.sin(2 * phase - 1)) * 0.8,
                eye_closure=(float(np.cos(phase - 2) > 0.985),) * 2,
                centre=(0.5 + 0.06 * np.sin(phase), 0.52 + 0.03 * np.sin(2 * phase)),
                noise=0.0,  # a GIF cannot pack it
            ),
            size,
        ).image


def main(argv=None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('out', help='GIF to write')
    parser.add_argument('--frames', type=int, default=48)
    parser.add_argument('--size', type=int, default=288, help='side in px (default: 288)')
    parser.add_argument('--seed', type=int, default=5, help='of the face (default: 5)')
    add_packaged_argument(parser)
    args = parser.parse_args(argv)
    from PIL import Image

    from mmpose_sp.apis.drawing import draw_result
    from mmpose_sp.apis.tracker import FaceTracker
    from mmpose_sp.runtime import Landmarker
    from mmpose_sp.utils.atomic import atomic_path

    landmarker = Landmarker.from_packaged(args.model or DEFAULT)
    video = list(frames(args.frames, args.size, args.seed))
    # twice round, and the second time shown, so that the loop has no seam
    results = list(FaceTracker(landmarker, 'smooth').track(video * 2, keep_image=True))[len(video) :]
    layers = ('boundaries', 'ellipses', 'confidence')
    drawn = [draw_result(result.image, result, layers, landmarker.boundaries)[..., ::-1] for result in results]
    pictures = [Image.fromarray(picture).quantize(64, dither=Image.Dither.NONE) for picture in drawn]
    with atomic_path(args.out) as temporary:
        pictures[0].save(temporary, format='GIF', save_all=True, append_images=pictures[1:], duration=60, loop=0)
    print(f'written: {args.out}')


if __name__ == '__main__':
    main()

"""Landmarks live from a camera, or from a video file.

    python tools/webcam_demo.py                      # the model that comes with mmpose_sp, the first camera
    python tools/webcam_demo.py CONFIG CHECKPOINT --input 1

Keys in the window: q or Esc quits, 1 to 5 switch the layers (boxes, boundaries, ellipses, landmarks, confidence).
"""

import argparse
import os
import sys
import time
from typing import List, Optional, Union

import cv2
import numpy as np

from mmpose_sp.apis.arguments import (
    add_detection_arguments,
    add_model_arguments,
    complete_model_arguments,
    detection_options,
)
from mmpose_sp.apis.base_landmarker import BaseLandmarker
from mmpose_sp.apis.drawing import LAYERS, draw_result
from mmpose_sp.apis.sources import Source, open_source
from mmpose_sp.apis.tracker import FaceTracker
from mmpose_sp.apis.video import VideoWriter

WINDOW = 'mmpose_sp: q quits'


def parse_args(argv: Optional[List[str]] = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_model_arguments(parser)
    parser.add_argument('--input', default='0', help='index of the camera, or a video file (default: 0)')
    parser.add_argument('--out', metavar='FILE', help='write the drawn video, .mp4 or .avi')
    parser.add_argument('--no-show', action='store_true', help='open no window')
    parser.add_argument('--max-frames', type=int, metavar='N', help='stop after N frames')
    add_detection_arguments(parser, parser)
    args = parser.parse_args(argv)
    complete_model_arguments(parser, args)
    if args.no_show and not args.out:
        parser.error('--no-show without --out FILE would show nothing')
    args.prog = parser.prog
    return args


def display_problem() -> Optional[str]:
    """Why no window can be opened here, or None."""
    # OpenCV's window toolkits end the process when there is no display, so look first.
    if sys.platform.startswith('linux') and not (os.environ.get('DISPLAY') or os.environ.get('WAYLAND_DISPLAY')):
        return 'there is no display'
    gui = next(
        (
            line.split(':')[1].strip()
            for line in cv2.getBuildInformation().splitlines()
            if line.strip().startswith('GUI:')
        ),
        '',
    )
    if gui.upper() == 'NONE':
        return 'this OpenCV is built without windows (opencv-python-headless; opencv-python has them)'
    return None


def camera_or_file(text: str) -> Union[int, str]:
    return int(text) if text.isdigit() else text


def put_rate(image: np.ndarray, rate: float) -> None:
    """Write the frames per second into a picture (in place)."""
    for color, width in (((0, 0, 0), 3), ((255, 255, 255), 1)):
        cv2.putText(image, f'{rate:.1f} frames/s', (8, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.5, color, width, cv2.LINE_AA)


def toggled(layers: List[str], key: int) -> List[str]:
    """The layers after a key was pressed."""
    index = key - ord('1')
    if not 0 <= index < len(LAYERS):
        return layers
    return [layer for layer in LAYERS if (layer in layers) != (layer == LAYERS[index])]


def main(argv: Optional[List[str]] = None) -> int:
    """Run the demo; returns its exit status."""
    args = parse_args(argv)
    try:
        problem = None if args.no_show else display_problem()
        if problem:
            raise ValueError(f'cannot open a window: {problem}. Use --no-show --out FILE.mp4 to write a video instead')
        source = open_source(camera_or_file(args.input))
        if source.kind != 'video':
            raise ValueError(f'{args.input} is neither a camera nor a video; tools/infer.py takes pictures')
        source.live = True  # show every frame at once instead of waiting for a batch
        from mmpose_sp.apis import FaceLandmarker

        landmarker = FaceLandmarker(
            args.config,
            args.checkpoint,
            args.device,
            detector_weights=args.detector_weights,
            **detection_options(args),
        )
        writer = VideoWriter(args.out, source.fps) if args.out else None
        return run(args, landmarker, source, writer)
    except (OSError, ValueError, TypeError) as error:
        print(f'{args.prog}: error: {error}', file=sys.stderr)
        return 2


def run(args: argparse.Namespace, landmarker: BaseLandmarker, source: Source, writer: Optional[VideoWriter]) -> int:
    """Draw frame after frame until the end, a key or ``--max-frames``."""
    layers, rate, count, faces = args.draw, 0.0, 0, 0
    options = dict(errors='record', progress=False, keep_image=True)
    if args.whole_image or any(args.rotations):
        results = landmarker.iterate(source, whole_image=args.whole_image, **options)
    else:
        results = FaceTracker(landmarker).track(source, **options)
    last = time.perf_counter()
    try:
        for count, result in enumerate(results, start=1):
            drawn = draw_result(result.image, result, layers, landmarker.boundaries)
            faces += len(result.faces)
            now = time.perf_counter()
            rate = 0.9 * rate + 0.1 / max(now - last, 1e-6) if rate else 1 / max(now - last, 1e-6)
            last = now
            if writer:
                writer.write(drawn)
            if not args.no_show:
                put_rate(drawn, rate)
                cv2.imshow(WINDOW, drawn)
                key = cv2.waitKey(1) & 0xFF
                if key in (ord('q'), 27):
                    break
                layers = toggled(layers, key)
            if count == args.max_frames:
                break
    except KeyboardInterrupt:
        pass
    finally:
        source.frames.close()
        if writer:
            writer.close()
        if not args.no_show:
            cv2.destroyAllWindows()
    print(f'{count} frames, {faces} faces, {rate:.1f} frames/s' + (f', written to {args.out}' if writer else ''))
    return 0


if __name__ == '__main__':
    sys.exit(main())

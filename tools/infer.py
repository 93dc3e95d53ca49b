"""Face landmarks of a picture, a folder, a pattern or a video.

    python tools/infer.py INPUT --out-dir out/                       # a model that comes with mmpose_sp
    python tools/infer.py INPUT --model accurate --out-dir out/      # the slower one
    python tools/infer.py INPUT CONFIG CHECKPOINT --out-dir out/
    python tools/infer.py INPUT MODEL.onnx --out-dir out/            # by onnxruntime, without torch

Pictures go to OUT_DIR/visualizations and one JSON file for each to OUT_DIR/predictions, in mmpose's format (a list of
faces with keypoints, keypoint_scores, bbox, bbox_score; also keypoint_covariances in px^2 and their tail_weight).
Pictures that a pattern finds in sub-folders have their files in sub-folders of the same names.
--json FILE puts all into one file: the list of faces for a picture, [{image, instances}] for several, [{frame_id,
instances}] for a video, whose faces are followed and have a track_id.
Pictures that cannot be used are listed at the end, and the exit status is then 1.
A run that was stopped keeps what it had in a journal beside FILE or in OUT_DIR; the same command goes on from there.
"""

import argparse
import dataclasses
import json
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Dict, List, Optional

from mmpose_sp.apis.arguments import (
    add_config_options,
    add_detection_arguments,
    add_joint_argument,
    add_model_arguments,
    add_pixel_argument,
    complete_model_arguments,
    detection_options,
)
from mmpose_sp.apis.base_landmarker import BaseLandmarker
from mmpose_sp.apis.drawing import draw_result
from mmpose_sp.apis.journal import Journal, fingerprint
from mmpose_sp.apis.packaged import DEFAULT, packaged_onnx
from mmpose_sp.apis.results import ImageResult
from mmpose_sp.apis.sources import Source, open_source
from mmpose_sp.apis.tracker import FaceTracker
from mmpose_sp.apis.video import VideoWriter
from mmpose_sp.deferral import FOUNDATIONS, missing_foundations
from mmpose_sp.utils.atomic import check_target, is_special, write_text
from mmpose_sp.utils.images import set_max_pixels
from mmpose_sp.utils.named_files import require_files
from mmpose_sp.visualization.sheets import write_image


def parse_args(argv: Optional[List[str]] = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('input', help='picture, folder, "glob pattern", or video')
    add_model_arguments(parser)
    add_joint_argument(parser)
    boxes = parser.add_mutually_exclusive_group()
    boxes.add_argument(
        '--bboxes',
        nargs='+',
        metavar='X1,Y1,X2,Y2',
        help='face boxes of the picture or of every frame, px: tight around the landmarks',
    )
    boxes.add_argument('--bbox-file', metavar='JSON', help='{"path or file name": [[x1, y1, x2, y2], ...], ...}')
    add_detection_arguments(parser, boxes)
    parser.add_argument('--out-dir', metavar='DIR', help='folder for pictures and predictions')
    parser.add_argument('--json', metavar='FILE', help='one file for all predictions')
    parser.add_argument('--batch-size', type=int, default=32, help='faces at once (default: 32)')
    parser.add_argument(
        '--track',
        choices=('smooth', 'filter', 'none', 'off'),
        help='follow the faces of a video: landmarks smoothed by the frames around, or filtered by those before; none: '
        'followed only; off: each frame by itself (default: smooth for videos, off with boxes or --rotations)',
    )
    add_config_options(parser)
    add_pixel_argument(parser)
    parser.add_argument(
        '--runtime',
        action='store_true',
        help='run the packaged model by onnxruntime, without torch (default where torch is not installed)',
    )
    args = parser.parse_args(argv)
    args.prog = parser.prog
    if args.config is None and (args.runtime or len(missing_foundations()) == len(FOUNDATIONS)):
        args.config, args.model = str(packaged_onnx(args.model or DEFAULT)), None
    complete_model_arguments(parser, args)
    if args.config.endswith('.onnx') and (args.checkpoint or args.cfg_options or args.device not in ('auto', 'cpu')):
        parser.error(f'{args.config}: a model of onnxruntime takes no checkpoint, device or config options')
    if args.detector_weights and args.detector in ('yunet', 'haar'):
        parser.error('--detector-weights needs --detector CONFIG')
    return args


def read_boxes(args: argparse.Namespace) -> Any:
    """The boxes of the command line: a list, a mapping, or None.

    Raises:
        FileNotFoundError: No such file.
        ValueError: Not four numbers, or not a JSON object.
    """
    if args.bboxes:
        try:
            boxes = [[float(value) for value in box.split(',')] for box in args.bboxes]
        except ValueError as error:
            raise ValueError(f'--bboxes: {error}; write each box as X1,Y1,X2,Y2') from error
        wrong = [text for text, box in zip(args.bboxes, boxes) if len(box) != 4]
        if wrong:
            raise ValueError(f'--bboxes: {wrong[0]!r} is not a box X1,Y1,X2,Y2')
        return boxes
    if args.bbox_file:
        try:
            boxes = json.loads(Path(args.bbox_file).read_text(encoding='utf-8'))
        except ValueError as error:
            raise ValueError(f'{args.bbox_file}: not JSON: {error}') from error
        if not isinstance(boxes, dict):
            raise ValueError(
                f'{args.bbox_file}: must be an object {{"file name": [[x1, y1, x2, y2], ...], ...}}, '
                f'not a {type(boxes).__name__}'
            )
        return boxes
    return None


def make_landmarker(args: argparse.Namespace) -> BaseLandmarker:
    """The model of the command line, by torch or, for an .onnx file, by onnxruntime."""
    options = dict(detection_options(args), batch_size=args.batch_size, joint=args.joint)
    if args.config.endswith('.onnx'):
        from mmpose_sp.runtime import Landmarker

        return Landmarker(args.config, **options)
    from mmpose_sp.apis import FaceLandmarker

    options.update(detector_weights=args.detector_weights, cfg_options=args.cfg_options)
    return FaceLandmarker(args.config, args.checkpoint, args.device, **options)


class Output:
    """Writes the results of a run to ``out_dir`` as they come, and keeps them in a journal until ``--json`` is written.

    The journal is beside what it is for, ``FILE.journal`` or ``OUT_DIR/journal``. Where a run of the same arguments was
    stopped, :attr:`records` begins with its records, and :meth:`remaining` leaves their pictures out.
    """

    def __init__(self, args: argparse.Namespace, source: Source) -> None:
        self.kind = source.kind
        self.layers = args.draw
        self.json_file = args.json
        self.stem = Path(args.input).stem
        self.root = source.root
        self.pictures = Path(args.out_dir, 'visualizations') if args.out_dir else None
        self.predictions = Path(args.out_dir, 'predictions') if args.out_dir else None
        self._names: Dict[str, int] = {}
        self.video: Optional[VideoWriter] = None
        for folder in (self.pictures, self.predictions) if args.out_dir else ():
            refuse_inputs_in(folder, source)
        results = (folder and folder / f'{self.stem}.json' for folder in (self.pictures, self.predictions))
        for target in (args.json, *results):
            if target:
                check_target(str(target))
        if self.kind == 'video' and self.pictures:
            self.video = VideoWriter(self.pictures / f'{self.stem}.mp4', source.fps)
        self.journal: Optional[Journal] = None
        self.records: List[dict] = []
        beside = args.json and not is_special(args.json)
        if self.kind != 'image' and (beside or args.out_dir):
            path = Path(f'{args.json}.journal' if beside else Path(args.out_dir, 'journal'))
            if self.video or args.track != 'off':
                path.unlink(missing_ok=True)  # neither a video nor tracks can be gone on with: they start anew
            self.journal = Journal(path, identity(args))
            self.records = self.journal.records
            for record in self.records if self.kind == 'images' else ():
                self._name(record['image'])

    def remaining(self, source: Source) -> Source:
        """The source without what a run that was stopped has done."""
        if not self.records:
            return source
        print(f'{self.journal.path}: {len(self.records)} are done already')
        done = {record['frame_id'] if self.kind == 'video' else record['image'] for record in self.records}
        frames = (f for f in source.frames if (f.index if self.kind == 'video' else f.name) not in done)
        return dataclasses.replace(source, frames=frames, length=source.length and source.length - len(done))

    def add(self, result: ImageResult, boundaries: tuple) -> None:
        """Draw and write one picture or frame."""
        instances = result.to_instances()
        place = {'frame_id': result.frame} if self.kind == 'video' else {'image': result.name}
        record = {**place, 'instances': instances, **({'error': result.error} if result.error else {})}
        name = '' if self.kind == 'video' else self._name(result.name)  # of every picture, as a run that goes on does
        if self.pictures and result.image is not None and (result.faces or not result.error):
            drawn = draw_result(result.image, result, self.layers, boundaries)
            if self.video:
                self.video.write(drawn)
            else:
                suffix = '.jpg' if Path(result.name).suffix.lower() in ('.jpg', '.jpeg', '.jfif') else '.png'
                write_image(str(self.pictures / f'{name}{suffix}'), drawn)
                write_text(self.predictions / f'{name}.json', json.dumps(instances))
        if self.journal:
            self.journal.add(record)
        else:
            self.records.append(record)

    def close(self) -> None:
        """Finish the video and write what belongs to the whole run."""
        if self.video:
            self.video.close()
            write_text(self.predictions / f'{self.stem}.json', json.dumps(self.records))
        if self.json_file and self.kind == 'image':
            if 'error' not in self.records[0]:  # no result is not "no face"
                write_text(self.json_file, json.dumps(self.records[0]['instances']))
        elif self.json_file:
            write_text(self.json_file, json.dumps(self.records))
        if self.journal:
            self.journal.finish()

    def _name(self, picture: str) -> str:
        """What the files of a picture are called, without suffix: its path below the folder that was named."""
        path = Path(picture).relative_to(self.root)
        folder = Path(*(part for part in path.parts[:-1] if part != '..'))  # a pattern may leave its folder
        return self._unique((folder / path.stem).as_posix())

    def _unique(self, name: str) -> str:
        """Files of names that differ by their suffix only must not replace each other."""
        count = self._names[name] = self._names.get(name, 0) + 1
        return name if count == 1 else self._unique(f'{name}_{count}')


def refuse_inputs_in(folder: Path, source: Source) -> None:
    """Raise ``ValueError`` where results would take the place of what is read, or a run would read those of another."""
    folder = folder.resolve()
    for place in {place for path in source.paths for place in (path.parent.resolve(), path.resolve().parent)}:
        if folder in (place, *place.parents):
            raise ValueError(f'{place}: inputs lie where the results go; choose another --out-dir')


def identity(args: argparse.Namespace) -> Dict[str, Any]:
    """What must be the same for a run to go on with the records of another: the arguments, and the files they name."""
    files = (args.input, args.config, args.checkpoint, args.detector_weights, args.bbox_file)
    arguments = {key: value for key, value in vars(args).items() if key not in ('prog', 'device', 'batch_size')}
    return {**arguments, 'files': [fingerprint(file) for file in files]}


def report(result: ImageResult) -> str:
    """One line about a picture."""
    name = result.name.encode(errors='backslashreplace').decode()  # names need not be UTF-8
    if result.error:
        return f'{name}: failed'
    if not result.faces:
        return f'{name}: no face found'
    mean = sum(float(face.confidence.mean()) for face in result.faces) / len(result.faces)
    return f'{name}: {len(result.faces)} faces, mean confidence {mean:.2f}'


def run(args: argparse.Namespace) -> int:
    """Run the command; returns its exit status."""
    require_files(args.config, args.checkpoint, args.detector_weights)
    if args.max_pixels:
        set_max_pixels(args.max_pixels)
    boxes = read_boxes(args)
    source = open_source(args.input)
    if source.left_out:
        print(source.left_out, file=sys.stderr)
    if args.bboxes and source.kind == 'images':
        raise ValueError('--bboxes are those of one picture; give a folder its boxes by --bbox-file')
    given = boxes is not None or args.whole_image
    if args.track is None:
        args.track = 'smooth' if source.kind == 'video' and not given and not any(args.rotations) else 'off'
    if args.track != 'off' and given:
        raise ValueError('--track finds the boxes by itself: give no boxes')
    output = Output(args, source)
    landmarker = make_landmarker(args)
    if 'ellipses' in args.draw and not landmarker.has_posterior:
        raise ValueError('--draw ellipses: this model gives no covariances (Gaussian heatmaps)')
    begin = time.perf_counter()
    with output.video or nullcontext():
        options = dict(errors='record', keep_image=bool(args.out_dir))
        if args.track == 'off':
            results = landmarker.iterate(
                output.remaining(source), bboxes=boxes, whole_image=args.whole_image, **options
            )
        else:
            results = FaceTracker(landmarker, args.track).track(source, **options)
        for result in results:
            output.add(result, landmarker.boundaries)
            if source.kind != 'video' and not (args.out_dir or args.json):
                print(report(result))
        output.close()

    records, seconds = output.records, time.perf_counter() - begin
    faces = sum(len(record['instances']) for record in records)
    failed = [(str(record.get('image', args.input)), record['error']) for record in records if 'error' in record]
    kind = 'frames' if source.kind == 'video' else 'pictures'
    print(f'{len(records)} {kind}, {faces} faces, {len(failed)} failed; {faces / seconds:.1f} faces/s')
    for name, message in failed:
        print(f'failed: {message if name in message else f"{name}: {message}"}', file=sys.stderr)
    return 1 if failed else 0


def main(argv: Optional[List[str]] = None) -> int:
    """Run the command; returns its exit status. What is wrong is one line, never a traceback."""
    args = parse_args(argv)
    try:
        return run(args)
    except BrokenPipeError:
        sys.stdout = None  # who read it has gone, and nothing can be flushed to it
        return 1
    except (ImportError, OSError, ValueError, TypeError) as error:
        print(f'{args.prog}: error: {error}', file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print('interrupted; with --json or --out-dir the same command goes on where it stopped', file=sys.stderr)
        return 130


if __name__ == '__main__':
    sys.exit(main())

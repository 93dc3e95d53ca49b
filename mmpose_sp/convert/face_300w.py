"""Convert 300-W (68 points, iBUG ``.pts`` files) to the files that mmpose's Face300WDataset reads.

SRC is the folder with ``afw``, ``helen/{trainset,testset}``, ``lfpw/{trainset,testset}``, ``ibug``
and, where one has it, the private test set (``01_Indoor`` and ``02_Outdoor``, also below ``Test``
or ``300W``). Written are::

    DST/images/<the same layout, private set below Test/>
    DST/annotations/face_landmarks_300w_{train,valid,valid_common,valid_challenge,test}.json

With ``--names`` a part of the set, given by lists of names, becomes
``face_landmarks_300w_<tag>_<list>.json``.

Example:
    python tools/dataset_converters/300w2coco.py ~/downloads/300w data/300w
    python tools/dataset_converters/300w2coco.py ~/downloads/300w data/300w \
        --names tools/dataset_converters/300w_part/{train,val,test}.txt
"""

from pathlib import Path
from typing import Dict, List, Mapping

from mmpose_sp.faces.annotation_files import AnnotationError, read_pts
from mmpose_sp.faces.benchmarks import FACE_300W

from .coco_writing import CocoWriter
from .command import add_image_options, argument_parser, progress
from .output import Output
from .raw_faces import RawFace, find_image, image_size, read_names
from .reports import Problems, check_counts, report_faces, warn
from .splits import add_held_out, photo_of


def folder_of(src: Path, name: str) -> Path:
    """Where a folder of the target layout lies in SRC; the private set comes in several ways."""
    if not name.startswith('Test/'):
        return src / name
    candidates = [src / name, src / name[len('Test/') :], src / '300W' / name[len('Test/') :]]
    return next((c for c in candidates if c.is_dir()), candidates[0])


def read_face(src: Path, name: str, out: Output, subset: str = '', verify: bool = False) -> RawFace:
    """Read the face ``name`` (relative, without suffix, e.g. ``helen/trainset/100032540_1``)."""
    folder, _, stem = name.rpartition('/')
    directory = folder_of(src, folder)
    pts = directory / f'{stem}.pts'
    keypoints = read_pts(pts, FACE_300W.num_landmarks)
    image = find_image(directory / stem)
    face = RawFace(
        f'{name}{image.suffix}',
        image_size(image, verify),
        keypoints,
        photo_of(name),
        str(pts),
        extra={'subset': subset} if subset else {},
    )
    out.image(image, face.file_name)
    return face


def read_faces(
    src: Path, names: Dict[str, List[str]], out: Output, verify: bool, subsets: Mapping[str, str]
) -> Dict[str, List[RawFace]]:
    faces: Dict[str, List[RawFace]] = {key: [] for key in names}
    problems = Problems()
    todo = [(key, name) for key, group in names.items() for name in group]
    for key, name in progress(todo, '300W'):
        with problems.collect():
            faces[key].append(read_face(src, name, out, subsets.get(key, ''), verify))
    problems.raise_if_any()
    return faces


def list_folder(src: Path, name: str) -> List[str]:
    directory = folder_of(src, name)
    stems = {path.stem for path in directory.glob('*.pts')}
    lonely = sorted(p.name for p in directory.glob('*.[jp][pn]g') if p.stem not in stems)
    if lonely:
        warn(f'{directory}: {len(lonely)} images without .pts file are left out, e.g. {lonely[0]}')
    return [f'{name}/{stem}' for stem in sorted(stems)]


def convert_all(args, out: Output) -> None:
    names = {folder: list_folder(args.src, folder) for folder in (*FACE_300W.published, *FACE_300W.published_private)}
    published = dict(FACE_300W.published)
    if any(names[folder] for folder in FACE_300W.published_private):
        published.update(FACE_300W.published_private)
    complete = check_counts('300-W', {k: len(v) for k, v in names.items()}, published, args.strict)
    folders = read_faces(args.src, names, out, args.verify, FACE_300W.part_subsets)
    splits = {key: [f for name in group for f in folders[name]] for key, group in FACE_300W.splits.items()}
    report_faces({key: splits[key] for key in ('train', 'valid', 'test')})
    add_held_out(splits, args)
    CocoWriter('300-W converted from the iBUG .pts files', complete).write(splits, out, FACE_300W, optional='test')
    if args.write_names:
        rest, val = splits.get('train_part', splits['train']), splits.get('val', [])
        write_names(args.write_names, {'train': rest, 'val': val, 'test': splits['valid']})


def write_names(folder: Path, splits: Dict[str, List[RawFace]]) -> None:
    """Write one name a line, so that others convert the same part with ``--names``."""
    folder.mkdir(parents=True, exist_ok=True)
    for key, faces in splits.items():
        if faces:
            stems = sorted(face.file_name.rpartition('.')[0] for face in faces)
            (folder / f'{key}.txt').write_text('\n'.join(stems) + '\n', encoding='utf-8')


def convert_part(args, out: Output) -> None:
    if args.val_list or args.val_fraction is not None:
        raise AnnotationError('--names already says what is validation data: leave --val-fraction / --val-list out.')
    names = {path.stem: read_names(path) for path in args.names}
    if len(names) < len(args.names):
        raise AnnotationError('--names: two lists have the same file name, which names their output; rename one.')
    owner: Dict[str, str] = {}
    for key, group in names.items():
        places = ((name, name.rpartition('/')) for name in group)
        missing = [
            name for name, (folder, _, stem) in places if not (folder_of(args.src, folder) / f'{stem}.pts').is_file()
        ]
        if missing:
            raise AnnotationError(
                f'list {key}: {len(missing)} of {len(group)} names are not in {args.src}, e.g. '
                f'{missing[0]}.pts; SRC is the folder that holds afw, helen, lfpw and ibug.'
            )
        both = [n for n in group if owner.setdefault(n, key) != key]
        if both:
            raise AnnotationError(f'lists {owner[both[0]]} and {key} share {len(both)} names, e.g. {both[0]}.')
    # no 'subset' here: a part of the test set is neither 300-W common nor challenging
    splits = read_faces(args.src, names, out, args.verify, {})
    report_faces(splits)
    to_coco = CocoWriter(f'part "{args.tag}" of 300-W, given by name lists', False)
    for key, faces in splits.items():
        out.json(to_coco(faces), FACE_300W.annotation_file.format(f'{args.tag}_{key}'))


def main(argv=None) -> None:
    parser = argument_parser(__doc__, 'folder with afw, helen, lfpw, ibug', 'data/300w')
    add_image_options(parser)
    parser.add_argument(
        '--names',
        nargs='+',
        type=Path,
        metavar='FILE',
        help='convert only the faces in these lists (a name a line, e.g. afw/134212_1); the list '
        'train.txt becomes face_landmarks_300w_<tag>_train.json',
    )
    parser.add_argument('--tag', default='part', help='name of the part that --names gives (default: %(default)s)')
    parser.add_argument(
        '--write-names',
        type=Path,
        metavar='DIR',
        help='write the names of train (without val), val and test to DIR/*.txt',
    )
    args = parser.parse_args(argv)
    with Output(args.dst, FACE_300W.annotation_file, args.link) as out:
        if args.names:
            convert_part(args, out)
        else:
            convert_all(args, out)

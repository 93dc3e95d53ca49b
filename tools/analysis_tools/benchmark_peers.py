"""Landmark systems on the same photographs: the page docs/peers.md.

The systems of others are optional packages, for an environment of its own (Python 3.11)::

    pip install '.[runtime,peers]' matplotlib 'opencv-contrib-python<5'
    npm install @vladmandic/face-api @tensorflow/tfjs @tensorflow/tfjs-backend-wasm

What is not installed is left out, with a line that says so. Results are kept in WORK_DIR, one file for each system and
disturbance; delete a file to have it measured again. The page shows all that is there.

Example:
    python tools/analysis_tools/benchmark_peers.py ~/downloads/300w
"""

import argparse
import os
from pathlib import Path
from typing import Dict, List, Optional, Sequence

import numpy as np

from mmpose_sp.peers.measure import (
    CAP,
    CLEAN,
    COMMON,
    INNER,
    TIME,
    Condition,
    Store,
    capped_mean,
    conditions,
    errors_of,
    landmarks_of,
    nearest_vertices,
    time_of,
)
from mmpose_sp.peers.photos import DISTURBANCES, MATCH, Photo, names_of, read_photos
from mmpose_sp.peers.systems import SYSTEMS, System
from mmpose_sp.utils.atomic import save_figure, write_text

ROOT = Path(__file__).resolve().parents[2]
LISTS = Path(__file__).resolve().parents[1] / 'dataset_converters' / '300w_part'
COLORS = {'fast': '#1b7837', 'accurate': '#762a83', 'dlib': '#b2182b', 'mediapipe': '#2166ac', 'face-api': '#e08214'}
PAGE = """# Peers

Landmark systems that one can install with their weights, on the same {count} photographs: the part of HELEN's test set
at hand, crops of about 420 px with one annotated face each. Every system finds the faces itself. This page is written
by

```bash
python tools/analysis_tools/benchmark_peers.py FOLDER_OF_300W   # after pip install '.[runtime,peers]'; -h says more
```

| System | Found | NME, 68 points | inner 51 | 7 | FR | ms | MB | Weights | Landmarks trained on |
|:--|:-:|:-:|:-:|:-:|:-:|:-:|:-:|:--|:--|
{rows}

- **Found**: of {count}; the box around the landmarks overlaps the annotated one by {match:g} (intersection over union).
- **NME**: mean error in percent of the distance of the outer corners of the eyes, over the {shared} faces that all
  systems of the table find; of all points, of those without the jaw, and of the corners of eyes and mouth and the tip
  of the nose, which mean the same to everybody. **FR**: percentage of all faces with an error above 5%, or not found.
- **ms**: CPU time on one thread, from photograph to landmarks; of each of 20 photographs the least of 5, then the
  median. **MB**: of the weights; what dlib's detector needs lies in its library.
- A system that was not trained on annotations of 300-W bears the difference of the conventions, most of all at the
  jaw; of mediapipe's 478 vertices the 68 were chosen that lie nearest to 300-W's landmarks on training faces.
- dlib's error says little: its model has most likely seen these faces.

## Disturbed photographs

Mean error of 68 points on {disturbed} of the faces, in percent; a face that is not found counts as {cap:g}, as does a
larger error. In brackets the percentage that is found, where it is not 100.

| | | {titles} |
|:--|:--|{dashes}
{disturbances}

![Error against the strength of each disturbance]({plot})

## One more row

A system is one class in [mmpose_sp/peers/systems.py](../mmpose_sp/peers/systems.py): what is known about it, how it is
made, and `faces(image)`, which returns (68, 2) px for each face.
"""


def parse_args(argv: Optional[List[str]] = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('data', type=Path, help='folder in the layout of 300-W')
    parser.add_argument('--names', default=str(LISTS / 'test.txt'), help='list of faces (default: the 217 test faces)')
    parser.add_argument('--systems', nargs='*', choices=list(SYSTEMS), default=list(SYSTEMS), metavar='SYSTEM')
    parser.add_argument('--every', type=int, default=5, help='which of the faces are disturbed (default: every 5th)')
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/peers'), help='where results are kept')
    parser.add_argument('--fit-mesh', action='store_true', help="print mediapipe's vertices nearest to the landmarks")
    parser.add_argument('--out', type=Path, default=ROOT / 'docs' / 'peers.md', help='the page')
    parser.add_argument('--plot', type=Path, default=ROOT / 'docs' / 'images' / 'peers.png')
    return parser.parse_args(argv)


def measure(key: str, photos: Sequence[Photo], some: Sequence[Photo], store: Store) -> None:
    """Measure what is not in the store yet."""
    wanted = [(Condition(), photos), *((condition, some) for condition in conditions() if key != 'fast-once')]
    wanted = [(c, faces) for c, faces in wanted if not store.load(key, c.key, [photo.name for photo in faces])]
    names = [photo.name for photo in photos]
    timed = store.load(key, TIME, names)
    if timed and not wanted:
        return
    try:
        system: System = SYSTEMS[key]()
    except (ImportError, OSError) as error:
        print(f'{key}: left out, {error}. Fix: {SYSTEMS[key].install.strip("`")}')
        return
    if not timed:
        size = sum(file.stat().st_size for file in system.files) / 1e6
        store.save(key, TIME, names, ms=time_of(system.timed, [photo.image for photo in photos]), megabytes=size)
    for condition, faces in wanted:
        found = landmarks_of(lambda image: system.timed(image)[0], [condition.apply(photo) for photo in faces])
        store.save(key, condition.key, [photo.name for photo in faces], landmarks=found)
        print(f'{key}, {condition.key}: {100 * np.isfinite(found[:, 0, 0]).mean():.1f}% found', flush=True)
    system.close()


def rows(keys: Sequence[str], photos: Sequence[Photo], store: Store) -> Dict[str, object]:
    """The table of the undisturbed photographs."""
    names = [photo.name for photo in photos]
    found = {key: store.load(key, CLEAN, names)['landmarks'] for key in keys}
    shared = np.all([np.isfinite(landmarks).all(axis=(1, 2)) for landmarks in found.values()], axis=0)
    lines = []
    for key in keys:
        system, timed = SYSTEMS[key], store.load(key, TIME, names)
        errors = [errors_of(found[key], photos, points) for points in (range(68), INNER, COMMON)]
        cells = [
            system.title,
            str(np.isfinite(errors[0]).sum()),
            *(f'{error[shared].mean():.2f}' for error in errors),
            f'{100 * (errors[0] > 5).mean():.1f}',
            f'{float(timed["ms"]):.1f}',
            f'{float(timed["megabytes"]):.1f}',
            system.licence,
            system.trained_on,
        ]
        lines.append(f'| {" | ".join(cells)} |')
    return dict(count=len(photos), shared=int(shared.sum()), rows='\n'.join(lines))


def disturbed_errors(keys: Sequence[str], photos: Sequence[Photo], store: Store) -> Dict[str, Dict[Condition, tuple]]:
    """System -> condition -> mean error and percentage found."""
    names = [photo.name for photo in photos]
    table: Dict[str, Dict[Condition, tuple]] = {key: {} for key in keys}
    for condition in conditions():
        faces = [condition.apply(photo) for photo in photos]
        for key in keys:
            stored = store.load(key, condition.key, names)
            if stored:
                table[key][condition] = capped_mean(errors_of(stored['landmarks'], faces))
    return table


def draw(table: Dict[str, Dict[Condition, tuple]], clean: Dict[str, float], cap: float, path: Path) -> None:
    """Error against strength, a panel for each disturbance."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 5), layout='constrained')
    axes = figure.subplots(2, 4, sharey=True)
    for axis, (name, disturbance) in zip(axes.flat, DISTURBANCES.items()):
        for key, values in table.items():
            points = [clean[key], *(values[Condition(name, s)][0] for s in disturbance.strengths)]
            axis.plot(points, color=COLORS.get(key), marker='o', markersize=3, label=SYSTEMS[key].title.split(' (')[0])
        axis.set_xticks(range(len(disturbance.strengths) + 1), ['none', *(f'{s:g}' for s in disturbance.strengths)])
        axis.set_title(f'{name} ({disturbance.unit})', fontsize=9)
        axis.set_ylim(0, cap * 1.02)
        axis.grid(alpha=0.3)
    for axis in axes[:, 0]:
        axis.set_ylabel('mean error, %')
    axes.flat[-1].axis('off')
    axes.flat[-1].legend(*axes.flat[0].get_legend_handles_labels(), loc='center', frameon=False)
    save_figure(figure, path, 110)


def cell(value: tuple) -> str:
    error, found = value
    return f'{error:.1f}' if found == 100 else f'{error:.1f} ({found:.0f})'


def main(argv: Optional[List[str]] = None) -> None:
    args = parse_args(argv)
    if hasattr(os, 'sched_setaffinity'):  # one thread for everybody, also for libraries that start their own
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    if args.fit_mesh:
        print(nearest_vertices(read_photos(args.data, names_of(args.data, str(LISTS / 'train.txt'))[::10])))
        return
    photos = list(read_photos(args.data, names_of(args.data, args.names)))
    some = photos[:: args.every]
    store = Store(args.work_dir)
    for key in args.systems:
        measure(key, photos, some, store)

    names = [photo.name for photo in photos]
    keys = [key for key in SYSTEMS if store.load(key, CLEAN, names)]
    table = disturbed_errors([key for key in keys if key != 'fast-once'], some, store)
    table = {key: values for key, values in table.items() if len(values) == len(list(conditions()))}
    clean = {key: store.load(key, CLEAN, names)['landmarks'][:: args.every] for key in table}
    draw(table, {key: capped_mean(errors_of(value, some))[0] for key, value in clean.items()}, CAP, args.plot)
    lines = [
        f'| {c.disturbance} | {c.strength:g} | {" | ".join(cell(table[key][c]) for key in table)} |'
        for c in conditions()
    ]
    page = PAGE.format(
        **rows(keys, photos, store),
        cap=CAP,
        match=MATCH,
        disturbed=len(some),
        titles=' | '.join(SYSTEMS[key].title.split(' (')[0] for key in table),
        dashes=':-:|' * len(table),
        disturbances='\n'.join(lines),
        plot=os.path.relpath(args.plot, args.out.parent),
    )
    write_text(args.out, page)
    print(f'wrote {args.out}')


if __name__ == '__main__':
    main()

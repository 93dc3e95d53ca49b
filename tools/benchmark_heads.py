"""Heads of mmpose beside ours on one network: trains, tests and writes one page and one JSON file.

    python tools/benchmark_heads.py                                   # LiteUNet at 128 px, the 300-W part, on a CPU
    python tools/benchmark_heads.py --track gpu --data wflw --cfg-options \
        train_dataloader.dataset.ann_file=annotations/face_landmarks_wflw_train_part.json \
        val_dataloader.dataset.ann_file=annotations/face_landmarks_wflw_val.json

Each contestant has the codec and the loss that mmpose ships for it; network, faces, augmentation, optimizer, steps
and flip test are the same for all (mmpose_sp/rivals/contestants.py, tracks.py). Learning rates are chosen by short
trials on validation faces, three for everybody and more where the best is at the edge of these; then everybody trains,
ours and the five heads that are best on validation from two more seeds. Test faces are read once per training, and
choose nothing.

--time measures what a step of each costs, for which the machine should be quiet: once at the end, with --page-only.
Started again, it goes on where it was stopped. Started twice at once (on two cores, say), the two share the work. What
the JSON file knows is not trained again, so it can be continued on another machine.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mmpose_sp.utils.dict_action import DictAction

STAGES = ('trials', 'finals', 'seeds')


def parse_args(argv=None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--track', default='cpu', help='cpu, cpu-256 or gpu (default: %(default)s)')
    parser.add_argument('--data', default='300w_part', help='300w_part, wflw, cofw or 300w (default: %(default)s)')
    parser.add_argument('--heads', nargs='+', metavar='NAME', help='contestants (default: all)')
    parser.add_argument('--until', choices=STAGES, default='seeds', help='the last stage to do (default: %(default)s)')
    parser.add_argument(
        '--several-seeds', nargs='+', default=[], metavar='NAME', help='who trains from more seeds (default: the best)'
    )
    parser.add_argument('--seeds', type=int, default=3, help='of these (default: %(default)s)')
    parser.add_argument('--work-dir', type=Path, help='of the trainings (default: work_dirs/heads/TRACK_DATA)')
    parser.add_argument('--out', type=Path, help='page (default: heads.md in the work dir)')
    parser.add_argument('--epochs', type=int, help="of a tested training (default: the track's)")
    parser.add_argument('--trial-epochs', type=int, help="of a trial (default: the track's)")
    parser.add_argument(
        '--rates', type=float, nargs='+', help='learning rates to try first; of one, there are no trials'
    )
    parser.add_argument('--workers', type=int, default=2, help='processes that load faces (default: %(default)s)')
    parser.add_argument('--train-faces', type=int, default=0, help='at most so many for the offset (default: all)')
    parser.add_argument('--device', default='auto', help='for the tests (default: a GPU if there is one)')
    parser.add_argument(
        '--time', action='store_true', help='measure a step of each, in turn, on a quiet machine, one thread of a CPU'
    )
    parser.add_argument(
        '--score-again', action='store_true', help='test what was trained in the work dir anew, and train nothing'
    )
    parser.add_argument('--page-only', action='store_true', help='only write what is known')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, default={}, help='of all trainings')
    args = parser.parse_args(argv)
    args.parser = parser
    return args


def main(argv=None) -> None:
    args = parse_args(argv)
    import torch

    from mmpose_sp.apis.model_loading import choose_device
    from mmpose_sp.benchmarks.timing import Context
    from mmpose_sp.faces import find_scheme
    from mmpose_sp.rivals.comparison import Comparison, with_ours
    from mmpose_sp.rivals.contestants import CONTESTANTS, find
    from mmpose_sp.rivals.page import write
    from mmpose_sp.rivals.scoring import score
    from mmpose_sp.rivals.step_costs import step_costs
    from mmpose_sp.rivals.tracks import TRACKS, base_config
    from mmpose_sp.utils.validation_faces import refuse_test_faces

    try:
        if args.track not in TRACKS:
            raise ValueError(f'--track {args.track}: there are {", ".join(TRACKS)}')
        changed = dict(epochs=args.epochs, trial_epochs=args.trial_epochs, rates=args.rates)
        track = TRACKS[args.track]._replace(**{key: value for key, value in changed.items() if value})
        contestants = find(with_ours(args.heads or list(CONTESTANTS)))
        config = base_config(track, args.data)
        config.merge_from_dict(args.cfg_options)
        refuse_test_faces(config)
        work_dir = args.work_dir or Path('work_dirs/heads') / f'{args.track}_{args.data}'
        out = args.out or work_dir / 'heads.md'
        comparison = Comparison(
            track,
            args.data,
            contestants,
            work_dir,
            out.with_suffix('.json'),
            args.cfg_options,
            args.workers,
            lambda config, checkpoint: score(config, checkpoint, choose_device(args.device), args.train_faces),
            args.seeds,
        )
        if args.score_again:
            comparison.score_again()
        elif not args.page_only:
            comparison.run_until(STAGES.index(args.until), list(find(args.several_seeds)))
        if args.time:
            device = torch.device(choose_device(args.device))
            threads = 1 if device.type == 'cpu' else torch.get_num_threads()
            torch.set_num_threads(threads)
            comparison.costs.update(step_costs(comparison, Context(device, threads, False, work_dir)))
    except (OSError, ValueError, RuntimeError) as error:
        args.parser.error(str(error))
    scheme = find_scheme(args.data.split('_')[0])
    heading = (
        f'# Heads on {args.data}, {track.model}, {track.side} px\n\n{track.epochs} epochs each, learning rates by '
        f'trials of {track.trial_epochs} epochs; NME in percent ({scheme.norm.replace("_", "-")}), FR and AUC at '
        f'{scheme.threshold:g}%.'
    )
    written = list(sys.argv[1:] if argv is None else argv)
    if '--work-dir' in written:  # of one machine; the command does without
        at = written.index('--work-dir')
        del written[at : at + 2]
    written = [argument for argument in written if argument not in ('--page-only', '--score-again', '--time')]
    write(comparison, out, heading, ' '.join(['python tools/benchmark_heads.py', *written]), scheme.threshold)
    print(f'written: {out}, {out.with_suffix(".json")}')
    if comparison.failed:
        sys.exit('error: not trained: ' + ', '.join(sorted(run.name for run in comparison.failed)))


if __name__ == '__main__':
    main()

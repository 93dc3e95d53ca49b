"""How fast the method is, as ratios against named baselines that are measured in the same run.

    python tools/analysis_tools/benchmark_speed.py --out work_dirs/benchmark.json
    python tools/analysis_tools/benchmark_speed.py --sections loss decode --device cuda

Prints a Markdown report; --out writes the numbers as JSON and the report beside it. On one CPU thread time is the
time that the process computes, the baselines taking turns with ours, so that other work on the machine disturbs little;
the caches are shared all the same, and the numbers are best on a quiet machine.
"""

import argparse
import json
import os
import sys
import tempfile
import time
import warnings
from pathlib import Path

METHOD = """Times are medians over rounds in which ours and the baselines take turns, ratios the medians of the rounds'
own ratios. On one CPU thread, time is the time that the process computes. "load" is that of the machine when the run
began, this run not included."""


def parse_args(argv=None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        '--sections',
        nargs='+',
        metavar='NAME',
        help='some of: loss codec pipeline decode step inference joining scaling (default: all)',
    )
    parser.add_argument('--device', choices=('auto', 'cpu', 'cuda'), default='auto')
    parser.add_argument('--threads', type=int, default=1, help='of the CPU (default: 1)')
    parser.add_argument('--quick', action='store_true', help='small and few: to see that it runs, not for numbers')
    parser.add_argument('--out', metavar='FILE.json', help='write the numbers here and the report beside it, as .md')
    args = parser.parse_args(argv)
    if args.threads < 1:
        parser.error('--threads must be at least 1')
    if args.out and Path(args.out).suffix != '.json':
        parser.error(f'--out {args.out}: must end in .json')
    return args


def main(argv=None) -> None:
    args = parse_args(argv)
    os.environ.setdefault('OMP_NUM_THREADS', str(args.threads))  # read when torch and NumPy are imported
    warnings.filterwarnings('ignore')
    import torch

    from mmpose_sp.benchmarks import SECTIONS
    from mmpose_sp.benchmarks.timing import Context, machine
    from mmpose_sp.utils.atomic import write_text

    unknown = set(args.sections or ()) - set(SECTIONS)
    if unknown:
        sys.exit(f'error: no section {", ".join(sorted(unknown))}; there are {", ".join(SECTIONS)}')
    device = args.device if args.device != 'auto' else 'cuda' if torch.cuda.is_available() else 'cpu'
    if device == 'cuda' and not torch.cuda.is_available():
        sys.exit('error: --device cuda, but torch finds no GPU')
    torch.set_num_threads(args.threads)

    command = ' '.join(['python tools/analysis_tools/benchmark_speed.py', *(sys.argv[1:] if argv is None else argv)])
    results = {'command': command, 'date': time.strftime('%Y-%m-%d'), 'load': f'{os.getloadavg()[0]:.1f}'}
    texts, results['sections'] = [], {}
    with tempfile.TemporaryDirectory() as folder:
        context = Context(torch.device(device), args.threads, args.quick, Path(folder))
        results.update(machine(context))
        head = '\n'.join(f'- {name}: {results[name]}' for name in (*machine(context), 'date', 'load'))
        variables = ' '.join(f'{k}={v}' for k, v in sorted(os.environ.items()) if k.startswith('MALLOC_'))
        results['command'] = command = f'{variables} {command}'.strip()
        texts.append(f'# Speed\n\n`{command}`\n\n{head}\n\n{METHOD}')
        print(texts[0], flush=True)
        for name in SECTIONS:
            if args.sections and name not in args.sections:
                continue
            section = SECTIONS[name](context)
            texts.append(section.markdown())
            results['sections'][name] = section.as_dict()
            print(f'\n{texts[-1]}', flush=True)
    if args.out:
        write_text(args.out, json.dumps(results, indent=1) + '\n')
        write_text(Path(args.out).with_suffix('.md'), '\n\n'.join(texts) + '\n')


if __name__ == '__main__':
    main()

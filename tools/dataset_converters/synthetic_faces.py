"""Renders synthetic faces into the official raw layout of WFLW, COFW or 300-W.

python tools/dataset_converters/synthetic_faces.py data/synthetic_raw/wflw --num-train 600 --num-test 120
"""

import argparse
import sys

from mmpose_sp.datasets.synthetic import LAYOUTS


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('dst', help='folder to write (with --layout all: one folder per layout below it)')
    parser.add_argument('--layout', choices=(*LAYOUTS, 'all'), default='wflw')
    parser.add_argument('--num-train', type=int, default=600, help='faces to train on (default: 600)')
    parser.add_argument('--num-test', type=int, default=120, help='faces to test on (default: 120)')
    parser.add_argument('--seed', type=int, default=0, help='same seed, same files (default: 0)')
    parser.add_argument('--size', type=int, default=256, help='side of a picture in px, even (default: 256)')
    parser.add_argument('--workers', type=int, default=1, help='processes; the files do not depend on it')
    parser.add_argument('--overwrite', action='store_true', help='replace what is in dst')
    return parser.parse_args()


def main():
    args = vars(parse_args())
    from mmpose_sp.datasets.synthetic import write_synthetic_faces

    try:
        write_synthetic_faces(**args)
    except (OSError, ValueError) as error:
        sys.exit(f'error: {error}')
    print(f'synthetic faces are in {args["dst"]}')


if __name__ == '__main__':
    main()

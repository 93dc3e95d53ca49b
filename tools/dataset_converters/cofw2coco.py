"""Convert COFW (29 points, colour) to the files that mmpose's COFWDataset reads. --help says more."""

from mmpose_sp.convert.cofw import main
from mmpose_sp.convert.command import run

if __name__ == '__main__':
    run(main)

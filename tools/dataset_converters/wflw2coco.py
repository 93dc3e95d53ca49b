"""Convert WFLW (98 points) to the files that mmpose's WFLWDataset reads. --help says more."""

from mmpose_sp.convert.command import run
from mmpose_sp.convert.wflw import main

if __name__ == '__main__':
    run(main)

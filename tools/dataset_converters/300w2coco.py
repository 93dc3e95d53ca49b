"""Convert 300-W (68 points, iBUG ``.pts`` files) to the files that mmpose's Face300WDataset reads. --help says more."""

from mmpose_sp.convert.command import run
from mmpose_sp.convert.face_300w import main

if __name__ == '__main__':
    run(main)

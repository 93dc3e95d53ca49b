"""Train a model: ``python tools/train.py CONFIG [--work-dir DIR] [--resume [CHECKPOINT]] [--amp] ...``

The command line, and the code behind it, are those of the installed mmpose (``--help`` lists the flags).
"""

from mmpose_sp.utils.launch import run_mmpose_tool

if __name__ == '__main__':
    run_mmpose_tool('train.py')

"""Train a model: ``python tools/train.py CONFIG [--work-dir DIR] [--resume [CHECKPOINT]] [--amp] ...``

The command line, and the code behind it, are those of the installed mmpose (``--help`` lists the flags).
"""

from mmpose_sp.utils.mmpose_tools import check_arguments

if __name__ == '__main__':
    check_arguments('train.py')
    from mmpose_sp.utils.launch import run_mmpose_tool

    run_mmpose_tool('train.py')

"""Parameters and multiply-adds: ``python tools/analysis_tools/get_flops.py CONFIG --input-shape 256 256``

mmpose's command with mmpose_sp registered; what it counts as FLOPs are multiply-adds.
"""

from mmpose_sp.utils.mmpose_tools import check_arguments

if __name__ == '__main__':
    check_arguments('analysis_tools/get_flops.py')
    from mmpose_sp.utils.launch import run_mmpose_tool

    run_mmpose_tool('analysis_tools/get_flops.py')

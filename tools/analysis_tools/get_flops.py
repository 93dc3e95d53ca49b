"""Parameters and multiply-adds: ``python tools/analysis_tools/get_flops.py CONFIG --input-shape 256 256``

mmpose's command with mmpose_sp registered; what it counts as FLOPs are multiply-adds.
"""

from mmpose_sp.utils.launch import run_mmpose_tool

if __name__ == '__main__':
    run_mmpose_tool('analysis_tools/get_flops.py')

# mmpose's own runtime, plus the one line that registers everything of mmpose_sp.
_base_ = ['mmpose::_base_/default_runtime.py']

custom_imports = dict(imports=['mmpose_sp'], allow_failed_imports=False)

# Refuses a checkpoint that was trained for other landmarks before any time is lost.
default_hooks = dict(guard=dict(type='CheckpointGuardHook'))

env_cfg = dict(cudnn_benchmark=True)  # all inputs of a config have one size: the search for the fastest kernels pays

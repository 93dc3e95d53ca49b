# mmpose's own runtime, plus the one line that registers everything of mmpose_sp.
_base_ = ['mmpose::_base_/default_runtime.py']

custom_imports = dict(imports=['mmpose_sp'], allow_failed_imports=False)

# What a training is promised, see docs/reliability.md.
default_hooks = dict(
    checkpoint=dict(type='SafeCheckpointHook'),  # no kill, full disk or preemption takes the last checkpoint
    finite=dict(type='FiniteHook'),  # stops at the first NaN
    guard=dict(type='CheckpointGuardHook'),  # refuses a checkpoint of other landmarks before any time is lost
    codec_guard=dict(type='CodecGuardHook'),  # refuses labels of another codec than reads the landmarks
    step_seeds=dict(type='StepSeedHook'),  # a resumed training is the uninterrupted one
)

env_cfg = dict(cudnn_benchmark=True)  # all inputs of a config have one size: the search for the fastest kernels pays
randomness = dict(seed=None)  # any; --cfg-options randomness.seed=0 repeats a training, and sweep.py can vary it

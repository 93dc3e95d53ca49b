# One stack of the paper's network, narrow, at 128 px: what a CPU can train.
_base_ = [
    '../../../_base_/face_data/300w_part.py',
    '../../../_base_/models/aam-hg4.py',
    '../../../_base_/schedules/lite-100e.py',
]

codec = dict(
    type='ImageAwareLabelSmoothing',
    input_size=(128, 128),
    heatmap_size=(32, 32),
    boundaries='300w',
    gamma=0.01,
    subpixel='local_expectation',
    edge_maps=True,
)
model = dict(backbone=dict(num_stacks=1, channels=64, num_landmarks=68, edges='300w'), head=dict(decoder=codec))

crop = dict(type='TopdownAffine', input_size=codec['input_size'])
train_pipeline = [
    *_base_.load,
    *_base_.geometry,
    crop,
    dict(type='GenerateTarget', encoder=codec),
    *_base_.texture,
    dict(type='PackPoseInputs'),
]
val_pipeline = [*_base_.load, crop, dict(type='PackPoseInputs')]
train_dataloader = dict(batch_size=16, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=val_pipeline))
# The faces that choose the best epoch are held out of the training ones.
default_hooks = dict(checkpoint=dict(save_best='NME', rule='less'))

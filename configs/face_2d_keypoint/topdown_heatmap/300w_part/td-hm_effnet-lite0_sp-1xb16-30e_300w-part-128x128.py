# The accurate model's first stage: many cheap epochs at 128 px.
_base_ = [
    '../../../_base_/face_data/300w_part.py',
    '../../../_base_/models/effnet-lite0.py',
    '../../../_base_/schedules/lite-100e.py',
]

codec = dict(
    type='ImageAwareLabelSmoothing',
    input_size=(128, 128),
    heatmap_size=(32, 32),
    boundaries='300w',
    gamma=0.01,
    subpixel='local_expectation',
)
model = dict(head=dict(out_channels=68, decoder=codec, loss=dict(alpha=0.25)))

train_cfg = dict(max_epochs=30, val_interval=3)
warm_up, cosine = _base_.param_scheduler
param_scheduler = [warm_up, dict(cosine, end=30, T_max=30)]
optim_wrapper = dict(optimizer=dict(lr=4e-3), paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.25))))

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
default_hooks = dict(checkpoint=dict(interval=3, save_best='NME', rule='less'))
custom_hooks = [*_base_.custom_hooks, dict(type='ChannelsLastHook')]

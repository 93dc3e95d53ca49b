# The accurate model's second stage: from the best weights of the first (--cfg-options load_from=...) at 256 px.
_base_ = [
    '../../../_base_/face_data/300w_part.py',
    '../../../_base_/models/effnet-lite0.py',
    '../../../_base_/schedules/lite-100e.py',
]

codec = dict(
    type='ImageAwareLabelSmoothing',
    input_size=(256, 256),
    heatmap_size=(64, 64),
    boundaries='300w',
    gamma=0.01,
    subpixel='local_expectation',
)
model = dict(head=dict(out_channels=68, decoder=codec, loss=dict(alpha=0.25)))

train_cfg = dict(max_epochs=40, val_interval=2)
warm_up, cosine = _base_.param_scheduler
param_scheduler = [warm_up, dict(cosine, end=40, T_max=40)]
optim_wrapper = dict(optimizer=dict(lr=3e-3), paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.25))))

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
default_hooks = dict(checkpoint=dict(interval=2, save_best='NME', rule='less'))
custom_hooks = [*_base_.custom_hooks, dict(type='ChannelsLastHook')]

_base_ = [
    '../../../_base_/face_data/cofw.py',
    '../../../_base_/models/hrnetv2-w18.py',
    '../../../_base_/schedules/adam-60e.py',
]

codec = dict(
    type='ImageAwareLabelSmoothing',
    input_size=(256, 256),
    heatmap_size=(64, 64),
    boundaries='cofw',
    gamma=0.001,
    subpixel='local_expectation',
)
model = dict(head=dict(out_channels=29, decoder=codec))

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
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=val_pipeline))

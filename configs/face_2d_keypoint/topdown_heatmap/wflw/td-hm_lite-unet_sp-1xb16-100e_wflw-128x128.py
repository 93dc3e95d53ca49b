_base_ = [
    '../../../_base_/face_data/wflw.py',
    '../../../_base_/models/lite-unet.py',
    '../../../_base_/schedules/lite-100e.py',
]

codec = dict(
    type='ImageAwareLabelSmoothing',
    input_size=(128, 128),
    heatmap_size=(32, 32),
    boundaries='wflw',
    gamma=0.01,
    subpixel='local_expectation',
)
model = dict(head=dict(out_channels=98, decoder=codec))

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

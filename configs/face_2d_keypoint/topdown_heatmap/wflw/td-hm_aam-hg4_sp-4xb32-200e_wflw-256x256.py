_base_ = [
    '../../../_base_/face_data/wflw.py',
    '../../../_base_/models/aam-hg4.py',
    '../../../_base_/schedules/adam-200e.py',
]

codec = dict(
    type='ImageAwareLabelSmoothing',
    input_size=(256, 256),
    heatmap_size=(64, 64),
    boundaries='wflw',
    gamma=0.01,
    subpixel='local_expectation',
    edge_maps=True,
)
model = dict(backbone=dict(num_landmarks=98, edges='wflw'), head=dict(decoder=codec))

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
train_dataloader = dict(batch_size=32, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=val_pipeline))

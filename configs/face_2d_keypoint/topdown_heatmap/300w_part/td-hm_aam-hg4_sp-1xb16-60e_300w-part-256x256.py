# The paper's network on the part of 300-W, for one GPU.
_base_ = [
    '../../../_base_/face_data/300w_part.py',
    '../../../_base_/models/aam-hg4.py',
    '../../../_base_/schedules/adam-60e-part.py',
]

codec = dict(
    type='ImageAwareLabelSmoothing',
    input_size=(256, 256),
    heatmap_size=(64, 64),
    boundaries='300w',
    gamma=0.01,
    subpixel='local_expectation',
    edge_maps=True,
)
model = dict(backbone=dict(num_landmarks=68, edges='300w'), head=dict(decoder=codec))

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
train_dataloader = dict(batch_size=16, num_workers=8, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=val_pipeline))

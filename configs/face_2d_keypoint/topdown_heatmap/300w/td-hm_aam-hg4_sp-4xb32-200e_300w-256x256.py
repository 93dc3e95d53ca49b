_base_ = [
    '../../../_base_/face_data/300w.py',
    '../../../_base_/models/aam-hg4.py',
    '../../../_base_/schedules/adam-200e.py',
]

codec = dict(_base_.maps, outside='clamp', **_base_.labels)
model = dict(
    backbone=dict(num_landmarks=_base_.num_landmarks, edges=_base_.labels.boundaries), head=dict(decoder=codec)
)
train_dataloader = dict(batch_size=32, dataset=dict(_base_.train_tight, codec=codec))
val_dataloader = dict(dataset=_base_.val_tight)
test_dataloader = val_dataloader

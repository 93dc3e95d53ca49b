# The paper's network on the part of 300-W, for one GPU.
_base_ = [
    '../../../_base_/face_data/300w_part.py',
    '../../../_base_/models/aam-hg4.py',
    '../../../_base_/schedules/adam-60e-part.py',
]

codec = dict(_base_.maps, **_base_.labels)
model = dict(
    backbone=dict(num_landmarks=_base_.num_landmarks, edges=_base_.labels.boundaries), head=dict(decoder=codec)
)
train_dataloader = dict(batch_size=16, num_workers=8, dataset=dict(codec=codec))

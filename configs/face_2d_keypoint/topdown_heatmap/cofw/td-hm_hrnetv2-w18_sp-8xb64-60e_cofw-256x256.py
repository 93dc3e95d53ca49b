_base_ = [
    '../../../_base_/face_data/cofw.py',
    '../../../_base_/models/hrnetv2-w18.py',
    '../../../_base_/schedules/adam-60e.py',
]

codec = dict(_base_.maps, **_base_.labels)
model = dict(head=dict(out_channels=_base_.num_landmarks, decoder=codec))
train_dataloader = dict(dataset=dict(codec=codec))

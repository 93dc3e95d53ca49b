_base_ = [
    '../../../_base_/face_data/cofw.py',
    '../../../_base_/models/lite-unet.py',
    '../../../_base_/schedules/lite-100e.py',
]

codec = dict(_base_.maps, **_base_.labels)
model = dict(head=dict(out_channels=_base_.num_landmarks, decoder=codec))
train_dataloader = dict(batch_size=16, dataset=dict(codec=codec, pipeline=_base_.train_pipeline_128))
val_dataloader = dict(dataset=dict(pipeline=_base_.val_pipeline_128))
test_dataloader = val_dataloader

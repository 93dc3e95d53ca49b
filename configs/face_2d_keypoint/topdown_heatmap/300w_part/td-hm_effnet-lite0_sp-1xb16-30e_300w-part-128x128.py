# The accurate model's first stage: many cheap epochs at 128 px.
_base_ = [
    '../../../_base_/face_data/300w_part.py',
    '../../../_base_/models/effnet-lite0.py',
    '../../../_base_/schedules/lite-100e.py',
]

codec = dict(_base_.maps, **_base_.labels)
model = dict(head=dict(out_channels=_base_.num_landmarks, decoder=codec, loss=dict(alpha=0.25)))

train_cfg = dict(max_epochs=30, val_interval=3)
warm_up, cosine = _base_.param_scheduler
param_scheduler = [warm_up, dict(cosine, end=30, T_max=30)]
optim_wrapper = dict(optimizer=dict(lr=4e-3), paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.25))))

train_dataloader = dict(batch_size=16, dataset=dict(codec=codec, pipeline=_base_.train_pipeline_128))
val_dataloader = dict(dataset=dict(pipeline=_base_.val_pipeline_128))
test_dataloader = val_dataloader
default_hooks = dict(checkpoint=dict(interval=3, save_best='NME', rule='less'))

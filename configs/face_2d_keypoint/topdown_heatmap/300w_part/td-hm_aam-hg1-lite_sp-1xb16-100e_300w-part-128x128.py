# One stack of the paper's network, narrow, at 128 px: what a CPU can train.
_base_ = [
    '../../../_base_/face_data/300w_part.py',
    '../../../_base_/models/aam-hg4.py',
    '../../../_base_/schedules/lite-100e.py',
]

codec = dict(_base_.maps, input_size=(128, 128), heatmap_size=(32, 32), **_base_.labels)
model = dict(
    backbone=dict(num_stacks=1, channels=64, num_landmarks=_base_.num_landmarks, edges=_base_.labels.boundaries),
    head=dict(decoder=codec),
)
train_dataloader = dict(batch_size=16, dataset=dict(codec=codec, pipeline=_base_.train_pipeline_128))
val_dataloader = dict(dataset=dict(pipeline=_base_.val_pipeline_128))
test_dataloader = val_dataloader
# The faces that choose the best epoch are held out of the training ones.
default_hooks = dict(checkpoint=dict(save_best='NME', rule='less'))

# The demonstration: the lite WFLW recipe on rendered faces (tools/dataset_converters/synthetic_faces.py), a few minutes
# on two cores. The best epoch is chosen on a part of the training faces.
_base_ = ['../wflw/td-hm_lite-unet_sp-1xb16-100e_wflw-128x128.py']

data_root = 'data/synthetic_wflw/'
train_dataloader = dict(dataset=dict(data_root=data_root, ann_file='annotations/face_landmarks_wflw_train_part.json'))
val_dataloader = dict(dataset=dict(data_root=data_root, ann_file='annotations/face_landmarks_wflw_val.json'))
test_dataloader = dict(dataset=dict(data_root=data_root))
default_hooks = dict(checkpoint=dict(save_best='NME', rule='less'))

train_cfg = dict(max_epochs=12, val_interval=2)
warm_up, cosine = _base_.param_scheduler
param_scheduler = [dict(warm_up, end=50), dict(cosine, end=12, T_max=12)]

# The accurate model's second stage, at 256 px: starts from the best weights of the first, which are given by
# --cfg-options load_from=work_dirs/<first stage>/best_NME_epoch_<N>.pth.
_base_ = ['td-hm_effnet-lite0_sp-1xb16-30e_300w-part-128x128.py']

codec = dict(_base_.codec, input_size=(256, 256), heatmap_size=(64, 64))
model = dict(head=dict(decoder=codec))

train_cfg = dict(max_epochs=36, val_interval=4)
warm_up, cosine = _base_.param_scheduler
param_scheduler = [warm_up, dict(cosine, end=36, T_max=36)]
optim_wrapper = dict(type='CPUAutocastOptimWrapper', optimizer=dict(lr=3e-3))
default_hooks = dict(checkpoint=dict(interval=4))

train_dataloader = dict(dataset=dict(codec=codec, pipeline=_base_.train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=_base_.val_pipeline))
test_dataloader = val_dataloader

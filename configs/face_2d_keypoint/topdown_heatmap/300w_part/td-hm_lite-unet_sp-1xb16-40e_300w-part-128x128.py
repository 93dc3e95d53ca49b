# Ours in 40 epochs: the budget that every head gets in the comparison of heads.
_base_ = ['td-hm_lite-unet_sp-1xb16-100e_300w-part-128x128.py']

train_cfg = dict(max_epochs=40, val_interval=2)
warm_up, cosine = _base_.param_scheduler
param_scheduler = [warm_up, dict(cosine, end=40, T_max=40)]
optim_wrapper = dict(optimizer=dict(lr=8e-3))  # chosen on validation faces, see sp_300w-part.md

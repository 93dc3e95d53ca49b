# The fast packaged model's: a higher learning rate and a weaker margin, both chosen on validation faces.
_base_ = ['td-hm_lite-unet_sp-1xb16-100e_300w-part-128x128.py']

model = dict(head=dict(loss=dict(alpha=0.25)))
train_cfg = dict(max_epochs=130)
warm_up, cosine = _base_.param_scheduler
param_scheduler = [warm_up, dict(cosine, end=130, T_max=130)]
optim_wrapper = dict(optimizer=dict(lr=8e-3))

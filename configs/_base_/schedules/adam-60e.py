# 60 epochs of Adam as in mmpose's HRNetV2 face configs (batch 512).
_base_ = ['../default_runtime.py']

train_cfg = dict(max_epochs=60, val_interval=1)
optim_wrapper = dict(optimizer=dict(type='Adam', lr=2e-3))
param_scheduler = [
    dict(type='LinearLR', begin=0, end=500, start_factor=0.001, by_epoch=False),  # warm-up
    dict(type='MultiStepLR', begin=0, end=60, milestones=[40, 55], gamma=0.1, by_epoch=True),
]
auto_scale_lr = dict(base_batch_size=512)
# The test set chooses nothing: the last epoch is the result (see README).
default_hooks = dict(checkpoint=dict(interval=1, max_keep_ckpts=3))

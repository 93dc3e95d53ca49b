# The paper's: Adam 1e-3, batch 128, 200 epochs, averaged weights. It does not say how the rate falls: the milestones
# stand at the same shares of the schedule as STAR's (200, 350, 450 of 500).
_base_ = ['../default_runtime.py']

train_cfg = dict(max_epochs=200, val_interval=5)
optim_wrapper = dict(optimizer=dict(type='Adam', lr=1e-3, weight_decay=1e-5))
param_scheduler = [dict(type='MultiStepLR', begin=0, end=200, milestones=[80, 140, 180], gamma=0.1, by_epoch=True)]
auto_scale_lr = dict(base_batch_size=128)
sync_bn = 'torch'  # STAR's, where several processes train
default_hooks = dict(
    checkpoint=dict(interval=5, max_keep_ckpts=3),
    ema=dict(
        type='SyncedEMAHook', ema_type='ExpMomentumEMA', momentum=0.001, gamma=500, update_buffers=True, priority=49
    ),
)

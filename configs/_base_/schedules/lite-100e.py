# One cosine from the warm-up to the end, evaluated on the averaged weights: what short trainings on a CPU like.
_base_ = ['../default_runtime.py']

max_epochs = 100
train_cfg = dict(max_epochs=max_epochs, val_interval=5)
optim_wrapper = dict(
    optimizer=dict(type='AdamW', lr=2e-3, weight_decay=1e-4), paramwise_cfg=dict(norm_decay_mult=0, bias_decay_mult=0)
)
param_scheduler = [
    dict(type='LinearLR', begin=0, end=100, start_factor=0.01, by_epoch=False),  # warm-up
    dict(
        type='CosineAnnealingLR',
        begin=0,
        end=max_epochs,
        T_max=max_epochs,
        eta_min=2e-5,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
]
auto_scale_lr = dict(base_batch_size=16)
default_hooks = dict(
    checkpoint=dict(interval=5, max_keep_ckpts=1),  # the last one; a config with held-out faces adds `save_best`
    logger=dict(interval=20),
    channels_last=dict(type='ChannelsLastHook'),  # a fifth less of a CPU's time for the same values
    ema=dict(
        type='SyncedEMAHook', ema_type='ExpMomentumEMA', momentum=0.002, gamma=200, update_buffers=True, priority=49
    ),
)
# Small maps and boxes of a few faces: one OpenCV thread a worker is faster than many.
env_cfg = dict(mp_cfg=dict(opencv_num_threads=1))

# The paper's recipe for some 1,100 faces and one GPU: batch 16, 60 epochs, milestones and averaging in proportion.
_base_ = ['adam-200e.py']

train_cfg = dict(max_epochs=60, val_interval=1)
param_scheduler = [dict(type='MultiStepLR', begin=0, end=60, milestones=[24, 42, 54], gamma=0.1, by_epoch=True)]
auto_scale_lr = dict(base_batch_size=16)
default_hooks = dict(checkpoint=dict(save_best='NME', rule='less'), ema=dict(momentum=0.002, gamma=200))

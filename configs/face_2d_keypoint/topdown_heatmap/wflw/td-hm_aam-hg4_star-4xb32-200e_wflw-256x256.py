# The STAR baseline: its network and loss, our recipe.
_base_ = ['td-hm_aam-hg4_sp-4xb32-200e_wflw-256x256.py', '../../../_base_/objectives/star.py']

codec = _base_.objective.codec
model = dict(backbone=_base_.objective.backbone, head=dict(_base_.objective.head, decoder=codec))
train_dataloader = dict(dataset=dict(codec=codec))
# STAR's code names a weight decay of 1e-5, but gives Adam the parameters and the rate alone.
optim_wrapper = dict(optimizer=dict(weight_decay=0))

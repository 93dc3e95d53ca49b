# Soft-argmax + l2 (Eq. 4) in place of the structured loss.
_base_ = ['td-hm_aam-hg4_sp-4xb32-200e_cofw-256x256.py', '../../../_base_/objectives/softargmax.py']

codec = _base_.objective.codec
model = dict(backbone=_base_.objective.backbone, head=dict(_base_.objective.head, decoder=codec))
train_dataloader = dict(dataset=dict(codec=codec))

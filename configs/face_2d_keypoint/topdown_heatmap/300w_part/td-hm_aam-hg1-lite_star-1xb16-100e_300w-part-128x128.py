# STAR under the budget of the structured loss.
_base_ = ['td-hm_aam-hg1-lite_sp-1xb16-100e_300w-part-128x128.py', '../../../_base_/objectives/star.py']

codec = _base_.objective.codec
model = dict(backbone=_base_.objective.backbone, head=dict(_base_.objective.head, decoder=codec))
train_dataloader = dict(dataset=dict(codec=codec))

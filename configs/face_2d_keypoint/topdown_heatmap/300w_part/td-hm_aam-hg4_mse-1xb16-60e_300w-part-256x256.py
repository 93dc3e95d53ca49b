# Gaussian heatmaps under the budget of the structured loss.
_base_ = ['td-hm_aam-hg4_sp-1xb16-60e_300w-part-256x256.py', '../../../_base_/objectives/mse.py']

codec = _base_.objective.codec
model = dict(backbone=_base_.objective.backbone, head=dict(_base_.objective.head, decoder=codec))
train_dataloader = dict(dataset=dict(codec=codec))

# mmpose's IntegralRegressionHead under the same budget.
_base_ = ['td-hm_lite-unet_sp-1xb16-40e_300w-part-128x128.py', '../../../_base_/objectives/ipr.py']

codec = dict(_base_.objective.codec, _delete_=True)
model = dict(
    neck=_base_.objective.neck,
    head=dict(_base_.objective.head, decoder=_base_.objective.codec),
    test_cfg=_base_.objective.test_cfg,
)
train_dataloader = dict(dataset=dict(codec=codec))

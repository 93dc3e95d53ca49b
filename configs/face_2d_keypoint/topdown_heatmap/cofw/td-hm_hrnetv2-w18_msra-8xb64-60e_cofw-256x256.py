# The stock baseline: mean squared error on Gaussian heatmaps (Eq. 2).
_base_ = ['td-hm_hrnetv2-w18_sp-8xb64-60e_cofw-256x256.py', '../../../_base_/objectives/msra.py']

codec = dict(_base_.objective.codec, _delete_=True)
model = dict(
    head=dict(_base_.objective.head, decoder=codec),
    test_cfg=_base_.objective.test_cfg,
)
train_dataloader = dict(dataset=dict(codec=codec))

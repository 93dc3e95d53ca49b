# Tab. 6, row 3: labels smoothed without a look at the edges ("image-unaware").
_base_ = ['td-hm_aam-hg4_sp-4xb32-200e_wflw-256x256.py']

codec = dict(smoothing='isotropic')
model = dict(head=dict(decoder=codec))
train_dataloader = dict(dataset=dict(codec=codec))

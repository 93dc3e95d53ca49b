# Tab. 6, row 4: STAR with image-aware label smoothing.
_base_ = ['td-hm_aam-hg4_star-4xb32-200e_wflw-256x256.py']

codec = dict(smoothing='image_aware')
model = dict(head=dict(decoder=codec))
train_dataloader = dict(dataset=dict(codec=codec))

# STAR on any backbone: its loss on the softmax of the scores.
_base_ = ['td-hm_hrnetv2-w18_sp-8xb64-60e_wflw-256x256.py']

codec = dict(smoothing='none', subpixel='expectation')
model = dict(head=dict(loss=dict(_delete_=True, type='STARLoss'), decoder=codec))
train_dataloader = dict(dataset=dict(codec=codec))

# Tab. 6, row 3: labels smoothed without a look at the edges ("image-unaware").
_base_ = ['td-hm_aam-hg4_sp-4xb32-200e_wflw-256x256.py']

codec = dict(smoothing='isotropic')
model = dict(head=dict(decoder=codec))

train_pipeline = [
    dict(step, encoder=dict(step.encoder, **codec)) if step.type == 'GenerateTarget' else step
    for step in _base_.train_pipeline
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))

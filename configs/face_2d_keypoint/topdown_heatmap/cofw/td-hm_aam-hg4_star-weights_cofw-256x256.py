# The published weights of STAR, converted; for testing: the codec encodes no labels on their grid. Their curves leave the left eye open.
_base_ = ['td-hm_aam-hg4_star-4xb32-200e_cofw-256x256.py', '../../../_base_/objectives/star-weights.py']

codec = dict(_base_.original.codec, boundaries='cofw_star')
model = dict(
    backbone=dict(_base_.original.backbone, edges='cofw_star'), head=dict(decoder=codec), test_cfg=dict(flip_test=False)
)
train_pipeline = [*_base_.original.load, *_base_.train_pipeline[2:]]
val_pipeline = [*_base_.original.load, *_base_.val_pipeline[2:]]
train_dataloader = dict(dataset=dict(codec=codec, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = val_dataloader

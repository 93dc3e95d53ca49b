# What all benchmarks share: pipelines, loaders and evaluator. A leaf config owns the codec and hands it to the training
# dataset, which puts it into GenerateTarget; see any config in configs/face_2d_keypoint.

# Before the crop. Boxes are grown by 1.25 as in mmpose's face configs. mmpose draws from a normal
# distribution cut at one sigma (standard deviation 0.54), so these factors give the standard deviations of
# STAR / ADNet: shift 5% of the box, scale 10%, rotation 18 degrees.
load = [dict(type='LoadImage'), dict(type='GetBBoxCenterScale', padding=1.25)]
geometry = [
    dict(type='RandomFlip', direction='horizontal', prob=0.5),
    dict(
        type='RandomBBoxTransform',
        shift_factor=0.09,
        shift_prob=1.0,
        scale_factor=(0.82, 1.18),
        scale_prob=1.0,
        rotate_factor=33,
        rotate_prob=1.0,
    ),
]
# After the crop and after the target, so that an occluded landmark is still to be predicted.
texture = [
    dict(type='RandomOcclusion', prob=0.4),
    dict(type='RandomBoxBlur', prob=0.3),
    dict(type='RandomGamma', prob=0.2),
    dict(type='RandomNoise', prob=0.2),
    dict(type='mmcv.RandomGrayscale', prob=0.2, keep_channels=True),
]


def _pipelines(load, side):
    crop = dict(type='TopdownAffine', input_size=(side, side))
    pack = dict(type='PackPoseInputs')
    return [*load, *geometry, crop, dict(type='GenerateTarget'), *texture, pack], [*load, crop, pack]


train_pipeline, val_pipeline = _pipelines(load, 256)
train_pipeline_128, val_pipeline_128 = _pipelines(load, 128)

# The crop of the published figures, that of ADNet's lists: a square as long as the longer side of the landmarks' box
# (box='LIST.tsv' of a dataset takes the lists themselves).
train_tight, val_tight = (
    dict(box='center_scale', pipeline=pipeline) for pipeline in _pipelines([load[0], dict(load[1], padding=1.0)], 256)
)

data_mode = 'topdown'  # read by MMPoseInferencer

train_dataloader = dict(
    batch_size=64,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(data_prefix=dict(img='images/'), pipeline=train_pipeline),
)
val_dataloader = dict(
    batch_size=32,
    num_workers=2,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False, round_up=False),
    dataset=dict(data_prefix=dict(img='images/'), pipeline=val_pipeline, test_mode=True),
)
test_dataloader = val_dataloader

# The normaliser, the threshold and the subsets follow the dataset (see FaceAlignmentMetric).
val_evaluator = dict(type='FaceAlignmentMetric')
test_evaluator = val_evaluator

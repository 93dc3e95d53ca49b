auto_scale_lr = dict(base_batch_size=16)
backend_args = dict(backend='local')
codec = dict(
    boundaries='300w',
    gamma=0.01,
    heatmap_size=(
        64,
        64,
    ),
    input_size=(
        256,
        256,
    ),
    subpixel='local_expectation',
    type='ImageAwareLabelSmoothing',
)
cosine = dict(
    T_max=30, begin=0, by_epoch=True, convert_to_iter_based=True, end=30, eta_min=2e-05, type='CosineAnnealingLR'
)
custom_hooks = [
    dict(_scope_='mmpose', type='SyncBuffersHook'),
]
custom_imports = dict(
    allow_failed_imports=False,
    imports=[
        'mmpose_sp',
    ],
)
data_mode = 'topdown'
dataset_type = 'SPFace300WDataset'
default_hooks = dict(
    badcase=dict(
        _scope_='mmpose', badcase_thr=5, enable=False, metric_type='loss', out_dir='badcase', type='BadCaseAnalysisHook'
    ),
    channels_last=dict(type='ChannelsLastHook'),
    checkpoint=dict(
        _scope_='mmpose', interval=4, max_keep_ckpts=1, rule='less', save_best='NME', type='CheckpointHook'
    ),
    ema=dict(
        ema_type='ExpMomentumEMA', gamma=200, momentum=0.002, priority=49, type='SyncedEMAHook', update_buffers=True
    ),
    guard=dict(type='CheckpointGuardHook'),
    logger=dict(_scope_='mmpose', interval=20, type='LoggerHook'),
    param_scheduler=dict(_scope_='mmpose', type='ParamSchedulerHook'),
    sampler_seed=dict(_scope_='mmpose', type='DistSamplerSeedHook'),
    timer=dict(_scope_='mmpose', type='IterTimerHook'),
    visualization=dict(_scope_='mmpose', enable=False, type='PoseVisualizationHook'),
)
default_scope = 'mmpose'
depthwise = dict(type='Float32DepthwiseConv2d')
env_cfg = dict(
    cudnn_benchmark=True, dist_cfg=dict(backend='nccl'), mp_cfg=dict(mp_start_method='fork', opencv_num_threads=1)
)
geometry = [
    dict(direction='horizontal', prob=0.5, type='RandomFlip'),
    dict(
        rotate_factor=33,
        rotate_prob=1.0,
        scale_factor=(
            0.82,
            1.18,
        ),
        scale_prob=1.0,
        shift_factor=0.09,
        shift_prob=1.0,
        type='RandomBBoxTransform',
    ),
]
labels = dict(boundaries='300w', gamma=0.01)
load = [
    dict(type='LoadImage'),
    dict(padding=1.25, type='GetBBoxCenterScale'),
]
load_from = None
log_level = 'INFO'
log_processor = dict(_scope_='mmpose', by_epoch=True, num_digits=6, type='LogProcessor', window_size=50)
maps = dict(
    heatmap_size=(
        32,
        32,
    ),
    input_size=(
        128,
        128,
    ),
    subpixel='local_expectation',
    type='ImageAwareLabelSmoothing',
)
max_epochs = 100
model = dict(
    backbone=dict(
        conv_cfg=dict(type='Float32DepthwiseConv2d'),
        init_cfg=dict(checkpoint='data/weights/efficientnet-lite0.pth', type='Pretrained'),
        type='EfficientNetLite',
    ),
    data_preprocessor=dict(
        bgr_to_rgb=True,
        mean=[
            127.5,
            127.5,
            127.5,
        ],
        std=[
            127.5,
            127.5,
            127.5,
        ],
        type='PoseDataPreprocessor',
    ),
    head=dict(
        conv_kernel_sizes=(1,),
        conv_out_channels=(160,),
        decoder=dict(
            boundaries='300w',
            gamma=0.01,
            heatmap_size=(
                64,
                64,
            ),
            input_size=(
                256,
                256,
            ),
            subpixel='local_expectation',
            type='ImageAwareLabelSmoothing',
        ),
        deconv_out_channels=None,
        final_layer=dict(kernel_size=1, type='Float32Conv2d'),
        in_channels=80,
        loss=dict(alpha=0.25, type='StructuredPredictionLoss'),
        out_channels=68,
        type='StructuredPredictionHead',
    ),
    neck=dict(
        conv_cfg=dict(type='Float32DepthwiseConv2d'),
        in_channels=[
            24,
            40,
            112,
            320,
        ],
        out_channels=80,
        type='UNetNeck',
    ),
    test_cfg=dict(flip_test=True),
    type='TopdownPoseEstimator',
)
num_landmarks = 68
optim_wrapper = dict(
    optimizer=dict(lr=0.003, type='AdamW', weight_decay=0.0001),
    paramwise_cfg=dict(bias_decay_mult=0, custom_keys=dict(backbone=dict(lr_mult=0.25)), norm_decay_mult=0),
    type='CPUAutocastOptimWrapper',
)
param_scheduler = [
    dict(begin=0, by_epoch=False, end=100, start_factor=0.01, type='LinearLR'),
    dict(T_max=36, begin=0, by_epoch=True, convert_to_iter_based=True, end=36, eta_min=2e-05, type='CosineAnnealingLR'),
]
resume = False
test_cfg = dict()
test_dataloader = dict(
    batch_size=32,
    dataset=dict(
        ann_file='annotations/face_landmarks_300w_part_test.json',
        data_prefix=dict(img='images/'),
        data_root='data/300w/',
        pipeline=[
            dict(type='LoadImage'),
            dict(padding=1.25, type='GetBBoxCenterScale'),
            dict(
                input_size=(
                    256,
                    256,
                ),
                type='TopdownAffine',
            ),
            dict(type='PackPoseInputs'),
        ],
        test_mode=True,
        type='SPFace300WDataset',
    ),
    drop_last=False,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(round_up=False, shuffle=False, type='DefaultSampler'),
)
test_evaluator = dict(type='FaceAlignmentMetric')
texture = [
    dict(prob=0.4, type='RandomOcclusion'),
    dict(prob=0.3, type='RandomBoxBlur'),
    dict(prob=0.2, type='RandomGamma'),
    dict(prob=0.2, type='RandomNoise'),
    dict(keep_channels=True, prob=0.2, type='mmcv.RandomGrayscale'),
]
train_cfg = dict(by_epoch=True, max_epochs=36, val_interval=4)
train_dataloader = dict(
    batch_size=16,
    dataset=dict(
        ann_file='annotations/face_landmarks_300w_part_train.json',
        codec=dict(
            boundaries='300w',
            gamma=0.01,
            heatmap_size=(
                64,
                64,
            ),
            input_size=(
                256,
                256,
            ),
            subpixel='local_expectation',
            type='ImageAwareLabelSmoothing',
        ),
        data_prefix=dict(img='images/'),
        data_root='data/300w/',
        pipeline=[
            dict(type='LoadImage'),
            dict(padding=1.25, type='GetBBoxCenterScale'),
            dict(direction='horizontal', prob=0.5, type='RandomFlip'),
            dict(
                rotate_factor=33,
                rotate_prob=1.0,
                scale_factor=(
                    0.82,
                    1.18,
                ),
                scale_prob=1.0,
                shift_factor=0.09,
                shift_prob=1.0,
                type='RandomBBoxTransform',
            ),
            dict(
                input_size=(
                    256,
                    256,
                ),
                type='TopdownAffine',
            ),
            dict(type='GenerateTarget'),
            dict(prob=0.4, type='RandomOcclusion'),
            dict(prob=0.3, type='RandomBoxBlur'),
            dict(prob=0.2, type='RandomGamma'),
            dict(prob=0.2, type='RandomNoise'),
            dict(keep_channels=True, prob=0.2, type='mmcv.RandomGrayscale'),
            dict(type='PackPoseInputs'),
        ],
        type='SPFace300WDataset',
    ),
    num_workers=2,
    persistent_workers=True,
    sampler=dict(shuffle=True, type='DefaultSampler'),
)
train_pipeline = [
    dict(type='LoadImage'),
    dict(padding=1.25, type='GetBBoxCenterScale'),
    dict(direction='horizontal', prob=0.5, type='RandomFlip'),
    dict(
        rotate_factor=33,
        rotate_prob=1.0,
        scale_factor=(
            0.82,
            1.18,
        ),
        scale_prob=1.0,
        shift_factor=0.09,
        shift_prob=1.0,
        type='RandomBBoxTransform',
    ),
    dict(
        input_size=(
            256,
            256,
        ),
        type='TopdownAffine',
    ),
    dict(type='GenerateTarget'),
    dict(prob=0.4, type='RandomOcclusion'),
    dict(prob=0.3, type='RandomBoxBlur'),
    dict(prob=0.2, type='RandomGamma'),
    dict(prob=0.2, type='RandomNoise'),
    dict(keep_channels=True, prob=0.2, type='mmcv.RandomGrayscale'),
    dict(type='PackPoseInputs'),
]
train_pipeline_128 = [
    dict(type='LoadImage'),
    dict(padding=1.25, type='GetBBoxCenterScale'),
    dict(direction='horizontal', prob=0.5, type='RandomFlip'),
    dict(
        rotate_factor=33,
        rotate_prob=1.0,
        scale_factor=(
            0.82,
            1.18,
        ),
        scale_prob=1.0,
        shift_factor=0.09,
        shift_prob=1.0,
        type='RandomBBoxTransform',
    ),
    dict(
        input_size=(
            128,
            128,
        ),
        type='TopdownAffine',
    ),
    dict(type='GenerateTarget'),
    dict(prob=0.4, type='RandomOcclusion'),
    dict(prob=0.3, type='RandomBoxBlur'),
    dict(prob=0.2, type='RandomGamma'),
    dict(prob=0.2, type='RandomNoise'),
    dict(keep_channels=True, prob=0.2, type='mmcv.RandomGrayscale'),
    dict(type='PackPoseInputs'),
]
val_cfg = dict()
val_dataloader = dict(
    batch_size=32,
    dataset=dict(
        ann_file='annotations/face_landmarks_300w_part_val.json',
        data_prefix=dict(img='images/'),
        data_root='data/300w/',
        pipeline=[
            dict(type='LoadImage'),
            dict(padding=1.25, type='GetBBoxCenterScale'),
            dict(
                input_size=(
                    256,
                    256,
                ),
                type='TopdownAffine',
            ),
            dict(type='PackPoseInputs'),
        ],
        test_mode=True,
        type='SPFace300WDataset',
    ),
    drop_last=False,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(round_up=False, shuffle=False, type='DefaultSampler'),
)
val_evaluator = dict(type='FaceAlignmentMetric')
val_pipeline = [
    dict(type='LoadImage'),
    dict(padding=1.25, type='GetBBoxCenterScale'),
    dict(
        input_size=(
            256,
            256,
        ),
        type='TopdownAffine',
    ),
    dict(type='PackPoseInputs'),
]
val_pipeline_128 = [
    dict(type='LoadImage'),
    dict(padding=1.25, type='GetBBoxCenterScale'),
    dict(
        input_size=(
            128,
            128,
        ),
        type='TopdownAffine',
    ),
    dict(type='PackPoseInputs'),
]
vis_backends = [
    dict(_scope_='mmpose', type='LocalVisBackend'),
]
visualizer = dict(
    _scope_='mmpose',
    name='visualizer',
    type='PoseLocalVisualizer',
    vis_backends=[
        dict(type='LocalVisBackend'),
    ],
)
warm_up = dict(begin=0, by_epoch=False, end=100, start_factor=0.01, type='LinearLR')

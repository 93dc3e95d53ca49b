# A network for a laptop CPU: 128 px input, 32 x 32 maps; the leaf adds decoder and landmark count.
model = dict(
    type='TopdownPoseEstimator',
    data_preprocessor=dict(
        type='PoseDataPreprocessor', mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5], bgr_to_rgb=True
    ),
    backbone=dict(type='LiteUNet', channels=(40, 60, 80, 120)),
    head=dict(
        type='StructuredPredictionHead',
        in_channels=40,
        deconv_out_channels=None,
        conv_out_channels=(80,),
        conv_kernel_sizes=(1,),
        loss=dict(type='StructuredPredictionLoss'),
    ),
    test_cfg=dict(flip_test=True),
)

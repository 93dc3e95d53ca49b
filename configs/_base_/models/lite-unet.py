# A network for a laptop CPU: 128 px input, 32 x 32 maps; the leaf adds decoder and landmark count.
# The codec but for the labels, which are the benchmark's.
maps = dict(
    type='ImageAwareLabelSmoothing',
    input_size=(128, 128),
    heatmap_size=(32, 32),
    subpixel='local_expectation',
)
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

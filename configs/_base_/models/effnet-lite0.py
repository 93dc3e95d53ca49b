# EfficientNet-lite0 with ImageNet weights under a U-Net neck: maps of a quarter of the input, 3.1 M parameters.
# `python tools/model_converters/efficientnet2mmpose.py data/weights/efficientnet-lite0.pth` makes the file of the weights;
# without it, --cfg-options model.backbone.init_cfg=None trains from scratch.
# The codec but for the labels, which are the benchmark's.
maps = dict(
    type='ImageAwareLabelSmoothing',
    input_size=(128, 128),
    heatmap_size=(32, 32),
    subpixel='local_expectation',
)
depthwise = dict(type='Float32DepthwiseConv2d')  # no difference without autocast
model = dict(
    type='TopdownPoseEstimator',
    data_preprocessor=dict(
        type='PoseDataPreprocessor', mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5], bgr_to_rgb=True
    ),
    backbone=dict(
        type='EfficientNetLite',
        conv_cfg=depthwise,
        init_cfg=dict(type='Pretrained', checkpoint='data/weights/efficientnet-lite0.pth'),
    ),
    neck=dict(type='UNetNeck', in_channels=[24, 40, 112, 320], out_channels=80, conv_cfg=depthwise),
    head=dict(
        type='StructuredPredictionHead',
        in_channels=80,
        deconv_out_channels=None,
        conv_out_channels=(160,),
        conv_kernel_sizes=(1,),
        final_layer=dict(type='Float32Conv2d', kernel_size=1),
        loss=dict(type='StructuredPredictionLoss'),
    ),
    test_cfg=dict(flip_test=True),
)

# The four-stack attentive hourglass of ADNet / STAR as the paper uses it; the leaf adds decoder, landmarks and edges.
# The codec but for the labels, which are the benchmark's.
maps = dict(
    type='ImageAwareLabelSmoothing',
    input_size=(256, 256),
    heatmap_size=(64, 64),
    subpixel='local_expectation',
    edge_maps=True,
)
model = dict(
    type='TopdownPoseEstimator',
    data_preprocessor=dict(
        type='PoseDataPreprocessor', mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5], bgr_to_rgb=False
    ),
    backbone=dict(type='AttentiveHourglass', num_stacks=4, channels=256),
    # Eq. A14: AWing on points and edges + lambda * ours; lambda is the loss_weight of the latter, here 1.
    head=dict(
        type='AttentiveHourglassHead',
        loss=dict(type='StructuredPredictionLoss', loss_weight=1.0),
        point_loss=dict(type='AWingLoss'),
        edge_loss=dict(type='AWingLoss'),
    ),
    test_cfg=dict(flip_test=True),
)

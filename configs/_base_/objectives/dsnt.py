# mmpose's DSNTHead: soft-argmax regression, the heatmap held together by a divergence from a Gaussian. Without
# deconvolutions it has no hidden layer of its own, so a neck gives it the one that the heatmap heads have.
objective = dict(
    codec=dict(type='IntegralRegressionLabel', input_size=(128, 128), heatmap_size=(32, 32), sigma=1),
    neck=dict(type='ChannelMapper', in_channels=[40], out_channels=80, kernel_size=1, norm_cfg=dict(type='BN')),
    head=dict(
        _delete_=True,
        type='DSNTHead',
        in_channels=80,
        in_featuremap_size=(32, 32),
        num_joints=68,
        deconv_out_channels=None,
        loss=dict(
            type='MultipleLossWrapper',
            losses=[
                dict(type='SmoothL1Loss', use_target_weight=True),
                dict(type='JSDiscretLoss', use_target_weight=True)
            ])),
    test_cfg=dict(flip_test=True, shift_coords=True, shift_heatmap=True))

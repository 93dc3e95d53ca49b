# mmpose's IntegralRegressionHead: soft-argmax regression. Without deconvolutions it has no hidden layer of its own, so a
# neck gives it the one that the heatmap heads have. (DSNTHead, its relative, turns NaN in the first step if a landmark
# lies outside the crop: the gradient of JSDiscretLoss is NaN where the weight is 0.)
objective = dict(
    codec=dict(type='IntegralRegressionLabel', input_size=(128, 128), heatmap_size=(32, 32), sigma=1, normalize=False),
    neck=dict(type='ChannelMapper', in_channels=[40], out_channels=80, kernel_size=1, norm_cfg=dict(type='BN')),
    head=dict(
        _delete_=True,
        type='IntegralRegressionHead',
        in_channels=80,
        in_featuremap_size=(32, 32),
        num_joints=68,
        deconv_out_channels=None,
        loss=dict(type='L1Loss', use_target_weight=True),
    ),
    test_cfg=dict(flip_test=True, shift_coords=True, shift_heatmap=True),
)

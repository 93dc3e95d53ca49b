# mmpose's SimCCHead: classification along x and along y, in bins of half an input px. The neck as in ipr.py.
objective = dict(
    codec=dict(type='SimCCLabel', input_size=(128, 128), sigma=4, simcc_split_ratio=2.0),
    neck=dict(type='ChannelMapper', in_channels=[40], out_channels=80, kernel_size=1, norm_cfg=dict(type='BN')),
    head=dict(
        _delete_=True,
        type='SimCCHead',
        in_channels=80,
        out_channels=68,
        input_size=(128, 128),
        in_featuremap_size=(32, 32),
        simcc_split_ratio=2.0,
        deconv_out_channels=None,
        loss=dict(type='KLDiscretLoss', use_target_weight=True),
    ),
    test_cfg=dict(flip_test=True),
)

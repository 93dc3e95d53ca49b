# mmpose's own face recipe on our data: Gaussian heatmaps, mean squared error, stock head, codec and flip test.
objective = dict(
    codec=dict(type='MSRAHeatmap', input_size=(256, 256), heatmap_size=(64, 64), sigma=2),
    head=dict(type='HeatmapHead', loss=dict(type='KeypointMSELoss', use_target_weight=True)),
    test_cfg=dict(flip_test=True, flip_mode='heatmap', shift_heatmap=True),
)

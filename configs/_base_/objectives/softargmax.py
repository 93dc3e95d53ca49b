# Soft-argmax + l2 (Eq. 4) on the attentive hourglass, points and edges weighing as in ADNet and STAR. In [-1, 1]
# coordinates the squared error is tiny: 25 gives it the slope of an l1 loss at an error of 0.02 (2.6 of 256 px).
objective = dict(
    codec=dict(smoothing='none', subpixel='expectation'),
    backbone=dict(),
    head=dict(
        loss=dict(_delete_=True, type='SoftArgmaxLoss', kind='l2', loss_weight=25.0),
        point_loss=dict(loss_weight=10.0),
        edge_loss=dict(loss_weight=10.0),
    ),
)

# STAR (Zhou et al., CVPR 2023) on the attentive hourglass, as its authors train it: instance-norm + ReLU on the score
# maps, soft-argmax of the result, points and edges weighing 10 times as much as the landmarks, no label smoothing.
objective = dict(
    codec=dict(smoothing='none', subpixel='expectation'),
    backbone=dict(score_norm='instance_relu'),
    head=dict(
        log_heatmaps=True,
        loss=dict(_delete_=True, type='STARLoss'),
        point_loss=dict(loss_weight=10.0),
        edge_loss=dict(loss_weight=10.0),
    ),
)

# Mean squared error on Gaussian heatmaps (Eq. 2) in the frame of the paper's network. AWing's slope is some 70 times
# that of the squared error around a landmark; the weight levels them. The maps are no log-probabilities.
objective = dict(
    codec=dict(smoothing='none', subpixel='quadratic'),
    backbone=dict(),
    head=dict(loss=dict(_delete_=True, type='KeypointGaussianMSELoss', sigma=2.0, loss_weight=100.0)),
)

# Mean squared error on Gaussian heatmaps (Eq. 2) in the frame of the paper's network. AWing's slope is some 70 times
# that of the squared error around a landmark; the weight levels them.
_base_ = ['td-hm_aam-hg4_sp-4xb32-200e_wflw-256x256.py']

codec = dict(smoothing='none', subpixel='quadratic')  # the maps are no log-probabilities
model = dict(
    head=dict(loss=dict(_delete_=True, type='KeypointGaussianMSELoss', sigma=2.0, loss_weight=100.0), decoder=codec)
)
train_dataloader = dict(dataset=dict(codec=codec))

# mmpose's HeatmapHead under the same budget, read with DARK.
_base_ = ['td-hm_lite-unet_sp-1xb16-40e_300w-part-128x128.py', '../../../_base_/objectives/msra.py']

codec = dict(
    _base_.objective.codec, _delete_=True, input_size=(128, 128), heatmap_size=(32, 32), sigma=1, unbiased=True
)
model = dict(head=dict(_base_.objective.head, decoder=codec), test_cfg=_base_.objective.test_cfg)
train_dataloader = dict(dataset=dict(codec=codec))

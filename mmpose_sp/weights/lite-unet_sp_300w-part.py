_base_ = 'mmpose_sp::face_2d_keypoint/topdown_heatmap/300w_part/td-hm_lite-unet_sp-1xb16-130e_300w-part-128x128.py'

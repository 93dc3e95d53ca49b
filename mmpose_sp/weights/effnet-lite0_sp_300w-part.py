_base_ = 'mmpose_sp::face_2d_keypoint/topdown_heatmap/300w_part/td-hm_effnet-lite0_sp-1xb16-36e_300w-part-256x256.py'

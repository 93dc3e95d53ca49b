# WFLW: 7,500 / 2,500 faces, 98 landmarks; the six subsets of the test set come out of the same run.
_base_ = ['face.py']

num_landmarks = 98
labels = dict(boundaries='wflw', gamma=0.01)  # of the codec: a spread of 0.1 map px, and the share of the edges

dataset_type = 'SPWFLWDataset'  # MMPoseInferencer reads it to pick the face detector
train_dataloader = dict(
    dataset=dict(type=dataset_type, data_root='data/wflw/', ann_file='annotations/face_landmarks_wflw_train.json')
)
val_dataloader = dict(
    dataset=dict(type=dataset_type, data_root='data/wflw/', ann_file='annotations/face_landmarks_wflw_test.json')
)
test_dataloader = dict(
    dataset=dict(type=dataset_type, data_root='data/wflw/', ann_file='annotations/face_landmarks_wflw_test.json')
)

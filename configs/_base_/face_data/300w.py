# 300-W: 3,148 / 689 faces, 68 landmarks; "common" and "challenging" come out of the same run.
_base_ = ['face.py']

num_landmarks = 68
labels = dict(boundaries='300w', gamma=0.01)  # of the codec: a spread of 0.1 map px, and the share of the edges

dataset_type = 'SPFace300WDataset'  # MMPoseInferencer reads it to pick the face detector
train_dataloader = dict(
    dataset=dict(type=dataset_type, data_root='data/300w/', ann_file='annotations/face_landmarks_300w_train.json')
)
val_dataloader = dict(
    dataset=dict(type=dataset_type, data_root='data/300w/', ann_file='annotations/face_landmarks_300w_valid.json')
)
test_dataloader = dict(
    dataset=dict(type=dataset_type, data_root='data/300w/', ann_file='annotations/face_landmarks_300w_valid.json')
)

# A part of 300-W by name lists (tools/dataset_converters/300w_part): AFW + 870 of HELEN train, of which a
# tenth is held out for every choice; tested on 217 faces of HELEN test. Never "300-W full / common / challenging".
_base_ = ['face.py']

num_landmarks = 68
labels = dict(boundaries='300w', gamma=0.01)  # of the codec: a spread of 0.1 map px, and the share of the edges

dataset_type = 'SPFace300WDataset'  # MMPoseInferencer reads it to pick the face detector
train_dataloader = dict(
    dataset=dict(type=dataset_type, data_root='data/300w/', ann_file='annotations/face_landmarks_300w_part_train.json')
)
val_dataloader = dict(
    dataset=dict(type=dataset_type, data_root='data/300w/', ann_file='annotations/face_landmarks_300w_part_val.json')
)
test_dataloader = dict(
    dataset=dict(type=dataset_type, data_root='data/300w/', ann_file='annotations/face_landmarks_300w_part_test.json')
)

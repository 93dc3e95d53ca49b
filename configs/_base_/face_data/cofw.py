# COFW: 1,345 / 507 faces, 29 landmarks.
_base_ = ['face.py']

num_landmarks = 29
labels = dict(boundaries='cofw', gamma=0.001)  # of the codec: a spread of 0.03 map px, and the share of the edges

dataset_type = 'SPCOFWDataset'  # MMPoseInferencer reads it to pick the face detector
train_dataloader = dict(dataset=dict(type=dataset_type, data_root='data/cofw/', ann_file='annotations/cofw_train.json'))
val_dataloader = dict(dataset=dict(type=dataset_type, data_root='data/cofw/', ann_file='annotations/cofw_test.json'))
test_dataloader = dict(dataset=dict(type=dataset_type, data_root='data/cofw/', ann_file='annotations/cofw_test.json'))

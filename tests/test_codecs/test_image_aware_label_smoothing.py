import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData
from mmpose.datasets.transforms import GenerateTarget, PackPoseInputs, TopdownAffine
from mmpose.models.pose_estimators import TopdownPoseEstimator
from mmpose.structures import PoseDataSample
from mmpose.utils import register_all_modules

import mmpose_sp  # noqa: F401
from mmpose_sp.codecs import ImageAwareLabelSmoothing, edge_alignment
from mmpose_sp.faces import boundary_sets
from mmpose_sp.structured.label_checks import check_labels


def face(count, seed=0):
    """Landmarks (1, K, 2) in a 256 x 256 crop, each boundary on an ellipse of its own."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(60, 200, (count, 2))
    name = {98: 'wflw', 68: '300w', 29: 'cofw'}[count]
    for boundary in boundary_sets()[name][1]:
        angle = np.linspace(0, 2 * np.pi if boundary.closed else np.pi, len(boundary.indices) + boundary.closed)
        ellipse = np.stack([np.cos(angle), np.sin(angle)], axis=-1)[: len(boundary.indices)]
        points[list(boundary.indices)] = rng.uniform(80, 180, 2) + rng.uniform(12, 50, 2) * ellipse
    return points[None].astype(np.float32)


def codec(**kwargs):
    return ImageAwareLabelSmoothing(**{'input_size': (256, 256), 'heatmap_size': (64, 64), **kwargs})


@pytest.mark.parametrize('name', boundary_sets())
def test_encoded_shapes_and_dtypes(name):
    count = boundary_sets()[name][0].num_landmarks
    encoded = codec(boundaries=name, edge_maps=True).encode(face(count), np.ones((1, count), dtype=np.float32))
    shapes = {key: (value.shape, value.dtype.name) for key, value in encoded.items()}
    assert shapes == {
        'keypoint_labels': ((1, count, 2), 'float32'),
        'keypoint_weights': ((1, count), 'float32'),
        'label_covariances': ((1, count, 2, 2), 'float32'),
        'edge_heatmaps': ((len(boundary_sets()[name][1]), 64, 64), 'float32'),
    }
    assert encoded['edge_heatmaps'].min() >= 0 and 0.9 < encoded['edge_heatmaps'].max() <= 1


def test_labels_are_pixel_centred_by_hand():
    # The centre of heatmap pixel 0 is the centre of input pixels 0..3.
    points = np.array([[[1.5, 1.5], [5.5, 253.5], [-0.5, 255.5], [127.5, 127.5]]])
    labels = codec(boundaries=None, smoothing='none').encode(points)['keypoint_labels']
    np.testing.assert_allclose(labels, [[[0, 0], [1, 63], [-0.5, 63.5], [31.5, 31.5]]])


def test_round_trip_through_the_crop_and_the_estimator_of_mmpose():
    """Image -> TopdownAffine -> encode -> (labels as decoded) -> add_pred_to_datasample -> image."""
    rng = np.random.default_rng(0)
    points = rng.uniform(100, 300, (1, 98, 2)).astype(np.float32)
    results = TopdownAffine((256, 256)).transform(
        {
            'img': np.zeros((480, 640, 3), np.uint8),
            'bbox_center': np.array([[201.3, 197.9]], dtype=np.float32),
            'bbox_scale': np.array([[260.0, 233.0]], dtype=np.float32),
            'keypoints': points,
            'keypoints_visible': np.ones((1, 98), dtype=np.float32),
        }
    )
    sut = codec()
    labels = sut.encode(results['transformed_keypoints'], results['keypoints_visible'])['keypoint_labels']
    decoded = (labels + 0.5) * sut.scale_factor - 0.5

    sample = PoseDataSample(metainfo={key: results[key] for key in ('input_center', 'input_scale', 'input_size')})
    sample.gt_instances = InstanceData(bboxes=np.zeros((1, 4)), bbox_scores=np.ones(1))
    estimator = TopdownPoseEstimator.__new__(TopdownPoseEstimator)
    torch.nn.Module.__init__(estimator)
    estimator.test_cfg = {}
    prediction = InstanceData(keypoints=decoded.astype(np.float64), keypoint_scores=np.ones((1, 98)))
    (out,) = estimator.add_pred_to_datasample([prediction], None, [sample])
    assert np.abs(out.pred_instances.keypoints - points).max() < 1e-3


def test_targets_travel_through_the_pipeline():
    register_all_modules()
    results = {
        'img': np.zeros((256, 256, 3), np.uint8),
        'keypoints': face(98),
        'keypoints_visible': np.ones((1, 98, 2), dtype=np.float32),
        'dataset_keypoint_weights': np.ones((1, 98), dtype=np.float32),
    }
    encoder = dict(type='ImageAwareLabelSmoothing', input_size=(256, 256), heatmap_size=(64, 64), edge_maps=True)
    packed = PackPoseInputs(meta_keys=())(GenerateTarget(encoder)(results))
    labels, fields = packed['data_samples'].gt_instance_labels, packed['data_samples'].gt_fields
    assert labels.keypoint_labels.shape == (1, 98, 2)
    assert labels.keypoint_weights.shape == (1, 98)
    assert labels.label_covariances.shape == (1, 98, 2, 2)
    assert fields.edge_heatmaps.shape == (9, 64, 64) and fields.edge_heatmaps.dtype == torch.float32


def test_encode_draws_nothing_at_random_and_leaves_its_input_alone():
    points = face(98)
    before = points.copy()
    first, second = (codec(edge_maps=True).encode(points) for _ in range(2))
    for key, value in first.items():
        np.testing.assert_array_equal(value, second[key])
    np.testing.assert_array_equal(points, before)


def test_weights_are_zero_outside_the_map_and_where_invisible():
    points = face(98)
    points[0, :4] = [[-0.51, 100], [255.49, 100], [100, 256], [-0.5, -0.5]]
    visible = np.ones((1, 98), dtype=np.float32)
    visible[0, 4] = 0
    weights = codec().encode(points, visible)['keypoint_weights'][0]
    np.testing.assert_array_equal(weights[:6], [0, 1, 0, 1, 0, 1])
    assert weights[5:].all()


def test_clamped_landmarks_count_at_the_border_of_the_map():
    """As STAR's lib/dataset/alignmentDataset.py clamps (2 x + 1) / w - 1 of the input to [-1, 1]; a loss takes them."""
    points = face(98)
    points[0, :4] = [[-30, 100], [300, 90], [100, 256], [-1, -9]]
    encoded = codec(outside='clamp').encode(points, np.ones((1, 98), dtype=np.float32))
    normalised = np.clip((2 * points + 1) / 256 - 1, -1, 1)
    np.testing.assert_allclose(encoded['keypoint_labels'], ((normalised + 1) * 64 - 1) / 2, atol=1e-4)
    assert encoded['keypoint_weights'].all()
    check_labels(torch.from_numpy(encoded['keypoint_labels']), torch.ones(1, 98, dtype=torch.bool), (64, 64))
    others = codec().encode(points)['label_covariances']
    np.testing.assert_array_equal(encoded['label_covariances'], others)  # the curves are those of the face


def test_nan_of_invisible_landmarks_does_not_spread():
    points, visible = face(98), np.ones((1, 98), dtype=np.float32)
    points[0, [3, 62, 96]] = np.nan
    visible[0, [3, 62, 96]] = 0
    for smoothing in ('image_aware', 'isotropic', 'none'):
        encoded = codec(smoothing=smoothing, edge_maps=True).encode(points, visible)
        assert all(np.isfinite(value).all() for value in encoded.values())


def test_thin_edges_are_those_of_the_same_curves():
    points = face(98)
    thin, wide = (codec(edge_maps=True, edge_lines=kind).encode(points) for kind in ('thin', 'gaussian'))
    assert (thin['edge_heatmaps'] > 0).any(axis=(1, 2)).all()
    assert (wide['edge_heatmaps'][thin['edge_heatmaps'] > 0.1] > 0.85).all()  # within 0.5 px of the curve
    np.testing.assert_array_equal(thin['label_covariances'], wide['label_covariances'])


@pytest.mark.parametrize(('smoothing', 'gamma'), [('isotropic', 0.04), ('image_aware', 0.04), ('none', 0.04)])
def test_label_std_is_that_of_the_labels(smoothing, gamma):
    sut = codec(smoothing=smoothing, gamma=gamma, edge_weight=0)
    covariances = sut.encode(face(98))['label_covariances'][0]
    np.testing.assert_allclose(covariances, np.broadcast_to(sut.label_std**2 * np.eye(2), (98, 2, 2)), atol=1e-6)


def test_smoothing_variants():
    points = face(98)
    aware, isotropic, none = (
        codec(smoothing=s).encode(points)['label_covariances'][0] for s in ('image_aware', 'isotropic', 'none')
    )
    assert not none.any()
    np.testing.assert_allclose(isotropic, np.broadcast_to(isotropic[0, 0, 0] * np.eye(2), (98, 2, 2)), atol=1e-9)
    assert np.sqrt(isotropic[0, 0, 0]) == pytest.approx(0.103, abs=1e-3)
    values = np.linalg.eigvalsh(aware)
    assert (values > 0).all() and (values[:, 1] / values[:, 0]).max() > 1.1


def test_gamma_scales_the_covariances():
    points = face(98)
    small, large = (codec(gamma=g).encode(points)['label_covariances'] for g in (0.001, 1.0))
    np.testing.assert_allclose(1000 * small, large, rtol=1e-5)


def test_several_faces_at_once_equal_one_by_one():
    faces = np.concatenate([face(98, seed) for seed in range(3)])
    together = codec().encode(faces)
    for index in range(3):
        alone = codec().encode(faces[index : index + 1])
        for key in alone:
            np.testing.assert_array_equal(together[key][index : index + 1], alone[key])


def test_flipped_face_has_flipped_edge_maps():
    points = face(98)
    edges = codec(edge_maps=True).encode(points)['edge_heatmaps']
    flipped = codec(edge_maps=True).encode(points * [-1, 1] + [255, 0])['edge_heatmaps']
    np.testing.assert_allclose(flipped, edges[..., ::-1], atol=0.12)


def two_lines():
    """A long horizontal line with its landmarks, and a vertical one that passes 3 map px beside its middle."""
    across = np.stack([np.linspace(40, 216, 9), np.full(9, 128.0)], axis=-1)
    up = np.stack([np.full(9, 140.0), np.linspace(40, 216, 9)], axis=-1)
    boundaries = [('across', tuple(range(9)), False), ('up', tuple(range(9, 18)), False)]
    return np.concatenate([across, up, [[60.0, 60.0]]]), boundaries


def test_a_landmark_with_its_own_edges_sees_no_other_curve():
    points, boundaries = two_lines()
    own = ImageAwareLabelSmoothing((256, 256), (64, 64), boundaries, edges='own', edge_weight=1.0)
    alone = ImageAwareLabelSmoothing((256, 256), (64, 64), boundaries[:1], edge_weight=1.0)
    union = ImageAwareLabelSmoothing((256, 256), (64, 64), boundaries, edge_weight=1.0)
    covariances = [codec.encode(points[None])['label_covariances'][0] for codec in (own, alone, union)]
    np.testing.assert_allclose(covariances[0][:9], covariances[1][:9], atol=1e-7)
    assert np.abs(covariances[2][4] - covariances[1][4]).max() > 1e-3, 'the other curve is near enough to be seen'
    angles = edge_alignment(covariances[0], points, own.boundaries).angle
    np.testing.assert_allclose(angles[[*range(1, 8), *range(10, 17)]], 0, atol=0.1)  # where the lines go on


def test_a_landmark_on_no_curve_is_smoothed_evenly():
    points, boundaries = two_lines()
    codec = ImageAwareLabelSmoothing((256, 256), (64, 64), boundaries, edges='own', edge_weight=1.0)
    even = ImageAwareLabelSmoothing((256, 256), (64, 64), boundaries, smoothing='isotropic')
    found, expected = (each.encode(points[None])['label_covariances'][0, 18] for each in (codec, even))
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize('edges', ['union', 'own'])
def test_the_stages_show_what_is_encoded(edges):
    points, boundaries = two_lines()
    codec = ImageAwareLabelSmoothing((256, 256), (64, 64), boundaries, edges=edges)
    encoded = codec.encode(points[None])['label_covariances'][0]
    np.testing.assert_allclose(codec.smoothing_stages(points).covariances, encoded, rtol=1e-6)


def test_explicit_boundaries():
    curves = [('line', (0, 1, 2), False), {'name': 'ring', 'indices': [3, 4, 5], 'closed': True}]
    encoded = codec(boundaries=curves, edge_maps=True).encode(face(98)[:, :7])
    assert encoded['edge_heatmaps'].shape == (2, 64, 64)
    with pytest.raises(ValueError, match='6 or more'):
        codec(boundaries=curves).encode(face(98)[:, :5])


def test_boundaries_do_not_matter_without_edges():
    for options in ({'smoothing': 'isotropic'}, {'smoothing': 'none', 'boundaries': None}):
        assert codec(**options).encode(face(29))['keypoint_labels'].shape == (1, 29, 2)


def test_batch_decode_equals_decode():
    scores = torch.randn(3, 5, 64, 64, generator=torch.Generator().manual_seed(0))
    sut = codec()
    assert sut.support_batch_decoding
    keypoints, confidences = sut.batch_decode(scores)
    assert len(keypoints) == len(confidences) == 3
    for index in range(3):
        one, confidence = sut.decode(scores[index].numpy())
        np.testing.assert_allclose(keypoints[index], one, atol=1e-5)
        np.testing.assert_allclose(confidences[index], confidence, atol=1e-6)
        assert one.dtype == confidence.dtype == np.float32


def test_corner_grid_spans_the_input():
    scores = np.zeros((2, 64, 64), dtype=np.float32)
    scores[0, 0, 0] = scores[1, 63, 63] = 1
    keypoints, _ = codec(grid='corners', subpixel='none').decode(scores)
    np.testing.assert_allclose(keypoints[0], [[-0.5, -0.5], [255.5, 255.5]], atol=1e-4)


@pytest.mark.parametrize(
    'kwargs, words',
    [
        ({'boundaries': None}, 'boundaries'),
        ({'boundaries': [('dot', (0,), False)]}, 'dot'),
        ({'smoothing': 'gauss'}, 'smoothing'),
        ({'subpixel': 'dark'}, 'subpixel'),
        ({'grid': 'pixel'}, 'grid'),
        ({'input_size': (256,)}, 'input_size'),
        ({'heatmap_size': (0, 64)}, 'heatmap_size'),
        ({'gaussian_kernel': 4}, 'gaussian_kernel'),
        ({'blur_kernel': 0}, 'blur_kernel'),
        ({'patch_radius': 0}, 'patch_radius'),
        ({'gamma': -1}, 'gamma'),
        ({'eps': 0}, 'eps'),
    ],
)
def test_unknown_options_are_refused(kwargs, words):
    with pytest.raises(ValueError, match=words):
        codec(**kwargs)


def test_unknown_boundary_set_names_the_known_ones():
    with pytest.raises(ValueError, match='wflw') as error:
        codec(boundaries='aflw')
    assert all(repr(name) in str(error.value) for name in boundary_sets())


def test_wrong_landmark_count_names_the_fix():
    with pytest.raises(ValueError, match=r"'wflw' need 98 landmarks, got 68.*'300w' \(68\)"):
        codec().encode(face(68))


def test_visible_nan_is_named():
    points = face(98)
    points[0, 17, 1] = np.nan
    with pytest.raises(ValueError, match='Landmark 17 of instance 0'):
        codec().encode(points)


@pytest.mark.parametrize('shape, visible_shape', [((98, 2), (98,)), ((1, 98, 3), (1, 98)), ((1, 98, 2), (1, 97))])
def test_bad_shapes_are_refused(shape, visible_shape):
    with pytest.raises(ValueError, match='shape'):
        codec().encode(np.zeros(shape), np.ones(visible_shape))


def test_edge_maps_of_several_faces_are_refused():
    with pytest.raises(ValueError, match='one face'):
        codec(edge_maps=True).encode(np.repeat(face(98), 2, axis=0))


def test_maps_of_another_size_are_refused():
    with pytest.raises(ValueError, match='heatmap_size'):
        codec().decode(np.zeros((98, 32, 64), dtype=np.float32))

"""WFLW, COFW and 300-W: one record each. Data only."""

from typing import Tuple

from .schemes import Boundary, BoxMapping, FaceScheme, register_scheme


def _span(first: int, last: int) -> Tuple[int, ...]:
    return tuple(range(first, last + 1))


def _swapped(*runs: Tuple[int, int, int]) -> Tuple[Tuple[int, int], ...]:
    """Pairs (first, second), (first + 1, second - 1), ... of each (first, second, number of pairs)."""
    return tuple((a + i, b - i) for a, b, count in runs for i in range(count))


WFLW = register_scheme(
    FaceScheme(
        name='wflw',
        num_landmarks=98,
        mirror_pairs=_swapped(
            (0, 32, 16), (33, 46, 5), (38, 50, 4), (55, 59, 2), (60, 72, 5), (65, 75, 3), (76, 82, 3), (83, 87, 2),
            (88, 92, 2), (93, 95, 1), (96, 97, 1),
        ),
        boundaries=(
            Boundary('jaw', _span(0, 32), closed=False),
            Boundary('right_eyebrow', _span(33, 41), closed=True),
            Boundary('left_eyebrow', _span(42, 50), closed=True),
            Boundary('nose_bridge', _span(51, 54), closed=False),
            Boundary('nose_base', _span(55, 59), closed=False),
            Boundary('right_eye', _span(60, 67), closed=True),
            Boundary('left_eye', _span(68, 75), closed=True),
            Boundary('outer_lip', _span(76, 87), closed=True),
            Boundary('inner_lip', _span(88, 95), closed=True),
        ),
        normalisers={'inter_ocular': ((60,), (72,)), 'inter_pupil': ((96,), (97,))},
        norm='inter_ocular',
        threshold=10.0,
        subsets=('largepose', 'expression', 'illumination', 'makeup', 'occlusion', 'blur'),
        shown=(8, 35, 60, 57, 82),
        # not measured: the same outline as 300-W's, with more landmarks on it
        haar_box=BoxMapping(scale=0.88, down=0.147),
        yunet_box=BoxMapping(scale=0.916, down=0.135),
        annotation_file='face_landmarks_wflw_{}.json',
        download={
            'images': 'WFLW_images',
            'split': 'WFLW_annotations/list_98pt_rect_attr_train_test/list_98pt_rect_attr_{}.txt',
            'subset': 'WFLW_annotations/list_98pt_test/list_98pt_test_{}.txt',
        },
        splits={'train': ('train',), 'test': ('test',)},
        published={
            'train': 7500, 'test': 2500, 'largepose': 326, 'expression': 314, 'illumination': 698, 'makeup': 206,
            'occlusion': 736, 'blur': 773,
        },
    )
)  # fmt: skip

FACE_300W = register_scheme(
    FaceScheme(
        name='300w',
        num_landmarks=68,
        mirror_pairs=_swapped(
            (0, 16, 8), (17, 26, 5), (31, 35, 2), (36, 45, 4), (40, 47, 2), (48, 54, 3), (55, 59, 2), (60, 64, 2),
            (65, 67, 1),
        ),
        boundaries=(
            Boundary('jaw', _span(0, 16), closed=False),
            Boundary('right_eyebrow', _span(17, 21), closed=False),
            Boundary('left_eyebrow', _span(22, 26), closed=False),
            Boundary('nose_bridge', _span(27, 30), closed=False),
            Boundary('nose_base', _span(31, 35), closed=False),
            Boundary('right_eye', _span(36, 41), closed=True),
            Boundary('left_eye', _span(42, 47), closed=True),
            Boundary('outer_lip', _span(48, 59), closed=True),
            Boundary('inner_lip', _span(60, 67), closed=True),
        ),
        # pupils are not annotated: the mean of the six points around each eye stands for one
        normalisers={'inter_ocular': ((36,), (45,)), 'inter_pupil': (_span(36, 41), _span(42, 47))},
        norm='inter_ocular',
        threshold=5.0,
        subsets=('common', 'challenging'),
        shown=(4, 19, 36, 33, 54),
        # Medians over the faces of the 300-W part's training list that the detectors find. Median absolute deviations
        # of the cascade: centre 0.05 across and 0.02 down, side 0.05; of YuNet: 0.015, 0.02 and 0.03, within the shifts
        # and scales that the models are trained with.
        haar_box=BoxMapping(scale=0.88, down=0.147),
        yunet_box=BoxMapping(scale=0.916, down=0.135),
        annotation_file='face_landmarks_300w_{}.json',
        splits={
            'train': ('afw', 'helen/trainset', 'lfpw/trainset'),
            'valid': ('helen/testset', 'lfpw/testset', 'ibug'),
            'valid_common': ('helen/testset', 'lfpw/testset'),
            'valid_challenge': ('ibug',),
            'test': ('Test/01_Indoor', 'Test/02_Outdoor'),
        },
        part_subsets={'helen/testset': 'common', 'lfpw/testset': 'common', 'ibug': 'challenging'},
        published={
            'afw': 337, 'helen/trainset': 2000, 'lfpw/trainset': 811, 'helen/testset': 330, 'lfpw/testset': 224,
            'ibug': 135,
        },
        published_private={'Test/01_Indoor': 300, 'Test/02_Outdoor': 300},
    )
)  # fmt: skip

_COFW_CURVES = (
    Boundary('right_eyebrow', (0, 4, 2, 5), closed=True),
    Boundary('left_eyebrow', (1, 6, 3, 7), closed=True),
    Boundary('right_eye', (8, 12, 10, 13), closed=True),
    Boundary('left_eye', (9, 14, 11, 15), closed=True),
    Boundary('nose', (18, 20, 19, 21), closed=True),
    Boundary('lower_lip', (22, 26, 23, 27), closed=True),
    Boundary('upper_lip', (22, 24, 23, 25), closed=True),
)

COFW = register_scheme(
    FaceScheme(
        name='cofw',
        num_landmarks=29,
        mirror_pairs=(
            (0, 1), (2, 3), (4, 6), (5, 7), (8, 9), (10, 11), (12, 14), (13, 15), (16, 17), (18, 19), (22, 23),
        ),
        boundaries=_COFW_CURVES,
        # The set that ADNet and STAR train with leaves the left eye open at the lower lid while the right eye is
        # closed. Use it with networks that were trained on it; new ones are better off with the symmetric one.
        other_boundaries={
            'cofw_star': tuple(c._replace(closed=False) if c.name == 'left_eye' else c for c in _COFW_CURVES)
        },
        normalisers={'inter_ocular': ((8,), (9,)), 'inter_pupil': ((16,), (17,))},
        norm='inter_pupil',
        threshold=10.0,
        gamma=0.001,
        shown=(4, 8, 18, 22),
        # the landmarks leave the jaw out: measured on the 68 of the 300-W part without the jaw but with the chin
        haar_box=BoxMapping(scale=0.836, down=0.146),
        yunet_box=BoxMapping(scale=0.87, down=0.135),
        annotation_file='cofw_{}.json',
        download={'split': 'COFW_{}_color.mat'},
        splits={'train': ('train',), 'test': ('test',)},
        published={'train': 1345, 'test': 507},
    )
)  # fmt: skip

"""The ground floor: what is known about faces without any network, so nothing here needs torch or mmpose."""

from . import benchmarks  # noqa: F401  registers their records
from .coordinates import (
    MapGrid,
    compose,
    crop_of_box,
    crop_to_image,
    invert,
    map_grid,
    overlap,
    transform_boxes,
    transform_covariances,
    transform_joint_covariance,
    transform_points,
    turned_to_image,
)
from .crop_list import CropList, read_crop_list, square_around
from .ellipses import ellipse_radius
from .schemes import (
    BOX_DIAGONAL,
    JOINT,
    SCHEMES,
    Boundary,
    BoxMapping,
    FaceScheme,
    boundary_sets,
    find_scheme,
    register_scheme,
    scheme_of_count,
    subset_flags,
    subset_names,
)

__all__ = [
    'BOX_DIAGONAL',
    'JOINT',
    'SCHEMES',
    'Boundary',
    'BoxMapping',
    'CropList',
    'FaceScheme',
    'MapGrid',
    'boundary_sets',
    'compose',
    'crop_of_box',
    'crop_to_image',
    'ellipse_radius',
    'find_scheme',
    'invert',
    'map_grid',
    'overlap',
    'read_crop_list',
    'register_scheme',
    'scheme_of_count',
    'square_around',
    'subset_flags',
    'subset_names',
    'transform_boxes',
    'transform_covariances',
    'transform_joint_covariance',
    'transform_points',
    'turned_to_image',
]

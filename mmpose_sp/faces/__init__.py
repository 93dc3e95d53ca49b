"""The ground floor: what is known about faces without any network, so nothing here needs torch or mmpose."""

from . import benchmarks  # noqa: F401  registers their records
from .coordinates import (
    MapGrid,
    compose,
    crop_of_box,
    crop_to_image,
    invert,
    map_grid,
    transform_boxes,
    transform_covariances,
    transform_points,
    turned_to_image,
)
from .schemes import (
    BOX_DIAGONAL,
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
    'SCHEMES',
    'Boundary',
    'BoxMapping',
    'FaceScheme',
    'MapGrid',
    'boundary_sets',
    'compose',
    'crop_of_box',
    'crop_to_image',
    'find_scheme',
    'invert',
    'map_grid',
    'register_scheme',
    'scheme_of_count',
    'subset_flags',
    'subset_names',
    'transform_boxes',
    'transform_covariances',
    'transform_points',
    'turned_to_image',
]

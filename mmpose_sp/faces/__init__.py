"""The ground floor: what is known about faces without any network, so nothing here needs torch or mmpose."""

from .coordinates import (
    MapGrid,
    compose,
    crop_of_box,
    crop_to_image,
    invert,
    map_grid,
    transform_covariances,
    transform_points,
)

__all__ = [
    'MapGrid',
    'compose',
    'crop_of_box',
    'crop_to_image',
    'invert',
    'map_grid',
    'transform_covariances',
    'transform_points',
]

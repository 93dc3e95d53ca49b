"""Synthetic faces: pictures with exact landmarks, for demonstrations and tests without any download."""

from .params import ATTRIBUTES, FaceParams, sample_face
from .plan import planned_face
from .render import RenderedFace, render_face
from .writers import LAYOUTS, write_synthetic_faces

__all__ = [
    'ATTRIBUTES',
    'RenderedFace',
    'FaceParams',
    'LAYOUTS',
    'planned_face',
    'render_face',
    'sample_face',
    'write_synthetic_faces',
]

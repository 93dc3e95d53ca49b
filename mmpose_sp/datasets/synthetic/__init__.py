"""Synthetic faces: pictures with exact landmarks, for demonstrations and tests without any download."""

from mmpose_sp.utils.lazy import lazy_exports

__getattr__, __all__ = lazy_exports(
    __name__,
    params='ATTRIBUTES LAYOUTS FaceParams sample_face',
    plan='planned_face',
    render='RenderedFace render_face',
    writers='write_synthetic_faces',
)

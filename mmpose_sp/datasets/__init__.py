"""Face landmark datasets and the transforms that mmpose lacks."""

from . import face, transforms  # noqa: F401

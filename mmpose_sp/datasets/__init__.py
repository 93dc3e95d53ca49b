"""Face landmark datasets and the transforms that mmpose lacks."""

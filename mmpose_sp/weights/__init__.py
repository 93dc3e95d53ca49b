"""The model that comes with mmpose_sp: config, weights and model card. ``FaceLandmarker.from_packaged()`` loads it."""

"""The models that come with mmpose_sp: config, weights, ONNX and card of each, see :mod:`mmpose_sp.apis.packaged`."""

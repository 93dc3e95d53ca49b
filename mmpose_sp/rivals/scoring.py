"""A trained contestant on validation and test faces: alone, with the offset of the annotations, and joined."""

from typing import Any, Dict, Tuple

import numpy as np
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmpose_sp.apis.collected_faces import collect, has_posterior
from mmpose_sp.apis.model_loading import load_model
from mmpose_sp.apis.predicted_samples import loader_of
from mmpose_sp.evaluation.joining import readings
from mmpose_sp.evaluation.reliability import area_under_roc, fit_calibration

CONFIDENT = 5.0  # percent of the normaliser: confidences are to tell larger errors of a landmark from smaller ones
ALONE, OFFSET, JOINED = 'alone', 'offset', 'joined'
READINGS = (ALONE, OFFSET, JOINED)


def score(config: Config, checkpoint: str, device: str, train_faces: int = 0) -> Dict[str, Any]:
    """Errors of each face.

    Args:
        config, checkpoint: Of the training.
        device: Where to run it.
        train_faces: At most so many training faces tell the offset and the correlation of errors (0: all).

    Returns:
        For each of :data:`READINGS`, ``val`` and ``test``: percent of the normaliser, in the order of the annotation
        file. ``'offset'`` adds that of the annotations as a linear function of the shape, fitted to the training faces;
        ``'joined'`` does so after the shape prior, with the best constant noise of a landmark (chosen on validation
        faces) for heads without a posterior, and with our covariances for ours. And ``auroc``: of the head's own
        confidence in a landmark against errors above :data:`CONFIDENT`, on the test faces; ``parameters``.
    """
    config = Config(config.to_dict())
    model = load_model(config, checkpoint, device)
    posterior = has_posterior(model)
    if posterior:
        model.test_cfg = dict(model.test_cfg, output_heatmaps=True, joint='off')
    init_default_scope(config.get('default_scope', 'mmpose'))
    collected = {split: collect(model, loader_of(config, split), split) for split in ('val', 'test')}
    calibration = None
    if posterior:
        seen = collected['val']
        calibration = fit_calibration(seen.scores, seen.labels, seen.predictions, seen.eps, seen.counted)
    collected['train'] = collect(model, loader_of(config, 'train', train_faces), 'train', calibration)
    faces = {split: part.faces(model, calibration) for split, part in collected.items()}
    result: Dict[str, Any] = dict(auroc=None, parameters=sum(p.numel() for p in model.parameters()))
    wanted = wanted_readings(posterior)
    for reading in readings(faces, model.dataset_meta['flip_indices'], config.codec.input_size[0]):
        name = wanted.get((reading.noise, reading.offset))
        if name:
            result[name] = {s: faces[s].nme(points).round(4).tolist() for s, points in reading.found.items()}
    test = faces['test']
    error = 100 * np.linalg.norm((test.points - test.labels).numpy(), axis=-1) / test.norm[:, None]
    wrong, confidence = error[test.counted] > CONFIDENT, collected['test'].confidence[test.counted]
    result['auroc'] = round(area_under_roc(confidence[~wrong], confidence[wrong]), 4)
    return result


def wanted_readings(posterior: bool) -> Dict[Tuple[str, str], str]:
    """Noise and offset of :func:`mmpose_sp.evaluation.joining.readings` that the table shows, and their names in it."""
    noise = 'prior, full R_k, correlated errors' if posterior else 'prior, one constant isotropic R'
    return {('sites alone', 'none'): ALONE, ('sites alone', 'by shape'): OFFSET, (noise, 'by shape'): JOINED}

"""A trained contestant on validation and test faces: alone, with the offset of the annotations, and joined."""

from typing import Any, Dict, Optional

import numpy as np
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmpose_sp.apis.collected_faces import collect, has_posterior
from mmpose_sp.apis.model_loading import load_model
from mmpose_sp.apis.predicted_samples import loader_of
from mmpose_sp.evaluation.joining import Reading, readings
from mmpose_sp.evaluation.reliability import area_under_roc, fit_calibration

CONFIDENT = 5.0  # percent of the normaliser: confidences are to tell larger errors of a landmark from smaller ones
ALONE, OFFSET, JOINED = 'alone', 'offset', 'joined'
READINGS = (ALONE, OFFSET, JOINED)
JOINS = {  # noises of mmpose_sp.evaluation.joining, of heads with and without a posterior
    True: ('prior, full R_k, correlated errors',),
    False: (
        'prior, one constant isotropic R',
        'prior, R by confidence',
        'prior, R by confidence, correlated errors',
    ),
}


def score(config: Config, checkpoint: str, device: str, train_faces: int = 0) -> Dict[str, Any]:
    """Errors of each face.

    Args:
        config, checkpoint: Of the training.
        device: Where to run it.
        train_faces: At most so many training faces tell the offset and the correlation of errors (0: all).

    Returns:
        For each of :data:`READINGS`, ``val`` and ``test``: percent of the normaliser, in the order of the annotation
        file. ``'offset'`` adds that of the annotations as a linear function of the shape, fitted to the training faces;
        ``'joined'`` does so after the shape prior, with our covariances for ours, and for heads without a posterior
        with the best of :data:`JOINS` on validation faces, whose name is ``noise``. And ``auroc``: of the head's own
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
    best = np.inf
    for reading in readings(faces, model.dataset_meta['flip_indices'], config.codec.input_size[0]):
        errors = {split: faces[split].nme(points) for split, points in reading.found.items()}
        name = wanted_as(reading, posterior)
        if name == JOINED:
            if errors['val'].mean() >= best:
                continue
            best, result['noise'] = errors['val'].mean(), reading.noise
        if name:
            result[name] = {split: values.round(4).tolist() for split, values in errors.items()}
    test = faces['test']
    error = 100 * np.linalg.norm((test.points - test.labels).numpy(), axis=-1) / test.norm[:, None]
    wrong, confidence = error[test.counted] > CONFIDENT, collected['test'].confidence[test.counted]
    result['auroc'] = round(area_under_roc(confidence[~wrong], confidence[wrong]), 4)
    return result


def wanted_as(reading: Reading, posterior: bool) -> Optional[str]:
    """What the table calls a reading; None if it does not show it."""
    if reading.noise == 'sites alone':
        return {'none': ALONE, 'by shape': OFFSET}.get(reading.offset)
    return JOINED if reading.offset == 'by shape' and reading.noise in JOINS[posterior] else None

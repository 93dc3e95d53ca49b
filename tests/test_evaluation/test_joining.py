"""What a confidence says of the noise of a landmark, on faces whose errors are drawn."""

import numpy as np
import pytest
import torch

from mmpose_sp.evaluation.joining import Faces, readings, variance_by_confidence
from mmpose_sp.faces import find_scheme

SCHEME = find_scheme('cofw')
COUNT, WIDTH = len(SCHEME.flip_indices), 64.0


def faces(count, seed):
    """Faces of one shape that varies, seen with errors whose variance v falls with the confidence exp(-v)."""
    rng = np.random.default_rng(seed)
    shape = np.random.default_rng(0).uniform(16, 48, (COUNT, 2))
    labels = shape + rng.normal(0, 1.0, (count, COUNT, 2))
    variance = rng.choice([0.04, 0.4, 6.0], (count, COUNT))
    points = labels + rng.normal(size=labels.shape) * np.sqrt(variance)[..., None]
    made = Faces(
        *map(torch.from_numpy, (points,)),
        None,
        torch.from_numpy(labels),
        np.ones((count, COUNT), bool),
        np.full(count, 20.0),
        np.exp(-variance),
    )
    return made, variance


def test_the_variance_of_the_errors_is_found():
    train, variance = faces(1500, 1)
    found = variance_by_confidence(train)(train).numpy()
    for value in np.unique(variance):
        assert found[variance == value].mean() == pytest.approx(value, rel=0.15)


def test_more_confidence_is_never_less_certain():
    train, _ = faces(30, 2)
    grid = train._replace(confidence=np.linspace(0, 1, 30 * COUNT).reshape(30, COUNT))
    assert (np.diff(variance_by_confidence(train)(grid).numpy().ravel()) <= 0).all()


def test_joining_by_confidence_beats_one_constant():
    parts = {
        split: faces(count, seed)[0] for split, count, seed in (('train', 400, 3), ('val', 60, 4), ('test', 200, 5))
    }
    errors = {
        reading.noise: parts['test'].nme(reading.found['test']).mean()
        for reading in readings(parts, SCHEME.flip_indices, WIDTH)
        if reading.offset == 'none'
    }
    assert errors['prior, R by confidence'] < 0.95 * errors['prior, one constant isotropic R']
    assert 'prior, full R_k' not in errors  # these faces have no covariances

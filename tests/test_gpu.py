"""On a GPU everything is as on a CPU. MMPOSE_SP_TEST_DEVICE=cpu runs these tests there, to try the tests themselves."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_run import write_config

from mmpose_sp.apis import FaceLandmarker
from mmpose_sp.models.losses import STARLoss, StructuredPredictionLoss
from mmpose_sp.posterior import JointPosterior, landmark_blocks, read_sites

ROOT = Path(__file__).resolve().parents[1]
DEVICE = os.environ.get('MMPOSE_SP_TEST_DEVICE', 'cuda')
pytestmark = pytest.mark.skipif(
    DEVICE.startswith('cuda') and not torch.cuda.is_available(), reason='needs a GPU: there is none'
)


def problem(seed=0, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    scores = 4 * torch.randn(2, 5, 24, 32, generator=generator)
    labels = torch.rand(2, 5, 2, generator=generator) * torch.tensor([31.0, 23.0])
    weights = (torch.rand(2, 5, generator=generator) > 0.2).float()
    return scores.to(dtype), labels, weights


def value_and_gradient(loss, device, dtype=torch.float32):
    scores, labels, weights = (part.to(device) for part in problem(dtype=dtype))
    scores.requires_grad_()
    value = loss(scores, labels, weights)
    value.backward()
    return value.cpu(), scores.grad.float().cpu()


@pytest.mark.parametrize('dtype', [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize('options', [dict(), dict(norm='l2'), dict(margin='l2'), dict(margin='none'), dict(eps=0)])
def test_the_loss_and_its_gradient(options, dtype):
    loss = StructuredPredictionLoss(num_samples=0, **options)
    torch.testing.assert_close(
        value_and_gradient(loss, DEVICE, dtype), value_and_gradient(loss, 'cpu', dtype), rtol=2e-3, atol=1e-5
    )


def test_the_loss_of_star():
    loss = STARLoss(num_samples=0)
    torch.testing.assert_close(value_and_gradient(loss, DEVICE), value_and_gradient(loss, 'cpu'), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize('subpixel', ['quadratic', 'local_expectation', 'expectation', 'none'])
def test_sites(subpixel):
    scores = problem(1)[0]
    for found, expected in zip(read_sites(scores.to(DEVICE), subpixel), read_sites(scores, subpixel)):
        torch.testing.assert_close(found.cpu(), expected, rtol=1e-3, atol=1e-3)


def test_the_joint_posterior():
    posterior = JointPosterior(5)
    points, covariances = 20 * torch.rand(3, 5, 2), (1 + torch.rand(3, 5, 1, 1)) * torch.eye(2)
    expected = posterior(points, covariances)
    found = posterior.to(DEVICE)(points.to(DEVICE), covariances.to(DEVICE))
    torch.testing.assert_close(found.points.cpu(), expected.points, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(landmark_blocks(found.covariance).cpu(), landmark_blocks(expected.covariance))


@pytest.mark.parametrize('model', ['fast', 'accurate'])
def test_the_packaged_models(model, astronaut):
    box = [[170, 70, 280, 190]]
    here, there = (
        FaceLandmarker.from_packaged(model, device=device)(astronaut, bboxes=box)[0].faces[0]
        for device in ('cpu', DEVICE)
    )
    np.testing.assert_allclose(there.landmarks, here.landmarks, atol=0.1)  # image px, a tenth of a crop px; TF32


def run(*command):
    path = os.pathsep.join([str(ROOT), os.environ.get('PYTHONPATH', '')])  # gpu_run.sh has the libraries there
    environment = dict(os.environ, PYTHON=sys.executable, PYTHONPATH=path, OMP_NUM_THREADS='1')
    done = subprocess.run([str(part) for part in command], env=environment, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    return done.stdout + done.stderr


@pytest.mark.parametrize('processes', [1, 2])
def test_distributed_training(processes, tmp_path):
    """By NCCL where there are GPUs, by gloo where there are none."""
    if DEVICE.startswith('cuda') and torch.cuda.device_count() < processes:
        pytest.skip(f'needs {processes} GPUs, there is {torch.cuda.device_count()}')
    log = run(ROOT / 'tools/dist_train.sh', write_config(tmp_path), processes)
    assert 'Distributed training: True' in log
    assert 'Epoch(val) [1]' in log


@pytest.mark.skipif(not DEVICE.startswith('cuda'), reason='needs a GPU: mmengine has --amp for these alone')
def test_mixed_precision_trains(tmp_path):
    assert 'Epoch(val) [1]' in run(sys.executable, ROOT / 'tools/train.py', write_config(tmp_path), '--amp')


@pytest.mark.skipif(not DEVICE.startswith('cuda') and not shutil.which('c++'), reason='needs a compiler')
def test_a_compiled_network_is_the_network():
    model = FaceLandmarker.from_packaged('fast', device=DEVICE).model
    images = torch.randn(2, 3, 128, 128, generator=torch.Generator().manual_seed(2)).to(DEVICE)
    with torch.no_grad():
        expected = model.head(model.extract_feat(images))
        found = torch.compile(lambda x: model.head(model.extract_feat(x)))(images)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-2)

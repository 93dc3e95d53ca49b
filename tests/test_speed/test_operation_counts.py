"""Guards of the speed that count operations and elements instead of looking at a clock."""

import sys

import cv2
import numpy as np
import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from mmpose_sp.codecs import ImageAwareLabelSmoothing, boundary_maps
from mmpose_sp.models.losses import StructuredPredictionLoss
from mmpose_sp.posterior import read_sites, sites

WAITS = {'aten._local_scalar_dense.default', 'aten.nonzero.default', 'aten.equal.default'}  # for the device


class Names(TorchDispatchMode):
    """The names of all operations."""

    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.names.append(str(func))
        return func(*args, **(kwargs or {}))


# ---------------------------------------------------------------- loss


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU: CPUs never wait for themselves')
@pytest.mark.parametrize('norm', ['l1', 'l2'])
def test_the_loss_never_waits_for_the_gpu(norm):
    scores = torch.randn(2, 5, 64, 64, device='cuda', requires_grad=True)
    labels = torch.full((2, 5, 2), 30.3, device='cuda')
    rest = torch.ones(2, 5, device='cuda'), 0.01 * torch.eye(2, device='cuda').repeat(2, 5, 1, 1)
    loss = StructuredPredictionLoss(norm=norm)
    loss(scores, labels, *rest).backward()
    torch.cuda.set_sync_debug_mode('error')
    try:
        loss(scores, labels, *rest).backward()
    finally:
        torch.cuda.set_sync_debug_mode('default')


def test_compiled_networks_train_with_it():
    torch.manual_seed(0)
    network, loss = nn.Conv2d(3, 4, 1), StructuredPredictionLoss(num_samples=0)
    images, labels = torch.randn(2, 3, 16, 16), torch.rand(2, 4, 2) * 15
    compiled = torch.compile(lambda x: loss(network(x), labels), backend='eager')
    compiled(images).backward()
    gradient = network.weight.grad.clone()
    network.zero_grad()
    loss(network(images), labels).backward()
    torch.testing.assert_close(network.weight.grad, gradient)


# ---------------------------------------------------------------- decode


@pytest.mark.parametrize('subpixel', sites.SUBPIXEL)
def test_decoding_is_one_batch(subpixel, monkeypatch):
    monkeypatch.setattr(sites, 'CACHE_BYTES', 2**30)  # as on a GPU: all maps at once
    names = []
    for shape in ((1, 1, 16, 16), (3, 20, 16, 16)):
        with Names() as counter:
            read_sites(torch.randn(*shape), subpixel)
        names.append(counter.names)
    assert names[0] == names[1]
    assert not WAITS & set(names[0])


def test_only_coordinates_and_confidences_leave_the_device(monkeypatch):
    moved = []
    for name in ('cpu', 'numpy', 'tolist', 'item'):
        original = getattr(torch.Tensor, name)
        monkeypatch.setattr(
            torch.Tensor,
            name,
            lambda self, *args, f=original, **kwargs: (moved.append(self.numel()), f(self, *args, **kwargs))[1],
        )
    codec = ImageAwareLabelSmoothing((64, 64), (16, 16), smoothing='none')
    codec.batch_decode(torch.randn(3, 98, 16, 16))
    assert max(moved) == 3 * 98 * 3


# ---------------------------------------------------------------- codec


def calls_of(function):
    """How many functions, of Python and of C, are called."""
    count = 0

    def seen(frame, event, argument):
        nonlocal count
        count += event in ('call', 'c_call')

    function()  # fills the caches
    sys.setprofile(seen)
    try:
        function()
    finally:
        sys.setprofile(None)
    return count


def ring(count):
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return (np.stack([np.cos(angle), np.sin(angle)], axis=-1) * 60 + 128)[None].astype(np.float32)


@pytest.mark.parametrize('edge_maps', [False, True])
def test_encode_does_not_loop_over_landmarks(edge_maps):
    calls = []
    for count in (8, 200):
        codec = ImageAwareLabelSmoothing(
            (256, 256), (64, 64), edge_maps=edge_maps, boundaries=[('ring', tuple(range(count)), True)]
        )
        calls.append(calls_of(lambda codec=codec, count=count: codec.encode(ring(count), None)))
    assert calls[0] == calls[1]


@pytest.mark.parametrize(('edge_maps', 'times'), [(False, 1), (True, 1 + 9)])
def test_one_distance_transform_for_all_curves(edge_maps, times, monkeypatch):
    sizes = []
    original = cv2.distanceTransform
    monkeypatch.setattr(
        cv2, 'distanceTransform', lambda canvas, *args: (sizes.append(canvas.size), original(canvas, *args))[1]
    )
    codec = ImageAwareLabelSmoothing((256, 256), (64, 64), edge_maps=edge_maps)
    codec.encode(ring(98), None)
    assert len(sizes) == times
    assert sizes[0] <= (2 * (64 + 2 * 16)) ** 2  # the map with its margins, twice as fine


def test_union_is_the_maximum_of_the_edges(monkeypatch):
    monkeypatch.setattr(boundary_maps, 'UNION_SUPERSAMPLING', boundary_maps.SUPERSAMPLING)
    monkeypatch.setattr(boundary_maps, 'UNION_SAMPLES_PER_SEGMENT', boundary_maps.SAMPLES_PER_SEGMENT)
    boundary_maps._joined.cache_clear()
    boundaries = ImageAwareLabelSmoothing((256, 256), (64, 64)).boundaries
    random = np.random.default_rng(0)
    visible = np.ones(98, dtype=bool)
    try:
        for missing in ([], [40, 63]):
            landmarks = random.uniform(-8, 72, (98, 2)).astype(np.float32)
            visible[missing] = False
            landmarks[missing] = np.nan
            union = boundary_maps.union_edge_map(landmarks, boundaries, (64, 48), 1.0, visible, padding=10)
            edges = boundary_maps.edge_heatmaps(landmarks, boundaries, (64, 48), 1.0, visible, padding=10)
            np.testing.assert_allclose(union, edges.max(axis=0), atol=1e-6)
    finally:
        boundary_maps._joined.cache_clear()

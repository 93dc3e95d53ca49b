"""Settings that every test needs, made before anything is imported."""

import os
import resource
import signal

import pytest

os.environ.setdefault('MPLBACKEND', 'Agg')  # figures are written, never shown
os.environ.setdefault('OMP_NUM_THREADS', '1')  # the tests themselves run on all cores

FILE_SIZE = resource.getrlimit(resource.RLIMIT_FSIZE)

# A shell starts background jobs (and so some CI their tests) with Ctrl-C ignored, which every child would inherit.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def disk_of():
    """Until the test ends no file of this process may grow beyond that many bytes: real failures to write."""
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, FILE_SIZE[1]))
    signal.signal(signal.SIGXFSZ, handler)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call():
    """Lifts the limit of ``disk_of`` before pytest writes what became of the test, which may be to a file."""
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, FILE_SIZE)


@pytest.fixture(scope='session')
def astronaut():
    """A photograph of 512 x 512 px with one face, uint8 BGR, only to be read; public domain (NASA)."""
    return pytest.importorskip('skimage.data').astronaut()[..., ::-1].copy()

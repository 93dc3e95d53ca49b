"""Settings that every test needs, made before anything is imported."""

import os
import resource
import signal

import pytest

os.environ.setdefault('MPLBACKEND', 'Agg')  # figures are written, never shown
os.environ.setdefault('OMP_NUM_THREADS', '1')  # the tests themselves run on all cores

# A shell starts background jobs (and so some CI their tests) with Ctrl-C ignored, which every child would inherit.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def disk_of():
    """From now on no file of this process may grow beyond that many bytes: real failures to write."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    def limit(size):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))

    yield limit
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)

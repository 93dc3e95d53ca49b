"""Settings that every test needs, made before anything is imported."""

import os
import signal

os.environ.setdefault('MPLBACKEND', 'Agg')  # figures are written, never shown
os.environ.setdefault('OMP_NUM_THREADS', '1')  # the tests themselves run on all cores

# A shell starts background jobs (and so some CI their tests) with Ctrl-C ignored, which every child would inherit.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

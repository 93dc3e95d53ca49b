"""Settings that every test needs, made before anything is imported."""
import os

os.environ.setdefault('MPLBACKEND', 'Agg')  # figures are written, never shown
os.environ.setdefault('OMP_NUM_THREADS', '1')  # the tests themselves run on all cores

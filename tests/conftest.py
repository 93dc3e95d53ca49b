"""Settings that every test needs, made before anything is imported."""
import os

os.environ.setdefault('MPLBACKEND', 'Agg')  # figures are written, never shown

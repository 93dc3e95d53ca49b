"""What others' detectors and landmark models do on the same photographs; without torch."""

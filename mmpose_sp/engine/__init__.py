"""What a training goes through: checkpoints that survive kills, randomness that a resumed run repeats, NaN that stops it."""

"""A training's hooks: checkpoints that survive kills, randomness that a resumed run repeats, stops at rubbish."""

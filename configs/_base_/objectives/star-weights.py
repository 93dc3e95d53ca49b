# What it takes to run the authors' weights (tools/model_converters/star2mmpose.py): their crop to half a pixel, their
# grid, and the score map of the last landmark as the boundary of the coordinate channels. BGR in [-1, 1] is the
# network's own.
original = dict(
    codec=dict(grid='corners'),
    backbone=dict(boundary_coords='last_landmark'),
    load=[dict(type='LoadImage'), dict(type='GetSquareCenterScale', input_size=(256, 256))],
)

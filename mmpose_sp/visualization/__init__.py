"""Figures: landmarks on faces, contact sheets, the error distribution, the label smoothing."""

from mmpose_sp.evaluation.ced import plot_ced
from mmpose_sp.faces import subset_names

from .draw import (
    GREEN,
    RED,
    WHITE,
    boundary_palette,
    confidence_colors,
    crop_around,
    draw_boundaries,
    draw_comparison,
    draw_confidence,
    draw_landmarks,
    draw_polyline,
    draw_uncertainty,
    ellipse_axes,
    normalise,
    overlay_heatmap,
)
from .label_smoothing import gaussian_density, image_patch, label_heatmap, plot_spread, plot_stages
from .predictions import (
    SELECTIONS,
    PredictedFace,
    face_tile,
    group_by_subset,
    load_predictions,
    prediction_sheet,
    select_faces,
    subset_overview,
)
from .sheets import contact_sheet, fit_tile, put_text, subset_sheet, write_image

__all__ = [
    'GREEN',
    'PredictedFace',
    'RED',
    'SELECTIONS',
    'WHITE',
    'boundary_palette',
    'confidence_colors',
    'contact_sheet',
    'crop_around',
    'draw_boundaries',
    'draw_comparison',
    'draw_confidence',
    'draw_landmarks',
    'draw_polyline',
    'draw_uncertainty',
    'ellipse_axes',
    'face_tile',
    'fit_tile',
    'gaussian_density',
    'group_by_subset',
    'image_patch',
    'label_heatmap',
    'load_predictions',
    'normalise',
    'overlay_heatmap',
    'plot_ced',
    'plot_spread',
    'plot_stages',
    'prediction_sheet',
    'put_text',
    'select_faces',
    'subset_names',
    'subset_overview',
    'subset_sheet',
    'write_image',
]

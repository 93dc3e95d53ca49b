"""Figures: landmarks on faces, contact sheets, the label smoothing."""

from mmpose_sp.utils.lazy import lazy_exports

__getattr__, __all__ = lazy_exports(
    __name__,
    draw=(
        'GREEN RED WHITE boundary_palette confidence_colors crop_around draw_boundaries draw_comparison '
        'draw_confidence draw_landmarks draw_polyline draw_uncertainty ellipse_axes normalise overlay_heatmap'
    ),
    label_smoothing='gaussian_density image_patch label_heatmap plot_spread plot_stages',
    predictions=(
        'SELECTIONS PredictedFace face_tile group_by_subset load_predictions prediction_sheet select_faces '
        'subset_overview'
    ),
    sheets='contact_sheet fit_tile put_text subset_sheet write_image',
)

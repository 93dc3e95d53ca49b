"""Contact sheets: pictures in a grid, with captions and a title."""

from pathlib import Path
from typing import Callable, Optional, Sequence, Tuple

import cv2
import numpy as np

from mmpose_sp.utils.atomic import atomic_path
from mmpose_sp.utils.images import as_bgr

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_INK = (40, 40, 40)


def fit_tile(image: np.ndarray, size: Tuple[int, int]) -> np.ndarray:
    """Resize an image to fit into ``size`` = (width, height), keeping its aspect, centred on white."""
    image = as_bgr(image)
    width, height = size
    scale = min(width / image.shape[1], height / image.shape[0])
    inner = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    if inner != image.shape[1::-1]:
        image = cv2.resize(image, inner, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    tile = np.full((height, width, 3), 255, dtype=np.uint8)
    x, y = (width - inner[0]) // 2, (height - inner[1]) // 2
    tile[y : y + inner[1], x : x + inner[0]] = image
    return tile


def put_text(canvas: np.ndarray, text: str, left: int, baseline: int, width: int, height: float) -> None:
    """Write one line into ``canvas`` (changed in place), ``height`` px tall or less so that it fits ``width`` px."""
    scale = height / cv2.getTextSize('X', _FONT, 1, 1)[0][1]
    needed = cv2.getTextSize(text, _FONT, scale, 1)[0][0]
    scale *= min(1, width / max(needed, 1))
    cv2.putText(canvas, text, (left, baseline), _FONT, scale, _INK, 1, cv2.LINE_AA)


def contact_sheet(
    images: Sequence[np.ndarray],
    captions: Optional[Sequence[str]] = None,
    columns: int = 4,
    tile: Tuple[int, int] = (256, 256),
    title: Optional[str] = None,
    gap: int = 8,
) -> np.ndarray:
    """Lay pictures out in a grid.

    Args:
        images: uint8 BGR pictures of any sizes.
        captions: One line under each picture.
        columns: Pictures in a row.
        tile: (width, height) px of each picture.
        title: One line above the grid.
        gap: White margin in px.

    Returns:
        uint8 BGR sheet.

    Raises:
        ValueError: No picture, or as many captions as pictures are not given.
    """
    if not len(images):
        raise ValueError('a contact sheet needs at least one picture')
    if captions is not None and len(captions) != len(images):
        raise ValueError(f'{len(images)} pictures but {len(captions)} captions')
    columns = max(1, min(columns, len(images)))
    rows = -(-len(images) // columns)
    footer = 22 if captions is not None else 0
    canvas, put_tile = _grid(rows, columns, tile, gap, title, footer=footer)
    for index, image in enumerate(images):
        x, y = put_tile(image, *divmod(index, columns))
        if captions is not None:
            put_text(canvas, captions[index], x, y + tile[1] + 16, tile[0], 10)
    return canvas


def _grid(
    rows: int, columns: int, tile: Tuple[int, int], gap: int, title: Optional[str], left: int = 0, footer: int = 0
) -> Tuple[np.ndarray, Callable[[np.ndarray, int, int], Tuple[int, int]]]:
    """A white canvas with a title, and what puts a picture into a place of its grid and says where that begins."""
    width, height = tile
    top = gap + (34 if title else 0)
    canvas = np.full((top + rows * (height + footer + gap), left + gap + columns * (width + gap), 3), 255, np.uint8)
    if title:
        put_text(canvas, title, gap, 26, canvas.shape[1] - 2 * gap, 15)

    def put_tile(image: np.ndarray, row: int, column: int) -> Tuple[int, int]:
        x, y = left + gap + column * (width + gap), top + row * (height + footer + gap)
        canvas[y : y + height, x : x + width] = fit_tile(image, tile)
        return x, y

    return canvas, put_tile


def subset_sheet(
    rows: Sequence[Tuple[str, Sequence[np.ndarray]]],
    tile: Tuple[int, int] = (192, 192),
    label_width: int = 110,
    title: Optional[str] = None,
    gap: int = 6,
) -> np.ndarray:
    """One row of pictures per named group, such as the subsets of WFLW; short rows are padded with white.

    Args:
        rows: (name, uint8 BGR pictures) pairs; groups without a picture are left out.

    Raises:
        ValueError: Every group is empty.
    """
    rows = [(name, list(images)) for name, images in rows if len(images)]
    if not rows:
        raise ValueError('every row is empty: nothing to draw')
    columns = max(len(images) for _, images in rows)
    canvas, put_tile = _grid(len(rows), columns, tile, gap, title, left=label_width)
    for row, (name, images) in enumerate(rows):
        for column, image in enumerate(images):
            _, y = put_tile(image, row, column)
        put_text(canvas, name, gap, y + tile[1] // 2 + 5, label_width - 2 * gap, 11)
    return canvas


def write_image(path: str, image: np.ndarray) -> str:
    """Write a picture, whole or not at all, creating its folder; returns the path.

    Raises:
        OSError: It cannot be written: an unknown suffix, a full disk, no permission.
    """
    try:
        encoded = cv2.imencode(Path(path).suffix, image)[1]
    except cv2.error as error:
        raise OSError(f'{path}: cannot write this picture; use a .png or .jpg name') from error
    with atomic_path(path) as temporary:
        Path(temporary).write_bytes(encoded)
    return str(path)

"""The models that come with mmpose_sp: their configs, their weights, and both as ONNX."""

from pathlib import Path
from typing import Tuple, Union

_WEIGHTS = Path(__file__).resolve().parents[1] / 'weights'

#: By name: <path>.py is the config, <path>.pth the weights, <path>.onnx both in one, <path>.md the card.
PACKAGED = {
    'fast': _WEIGHTS / 'lite-unet_sp_300w-part',
    'accurate': _WEIGHTS / 'effnet-lite0_sp_300w-part',
}
DEFAULT = 'fast'
INT8 = '_int8.onnx'  # end of the file with 8-bit convolutions
#: Least mean confidence of a face that a detector found; those of upright faces are well above it (docs/detectors.md).
MIN_CONFIDENCE = {'fast': 0.65, 'accurate': 0.5}


def packaged_model(name: str = DEFAULT) -> Tuple[Path, Path]:
    """Config and weights of a model that comes with mmpose_sp, 'fast' or 'accurate'.

    Raises:
        ValueError: There is no such model.
        FileNotFoundError: The installation lacks it.
    """
    return _packaged(name, '.py'), _packaged(name, '.pth')


def packaged_onnx(name: str = DEFAULT, int8: bool = False) -> Path:
    """The same model for :class:`mmpose_sp.runtime.Landmarker`.

    Args:
        name: 'fast' or 'accurate'.
        int8: The file without flip test whose convolutions compute with 8-bit integers; of 'fast' alone.

    Raises:
        ValueError: There is no such model.
        FileNotFoundError: The installation lacks it.
    """
    return _packaged(name, INT8 if int8 else '.onnx')


def usual_min_confidence(weights: Union[str, Path, None]) -> float:
    """Of a packaged model by its file; 0 for other weights, whose confidences nobody has looked at."""
    names = {path.name: name for name, path in PACKAGED.items()}
    file = Path(str(weights)).name
    return MIN_CONFIDENCE.get(names.get(Path(file.replace(INT8, '.onnx')).stem, ''), 0.0)


def _packaged(name: str, suffix: str) -> Path:
    if name not in PACKAGED:
        raise ValueError(f'mmpose_sp comes without a model {name!r}; it has: {", ".join(PACKAGED)}')
    file = PACKAGED[name].with_name(PACKAGED[name].name + suffix)
    if suffix == INT8 and name != DEFAULT:
        raise ValueError(f'int8: of the packaged models {DEFAULT!r} alone is there with 8-bit integers, not {name!r}')
    if not file.is_file():
        raise FileNotFoundError(
            f'{file}: this installation of mmpose_sp lacks the model that comes with it; install it again'
        )
    return file

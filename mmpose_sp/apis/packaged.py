"""The model that comes with mmpose_sp: its config, its weights, and both as ONNX."""

from pathlib import Path
from typing import Tuple

#: <name>.py is the config, <name>.pth the weights, <name>.onnx both in one, <name>.md the card.
PACKAGED = Path(__file__).resolve().parents[1] / 'weights' / 'lite-unet_sp_300w-part'


def packaged_model() -> Tuple[Path, Path]:
    """Config and weights of the model that comes with mmpose_sp.

    Raises:
        FileNotFoundError: The installation lacks them.
    """
    return _packaged('.py'), _packaged('.pth')


def packaged_onnx() -> Path:
    """The same model for :class:`mmpose_sp.runtime.Landmarker`.

    Raises:
        FileNotFoundError: The installation lacks it.
    """
    return _packaged('.onnx')


def _packaged(suffix: str) -> Path:
    file = PACKAGED.with_suffix(suffix)
    if not file.is_file():
        raise FileNotFoundError(
            f'{file}: this installation of mmpose_sp lacks the model that comes with it; install it again'
        )
    return file

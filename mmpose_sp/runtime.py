"""Face landmarks with NumPy, OpenCV and onnxruntime alone: no torch, mmcv or mmpose.

>>> from mmpose_sp.runtime import Landmarker
>>> Landmarker.from_packaged()('photo.jpg')[0].faces[0].landmarks.shape  # px of the photo
(68, 2)

``pip install 'mmpose_sp[runtime]'`` installs what it needs. Calls and results are those of
:class:`mmpose_sp.apis.FaceLandmarker`; tools/deployment/export_onnx.py makes its models.
"""

import json
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple, Union

from .utils.requirements import ONNXRUNTIME, version_problem

try:
    import numpy as np

    from .apis.base_landmarker import BaseLandmarker, Detector
    from .apis.crops import cut_out, heatmap_to_image
    from .apis.packaged import DEFAULT, packaged_onnx, usual_min_confidence
    from .apis.results import FaceResult
    from .faces import crop_of_box, crop_to_image, transform_covariances, transform_joint_covariance, transform_points
except ModuleNotFoundError as error:  # of the extra
    raise ModuleNotFoundError(f"{error}. Fix: pip install 'mmpose_sp[runtime]'", name=error.name) from error

__all__ = ['Landmarker', 'open_session']


class _Crop(NamedTuple):
    """A face cut out: uint8 BGR pixels, the middle and size of what they show in image px, and the box (5,)."""

    pixels: np.ndarray
    center: np.ndarray
    scale: np.ndarray
    box: np.ndarray


def open_session(
    model: Union[str, Path], threads: int = 0, providers: Sequence[str] = ('CPUExecutionProvider',)
) -> Any:
    """An exported model as a session of onnxruntime.

    Up to its release 1.25, onnxruntime fuses transpositions with products of float64 and then has no kernel for these.

    Raises:
        ImportError: onnxruntime is not installed.
        ValueError: The file cannot be read; says so where onnxruntime is older than what we test with.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise ImportError(f"{error}. Fix: pip install 'mmpose_sp[runtime]'") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    settings = dict(providers=list(providers), disabled_optimizers=['MatmulTransposeFusion'])
    try:
        return onnxruntime.InferenceSession(str(model), options, **settings)
    except Exception as error:  # of onnxruntime, whose classes have no common base
        reasons = filter(None, (str(error), version_problem(ONNXRUNTIME)))
        raise ValueError(f'{model}: onnxruntime cannot read it: {". ".join(reasons)}') from error


class Landmarker(BaseLandmarker):
    """An exported model with a face detector.

    Flip test, decoding and calibration are those that it was exported with. Its landmarks are those of
    ``FaceLandmarker`` with the same checkpoint within 0.01 px of the crop (a test compares them).

    Args:
        model: File of tools/deployment/export_onnx.py.
        detector, batch_size, min_confidence, refine, rotations: See :class:`mmpose_sp.apis.FaceLandmarker`.
        providers: Of onnxruntime, in the order of preference. Defaults to the CPU.
        joint: ``'off'``, each landmark alone, or what the file was exported with, the default.
        threads: That onnxruntime computes with; 0 for one a core.

    Raises:
        ImportError: onnxruntime is not installed.
        FileNotFoundError: No such model.
        ValueError: The file cannot be read, was made by another program, or has weights that are no numbers.
    """

    def __init__(
        self,
        model: Union[str, Path],
        detector: Union[str, Path, Detector] = 'yunet',
        batch_size: int = 32,
        min_confidence: Optional[float] = None,
        refine: int = 1,
        providers: Sequence[str] = ('CPUExecutionProvider',),
        rotations: Sequence[int] = (0,),
        joint: Optional[str] = None,
        threads: int = 0,
    ) -> None:
        if min_confidence is None:
            min_confidence = usual_min_confidence(model)
        super().__init__(detector, None, batch_size, min_confidence, refine, rotations)
        if not Path(model).is_file():
            raise FileNotFoundError(f'{model}: no such model')
        self._session = open_session(model, threads, providers)
        self._outputs = {output.name for output in self._session.get_outputs()}
        notes = {key: json.loads(value) for key, value in self._session.get_modelmeta().custom_metadata_map.items()}
        try:
            self.input_size: Tuple[int, int] = tuple(notes['input_size'])
            self.heatmap_size: Tuple[int, int] = tuple(notes['heatmap_size'])
            self.grid: str = notes['grid']
            self._padding: float = notes['box_padding']
            self.dataset_name = notes['dataset']
            self.landmark_names: List[str] = notes['landmark_names']
            exported: str = notes['joint']
            tail_weights: Dict[str, float] = notes['tail_weights']
        except KeyError as error:
            raise ValueError(
                f'{model}: says nothing about its {error}; export it by tools/deployment/export_onnx.py of this version'
            ) from error
        self.num_landmarks = len(self.landmark_names)
        found = self._session.run(None, {'crops': np.zeros((1, *self.input_size[::-1], 3), np.uint8)})
        if not all(np.isfinite(values).all() for values in found):
            raise ValueError(
                f'{model}: gives NaN or infinity for a black picture; its weights are damaged, export it again'
            )
        self.joint = exported if joint is None else joint
        self.tail_weight = tail_weights['off' if self.joint == 'off' else 'joined']
        if self.joint not in ('off', exported):
            raise ValueError(
                f"joint={joint!r}: {model} was exported with {exported!r} and can do that or 'off'; export it anew by "
                f'tools/deployment/export_onnx.py OUT.onnx --joint {joint}'
            )

    @classmethod
    def from_packaged(cls, name: str = DEFAULT, int8: bool = False, **kwargs: Any) -> 'Landmarker':
        """A 68-landmark model that comes with mmpose_sp, for research use; see its model card beside the file.

        Args:
            name: 'fast' (128 px) or 'accurate' (256 px).
            int8: Half the time of 'fast', a little less accurate: one pass, with 8-bit integers.
            **kwargs: As of the class, without the model.

        Raises:
            ValueError: There is no such model; says which there are.
        """
        return cls(packaged_onnx(name, int8), **kwargs)

    def _crop(self, image: np.ndarray, box: np.ndarray, name: str) -> _Crop:
        center, scale = crop_of_box(box[:4], self.input_size, self._padding)
        return _Crop(cut_out(image, center, scale, self.input_size), center, scale, box)

    def answers(self, crops: np.ndarray, score_maps: bool = False) -> Dict[str, np.ndarray]:
        """What the graph says of crops (B, H, W, 3), uint8 BGR, in px of these: ``points``, ``confidence`` and
        ``covariance``, ``whole`` and ``quality`` where landmarks are joined, ``scores`` on demand."""
        alone = self.joint == 'off' and 'sites' in self._outputs
        wanted = dict(
            points='sites' if alone else 'landmarks',
            confidence='confidence',
            covariance='site_covariance' if alone else 'covariance',
        )
        if self.joint != 'off':
            wanted.update(whole='joint_covariance', quality='quality')
        if score_maps:
            wanted['scores'] = 'scores'
        return dict(zip(wanted, self._session.run(list(wanted.values()), {'crops': crops})))

    def _find(self, crops: Sequence[_Crop], score_maps: bool) -> List[FaceResult]:
        if not crops:
            return []  # onnxruntime 1.23, the last one for Python 3.10, refuses empty batches
        of_crops = self.answers(np.stack([crop.pixels for crop in crops]), score_maps)
        faces = []
        for crop, *values in zip(crops, *of_crops.values()):
            of_crop = dict(zip(of_crops, values))
            matrix = crop_to_image(crop.center, crop.scale, self.input_size)
            whole, quality = of_crop.get('whole'), of_crop.get('quality')
            faces.append(
                FaceResult(
                    landmarks=transform_points(of_crop['points'], matrix).astype(np.float32),
                    confidence=np.clip(of_crop['confidence'], 0, 1),
                    covariance=transform_covariances(of_crop['covariance'], matrix).astype(np.float32),
                    box=crop.box[:4].astype(np.float32),
                    box_score=float(crop.box[4]),
                    heatmap_to_image=heatmap_to_image(self, crop.center, crop.scale),
                    score_maps=of_crop.get('scores'),
                    joint_covariance=None
                    if whole is None
                    else transform_joint_covariance(whole, matrix).astype(np.float32),
                    quality=None if quality is None else float(quality),
                    tail_weight=self.tail_weight,
                )
            )
        return faces

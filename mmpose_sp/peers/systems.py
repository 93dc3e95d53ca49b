"""Landmark systems side by side: a photograph in, 68 landmarks of each face in it out.

A row more is one class: what is known about the system, how it is made, and ``faces(image)``. Systems of others are
optional: each says which packages it needs, and none is a dependency of mmpose_sp.
"""

import json
import subprocess
import time
from pathlib import Path
from typing import Any, Callable, Dict, List, Tuple, Type

import cv2
import numpy as np

from mmpose_sp.apis.packaged import packaged_onnx
from mmpose_sp.apis.yunet import FILE as YUNET

# Vertices of mediapipe's mesh of 478, each the nearest to a landmark of 300-W on average over every 10th face of the
# training list: `benchmark_peers.py --fit-mesh` finds them.
MESH_68 = (
    127, 227, 177, 215, 172, 136, 149, 148, 152, 377, 378, 365, 397, 435, 401, 447, 356, 70, 63, 105, 66, 55,
    336, 296, 334, 293, 300, 168, 197, 195, 4, 240, 97, 2, 326, 460, 33, 159, 158, 155, 153, 144, 382, 385,
    387, 263, 373, 380, 61, 39, 37, 11, 267, 304, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308, 317, 14,
    87,
)  # fmt: skip


def timed(function: Callable[[Any], Any], thing: Any) -> Tuple[Any, float]:
    """What the function makes of a thing, and the CPU time in ms."""
    start = time.process_time()
    made = function(thing)
    return made, 1e3 * (time.process_time() - start)


class System:
    """What is known about a system.

    Attributes:
        title: Of its row.
        install: How to get it.
        licence: Of the weights.
        trained_on: Of the landmark model.
        files: The weights that it reads, whose sizes are added up.
    """

    title = install = licence = trained_on = ''
    files: Tuple[Path, ...] = ()

    def faces(self, image: np.ndarray) -> List[np.ndarray]:
        """(68, 2) px of each face in a uint8 BGR picture."""
        raise NotImplementedError

    def timed(self, image: np.ndarray) -> Tuple[List[np.ndarray], float]:
        """The faces, and the CPU time in ms."""
        return timed(self.faces, image)

    def close(self) -> None:
        """End what was started."""


class Ours(System):
    """The packaged models by onnxruntime, with YuNet in front of them."""

    install = "`pip install 'mmpose_sp[runtime]'`"
    licence = 'research use (data)'
    trained_on = '1,086 faces of AFW and HELEN train; none of these'
    model, options = '', {}

    def __init__(self) -> None:
        from mmpose_sp.runtime import Landmarker

        self.files = packaged_onnx(self.model), YUNET
        self.landmarker = Landmarker.from_packaged(self.model, threads=1, **self.options)

    def faces(self, image: np.ndarray) -> List[np.ndarray]:
        return [face.landmarks for face in self.landmarker(image)[0].faces]


class Fast(Ours):
    title, model = 'mmpose_sp, fast', 'fast'


class FastOnce(Ours):
    title, model, options = 'mmpose_sp, fast, `refine=0`', 'fast', {'refine': 0}


class Accurate(Ours):
    title, model = 'mmpose_sp, accurate', 'accurate'


class Dlib(System):
    """HOG detector and regression trees."""

    title = 'dlib'
    install = "`pip install dlib-bin face_recognition_models 'setuptools<81'`"
    licence = 'not for commercial use (data)'
    trained_on = '**all of 300-W, by its author; very likely these very faces**'

    def __init__(self) -> None:
        import dlib
        import face_recognition_models

        self.files = (Path(face_recognition_models.pose_predictor_model_location()),)
        self.detector = dlib.get_frontal_face_detector()
        self.predictor = dlib.shape_predictor(str(self.files[0]))

    def faces(self, image: np.ndarray) -> List[np.ndarray]:
        image = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
        shapes = [self.predictor(image, box) for box in self.detector(image, 1)]
        return [np.array([(point.x, point.y) for point in shape.parts()], np.float64) for shape in shapes]


class MediaPipe(System):
    """BlazeFace and the attention mesh, of which 68 vertices are taken."""

    title = 'mediapipe face mesh'
    install = '`pip install mediapipe==0.10.14`'
    licence = 'Apache-2.0'
    trained_on = "Google's own pictures"

    def __init__(self) -> None:
        import mediapipe

        models = Path(mediapipe.__file__).parent / 'modules'
        self.files = (
            models / 'face_landmark' / 'face_landmark_with_attention.tflite',
            models / 'face_detection' / 'face_detection_short_range.tflite',
        )
        self.mesh = mediapipe.solutions.face_mesh.FaceMesh(
            static_image_mode=True, max_num_faces=8, refine_landmarks=True, min_detection_confidence=0.5
        )

    def vertices(self, image: np.ndarray) -> List[np.ndarray]:
        """(478, 2) px of each face."""
        found = self.mesh.process(cv2.cvtColor(image, cv2.COLOR_BGR2RGB)).multi_face_landmarks or []
        size = image.shape[1::-1]
        return [np.array([(p.x, p.y) for p in face.landmark]) * size - 0.5 for face in found]

    def faces(self, image: np.ndarray) -> List[np.ndarray]:
        return [vertices[list(MESH_68)] for vertices in self.vertices(image)]


class FaceApi(System):
    """face-api on TensorFlow.js (WebAssembly), by face_api.js in a process of its own.

    It sees each picture with a border of half its size: of faces that fill a picture its detector finds few.
    """

    title = 'face-api (SSD and 68-point net, by WebAssembly; with a border around the pictures)'
    install = '`npm install @vladmandic/face-api @tensorflow/tfjs @tensorflow/tfjs-backend-wasm`'
    licence = 'MIT'
    trained_on = "about 35,000 of its author's own labels"
    script = Path(__file__).with_name('face_api.js')

    def __init__(self) -> None:
        package = Path('node_modules', '@vladmandic', 'face-api').resolve()
        if not package.is_dir():
            raise ImportError(f'{package} is not there')
        models = package / 'model'
        self.files = models / 'face_landmark_68_model.bin', models / 'ssd_mobilenetv1_model.bin'
        self.process = subprocess.Popen(
            ['node', str(self.script), str(package)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=str(Path.cwd())
        )

    def timed(self, image: np.ndarray) -> Tuple[List[np.ndarray], float]:
        y, x = border = np.array(image.shape[:2]) // 2
        image = cv2.copyMakeBorder(image, y, y, x, x, cv2.BORDER_REPLICATE)
        pixels = cv2.cvtColor(image, cv2.COLOR_BGR2RGB).tobytes()
        self.process.stdin.write(np.array(image.shape[:2], '<u4').tobytes() + pixels)
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        return [np.array(points) - border[::-1] for points in answer['faces']], answer['ms']

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


SYSTEMS: Dict[str, Type[System]] = {
    'fast': Fast,
    'fast-once': FastOnce,
    'accurate': Accurate,
    'dlib': Dlib,
    'mediapipe': MediaPipe,
    'face-api': FaceApi,
}

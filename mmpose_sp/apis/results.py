"""What inference returns: one :class:`ImageResult` per picture with one :class:`FaceResult` per face."""

from dataclasses import dataclass, field, replace
from typing import Any, List, Mapping, Optional, Tuple

import numpy as np

from mmpose_sp.faces import (
    compose,
    ellipse_radius,
    transform_boxes,
    transform_covariances,
    transform_joint_covariance,
    transform_points,
)

from .conditioning import check_corrections, condition


@dataclass
class FaceResult:
    """The landmarks of one face. Coordinates are image px, the centre of the first pixel at (0, 0).

    Attributes:
        landmarks: (K, 2) float32.
        confidence: (K,) float32 in [0, 1], the posterior mass around the peak of the scores.
        covariance: (K, 2, 2) float32 px^2, of the joint posterior, or of each landmark's
            softmax(F / eps) over the pixels of the map where landmarks are not joined; None for models of Gaussian
            heatmaps, which have no posterior.
        box: (4,) float32 x1 y1 x2 y2, the face box that was cropped (last), before the config's padding.
        box_score: Of the detector; 1 for boxes that were given.
        score_maps: (K, h, w) float32 scores F, where they were asked for.
        heatmap_to_image: (2, 3) affine map from heatmap px to image px.
        track: Number of the face in a video that is tracked.
        joint_covariance: (2K, 2K) float32 px^2 of x_1, y_1, x_2, ...; None where landmarks are
            not joined.
        tail_weight: Of :meth:`ellipse_radius`; 0 for a Gaussian.
        quality: In [0, 1], whether this is a face and its landmarks can be trusted: how much of what
            the shape prior leaves open the picture settled, less where no face looks so. None where landmarks are not
            joined.
    """

    landmarks: np.ndarray
    confidence: np.ndarray
    covariance: Optional[np.ndarray]
    box: np.ndarray
    box_score: float
    heatmap_to_image: np.ndarray
    score_maps: Optional[np.ndarray] = None
    track: Optional[int] = None
    joint_covariance: Optional[np.ndarray] = None
    quality: Optional[float] = None
    tail_weight: float = 0.0

    def condition(self, corrections: Mapping[int, Any]) -> 'FaceResult':
        """The face once some landmarks are known: they are put where they belong, and the others follow.

        ``face.condition({8: (210.5, 402.0)})`` corrects the chin, and the jaw comes along. In closed form, see
        :func:`~mmpose_sp.apis.conditioning.condition`, and as often as one likes: a corrected landmark has no variance
        left, so later corrections do not move it.

        Args:
            corrections: Landmark (from 0) -> its place (x, y), image px; also outside of the picture.

        Returns:
            FaceResult: A copy with other ``landmarks``, ``covariance`` and ``joint_covariance``; corrected landmarks
            have the covariance 0 and the confidence 1.

        Raises:
            ValueError: No such landmark, a place that is no place, or landmarks that were not joined.
        """
        if self.joint_covariance is None:
            raise ValueError(
                "the landmarks of this face are not joined (joint='off', or weights without a joint posterior, see "
                'tools/posterior.py): a correction tells nothing about the others'
            )
        indices, places = check_corrections(corrections, len(self.landmarks))
        mean, whole = condition(self.landmarks, self.joint_covariance, indices, places)
        confidence = self.confidence.copy()
        confidence[indices] = 1
        blocks = whole.reshape(len(mean), 2, len(mean), 2)[range(len(mean)), :, range(len(mean))]
        mean, blocks, whole = (value.astype(np.float32) for value in (mean, blocks, whole))
        return replace(self, landmarks=mean, confidence=confidence, covariance=blocks, joint_covariance=whole)

    def ellipse_radius(self, probability: float = 0.95) -> float:
        """Standard deviations (roots of the eigenvalues of a covariance) from a landmark to the ellipse that should
        hold it with this probability, see :func:`mmpose_sp.faces.ellipse_radius`."""
        return float(ellipse_radius(probability, self.tail_weight))

    def __repr__(self) -> str:
        """One line: how many landmarks, how sure, where."""
        box = ', '.join(f'{value:.0f}' for value in self.box)
        track = '' if self.track is None else f', track {self.track}'
        return (
            f'FaceResult({len(self.landmarks)} landmarks, confidence {self.confidence.mean():.2f}, box ({box}){track})'
        )

    def moved(self, matrix: np.ndarray) -> 'FaceResult':
        """The face in px of another picture, into which the (2, 3) map leads; it keeps axes parallel to axes."""
        return replace(
            self,
            landmarks=transform_points(self.landmarks, matrix).astype(np.float32),
            covariance=None
            if self.covariance is None
            else transform_covariances(self.covariance, matrix).astype(np.float32),
            box=transform_boxes(self.box, matrix).astype(np.float32),
            heatmap_to_image=compose(matrix, self.heatmap_to_image),
            joint_covariance=None
            if self.joint_covariance is None
            else transform_joint_covariance(self.joint_covariance, matrix).astype(np.float32),
        )

    @property
    def is_finite(self) -> bool:
        """Whether all that was found are numbers."""
        found = [self.landmarks, self.confidence, *([] if self.covariance is None else [self.covariance])]
        return all(np.isfinite(values).all() for values in found)


@dataclass
class ImageResult:
    """The faces of a picture. No face found is an empty list; what went wrong, such as a bad file, is ``error``.

    Attributes:
        name: Path of the file, 'array <i>' for an array, '<video> #<frame>' for a frame.
        faces: In the order of the boxes that were given; detected ones by score.
        size: (width, height) px, after the EXIF orientation was applied; (0, 0) if it could not be read.
        frame: Index of the frame in a video.
        error: Why there is no result, or which boxes have none.
        image: uint8 BGR picture, where it was asked for (``keep_image``).
    """

    name: str
    faces: List[FaceResult] = field(default_factory=list)
    size: Tuple[int, int] = (0, 0)
    frame: Optional[int] = None
    error: Optional[str] = None
    image: Optional[np.ndarray] = field(default=None, repr=False)

    def to_instances(self) -> List[dict]:
        """The faces as mmpose's ``split_instances`` writes predictions, in plain Python numbers.

        Returns:
            ``keypoints`` (K, 2), ``keypoint_scores`` (K,), ``bbox`` (one box x1 y1 x2 y2 in a list, as
            mmpose has it), ``bbox_score``; ``keypoint_covariances`` (K, 2, 2) px^2, and their ``tail_weight``, see
            :meth:`FaceResult.ellipse_radius`, which mmpose does not have; and ``track_id`` where faces are tracked.
        """
        return [
            {
                'keypoints': face.landmarks.tolist(),
                'keypoint_scores': face.confidence.tolist(),
                'bbox': [face.box.tolist()],
                'bbox_score': float(face.box_score),
                **(
                    {}
                    if face.covariance is None
                    else {'keypoint_covariances': face.covariance.tolist(), 'tail_weight': face.tail_weight}
                ),
                **({} if face.track is None else {'track_id': face.track}),
            }
            for face in self.faces
        ]

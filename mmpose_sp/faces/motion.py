"""The landmarks of one face over time: a Kalman filter whose measurement noise is the covariance of each landmark.

A face moves as a whole, and its parts move little in it. So the state is a pose, the similarity of the face, with the
velocities of its four parameters, and a shape in the frame of the face. The pose of a frame is measured by all
landmarks at once, which leaves little noise, and follows motion without lag; the shape changes slowly, so that most of
the noise of each landmark is filtered out, unless a landmark moves further than noise explains: a mouth opens. What
filters every coordinate by itself can only trade jitter for lag.

Own code rather than a library: filterpy has had no release since 2018, and its filters take one landmark at a time.
Lengths are px of the picture; ``size`` is the unit of the two noises, the root mean square distance of the landmarks
from their centre in the first frame. Time is counted in frames.
"""

from typing import List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

#: How much of a landmark's covariance changes from frame to frame. Most of it says where annotators might put the
#: landmark, which is the same in all frames.
NOISE_SHARE = 1 / 30
#: Variance of the change of a velocity of the pose in a frame, and of the shape in a frame, in units of ``size``.
POSE_NOISE = 1e-7
SHAPE_NOISE = 1e-7
#: A landmark whose squared distance from the prediction is more than this many variances has moved in the face.
MOVED = 6.0
#: Standard deviation of a landmark without a covariance, in units of ``size``.
UNKNOWN = 0.02

_STEP = np.array([[1.0, 1.0], [0.0, 1.0]])
_ACCELERATION = np.array([[0.25, 0.5], [0.5, 1.0]])


class FaceState(NamedTuple):
    """What is known of a face at a frame.

    Attributes:
        pose: (4, 2): x and y of the centre, log scale and angle, the latter two times ``size`` (so all in px), and how
            each changes in a frame.
        pose_covariance: (4, 2, 2) of each of them and its velocity.
        shape: (K, 2) landmarks in the frame of the face, px of the first frame.
        shape_covariance: (K, 2, 2).
        shape_prior: (K, 2, 2), the covariance of the shape before this frame was seen.
        size: px.
    """

    pose: np.ndarray
    pose_covariance: np.ndarray
    shape: np.ndarray
    shape_covariance: np.ndarray
    shape_prior: np.ndarray
    size: float

    @property
    def linear(self) -> np.ndarray:
        """(2, 2) rotation and scale of the pose."""
        scale, angle = np.exp(self.pose[2, 0] / self.size), self.pose[3, 0] / self.size
        return scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])

    @property
    def landmarks(self) -> np.ndarray:
        """(K, 2) in the picture."""
        return self.shape @ self.linear.T + self.pose[:2, 0]


def fit_similarity(points: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """The similarity that takes points (K, 2) to targets (K, 2) with the least weighted square error.

    Returns:
        Linear part (2, 2) and offset (2,) of ``points @ linear.T + offset``. Umeyama's, in the plane, no reflection.
    """
    weights = weights / weights.sum()
    start, end = weights @ points, weights @ targets
    p, q = points - start, targets - end
    a = weights @ (p * q).sum(axis=1)
    b = weights @ (p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0])
    linear = np.array([[a, -b], [b, a]]) / (weights @ (p * p).sum(axis=1))
    return linear, end - linear @ start


def robust_similarity(
    points: np.ndarray, targets: np.ndarray, weights: np.ndarray, rounds: int = 2
) -> Tuple[np.ndarray, np.ndarray]:
    """:func:`fit_similarity` that lets go of what moves in the face: Cauchy weights beyond twice the median error."""
    linear, offset = fit_similarity(points, targets, weights)
    for _ in range(rounds):
        square = ((points @ linear.T + offset - targets) ** 2).sum(axis=1)
        linear, offset = fit_similarity(points, targets, weights / (1 + square / (4 * np.median(square) + 1e-12)))
    return linear, offset


def start(landmarks: np.ndarray, covariances: Optional[np.ndarray] = None) -> FaceState:
    """The state of a face that is seen for the first time.

    Args:
        landmarks: (K, 2), K at least 2, not all at one place.
        covariances: (K, 2, 2) px^2; None where a model has none.

    Raises:
        ValueError: A landmark or a covariance is not finite, or the landmarks have no extent.
    """
    landmarks = _finite(landmarks, 'landmarks', (-1, 2))
    centre = landmarks.mean(axis=0)
    shape = landmarks - centre
    size = float(np.sqrt((shape**2).sum(axis=1).mean()))
    if not size > 0:
        raise ValueError('the landmarks of this face lie on one point')
    noise = _frame_noise(covariances, len(shape), size)
    pose = np.zeros((4, 2))
    pose[:2, 0] = centre
    unknown_velocity = (0.05 * size) ** 2
    pose_covariance = np.tile(np.diag([_pose_variance(noise), unknown_velocity]), (4, 1, 1))
    return FaceState(pose, pose_covariance, shape, noise, noise, size)


def predict(state: FaceState, pose_noise: float = POSE_NOISE, shape_noise: float = SHAPE_NOISE) -> FaceState:
    """The state a frame later, before that frame is seen."""
    unit = state.size**2
    spread = state.shape_covariance + shape_noise * unit * np.eye(2)
    return state._replace(
        pose=state.pose @ _STEP.T,
        pose_covariance=_STEP @ state.pose_covariance @ _STEP.T + pose_noise * unit * _ACCELERATION,
        shape_covariance=spread,
        shape_prior=spread,
    )


def update(state: FaceState, landmarks: np.ndarray, covariances: Optional[np.ndarray] = None) -> FaceState:
    """The predicted state after its frame is seen; arguments and errors as of :func:`start`."""
    landmarks = _finite(landmarks, 'landmarks', state.shape.shape)
    noise = _frame_noise(covariances, len(landmarks), state.size)
    weights = 1 / np.trace(noise, axis1=1, axis2=2)
    linear, offset = robust_similarity(state.shape, landmarks, weights)
    scale = np.hypot(*linear[:, 0])
    if not scale > 0:
        raise ValueError('the landmarks of this face lie on one point')
    turn = np.arctan2(linear[1, 0], linear[0, 0]) - state.pose[3, 0] / state.size
    turn = (turn + np.pi) % (2 * np.pi) - np.pi  # the nearer way round
    seen = np.array([*offset, np.log(scale) * state.size, state.pose[3, 0] + turn * state.size])
    before = state.pose_covariance
    gain = before[:, :, 0] / (before[:, 0, 0] + _pose_variance(noise))[:, None]
    pose = state.pose + gain * (seen - state.pose[:, 0])[:, None]
    pose_covariance = before - gain[:, :, None] * before[:, 0, None, :]

    back = np.linalg.inv(linear)  # the shape is seen through the pose of this very frame
    moved, noise = (landmarks - offset) @ back.T - state.shape, back @ noise @ back.T
    before = state.shape_covariance
    distance = np.einsum('ki,kij,kj->k', moved, np.linalg.inv(before + noise), moved)
    # where the shape itself has changed, it is as uncertain as makes the change no surprise
    before = before + np.maximum(distance / MOVED - 1, 0)[:, None, None] * (before + noise)
    gain = before @ np.linalg.inv(before + noise)
    shape = state.shape + (gain @ moved[:, :, None])[:, :, 0]
    return FaceState(pose, pose_covariance, shape, (np.eye(2) - gain) @ before, before, state.size)


def smooth(filtered: Sequence[FaceState], pose_noise: float = POSE_NOISE) -> List[FaceState]:
    """The states of consecutive frames as later frames see them (Rauch, Tung and Striebel 1965).

    Args:
        filtered: Of :func:`start` and :func:`update`, frame by frame.
        pose_noise: That of :func:`predict`.
    """
    smoothed = [filtered[-1]]
    for now, following in zip(filtered[-2::-1], filtered[:0:-1]):
        later, ahead = smoothed[-1], predict(now, pose_noise)
        gain = now.pose_covariance @ _STEP.T @ np.linalg.inv(ahead.pose_covariance)
        pose = now.pose + (gain @ (later.pose - ahead.pose)[:, :, None])[:, :, 0]
        pose_covariance = _sandwich(now.pose_covariance, gain, later.pose_covariance - ahead.pose_covariance)
        gain = now.shape_covariance @ np.linalg.inv(following.shape_prior)
        shape = now.shape + (gain @ (later.shape - now.shape)[:, :, None])[:, :, 0]
        shape_covariance = _sandwich(now.shape_covariance, gain, later.shape_covariance - following.shape_prior)
        smoothed.append(
            now._replace(pose=pose, pose_covariance=pose_covariance, shape=shape, shape_covariance=shape_covariance)
        )
    return smoothed[::-1]


def _sandwich(covariance: np.ndarray, gain: np.ndarray, change: np.ndarray) -> np.ndarray:
    return covariance + gain @ change @ gain.transpose(0, 2, 1)


def _pose_variance(noise: np.ndarray) -> float:
    """Of a mean of the landmarks that weighs each by its own variance, px^2."""
    return float(1 / (2 / np.trace(noise, axis1=1, axis2=2)).sum())


def _frame_noise(covariances: Optional[np.ndarray], count: int, size: float) -> np.ndarray:
    """(K, 2, 2) px^2 of the noise of one frame."""
    if covariances is None:
        return np.tile(NOISE_SHARE * (UNKNOWN * size) ** 2 * np.eye(2), (count, 1, 1))
    # an ellipse of no width would stop the filter at its landmark
    return NOISE_SHARE * _finite(covariances, 'covariances', (count, 2, 2)) + (1e-4 * size) ** 2 * np.eye(2)


def _finite(values: np.ndarray, name: str, shape: Tuple[int, ...]) -> np.ndarray:
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != len(shape) or any(n not in (-1, m) for n, m in zip(shape, values.shape)) or len(values) < 2:
        wanted = ', '.join('K' if n < 0 else str(n) for n in shape)
        raise ValueError(f'{name} must have the shape ({wanted}), K at least 2, got {values.shape}')
    if not np.isfinite(values).all():
        raise ValueError(f'{name} must be finite')
    return values

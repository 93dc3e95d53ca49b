"""Stacked hourglasses with coordinate channels and anisotropic attention (ADNet, STAR)."""

from typing import Optional, Sequence, Tuple, Union

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from mmpose.registry import MODELS
from torch import Tensor, nn

from mmpose_sp.faces import boundary_sets

#: Coordinates of a pixel are masked where the map that marks the boundary is below this.
BOUNDARY_THRESHOLD = 0.05


def coordinate_channels(height: int, width: int, like: Tensor) -> Tensor:
    """Row and column in [-1, 1] and distance from the centre in [0, 1], each of a pixel.

    Returns:
        (1, 3, height, width) of the dtype and on the device of ``like``.
    """

    def ramp(size: int) -> Tensor:
        steps = torch.arange(size, dtype=like.dtype, device=like.device)
        return steps / (size - 1) * 2 - 1

    rows = ramp(height).view(1, 1, height, 1).expand(1, 1, height, width)
    cols = ramp(width).view(1, 1, 1, width).expand(1, 1, height, width)
    # CUDA's autocast squares in float32, and one channel of float32 would turn a whole concatenation into it
    radius = ((rows.square() + cols.square()).sqrt() / 2**0.5).to(like.dtype)
    return torch.cat([rows, cols, radius], dim=1)


class CoordConv(nn.Module):
    """A convolution that also sees where it is.

    Args:
        in_channels: Channels of the features.
        out_channels: Channels of the result.
        with_boundary: Also append the row and column of the boundary's pixels, 0 elsewhere.
        kwargs: Of :class:`torch.nn.Conv2d`.
    """

    def __init__(self, in_channels: int, out_channels: int, with_boundary: bool = False, **kwargs):
        super().__init__()
        extra = 5 if with_boundary else 3
        self.conv = nn.Conv2d(in_channels + extra, out_channels, **kwargs)

    def forward(self, x: Tensor, boundary: Optional[Tensor] = None) -> Tensor:
        """x (B, C, h, w), boundary (B, 1, h, w) iff ``with_boundary``."""
        coords = coordinate_channels(x.shape[-2], x.shape[-1], x)
        coords = coords.expand(x.shape[0], -1, -1, -1)
        inputs = [x, coords]
        if boundary is not None:
            inputs.append(coords[:, :2] * (boundary > BOUNDARY_THRESHOLD).to(x.dtype))
        return self.conv(torch.cat(inputs, dim=1))


class Bottleneck(nn.Module):
    """Pre-activation residual block: 1x1, 3x3, 1x1 at half the output width.

    The identity is projected only where the width changes.
    """

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__()
        width = out_channels // 2
        self.layers = nn.Sequential(
            nn.BatchNorm2d(in_channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(in_channels, width, 1),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, padding=1),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, out_channels, 1),
        )
        self.shortcut = nn.Identity()
        if in_channels != out_channels:
            self.shortcut = nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, h, w) to (B, out_channels, h, w)."""
        return self.layers(x) + self.shortcut(x)


class Hourglass(nn.Module):
    """``depth`` times down by 2 and up again, with a residual block on each level's bypass.

    The height and width of the input must be multiples of ``2 ** depth``.
    """

    def __init__(self, depth: int, channels: int):
        super().__init__()
        self.bypass = Bottleneck(channels, channels)
        self.down = Bottleneck(channels, channels)
        self.inner = Hourglass(depth - 1, channels) if depth > 1 else Bottleneck(channels, channels)
        self.up = Bottleneck(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, h, w) to the same shape."""
        low = self.up(self.inner(self.down(F.max_pool2d(x, 2))))
        return self.bypass(x) + F.interpolate(low, scale_factor=2.0, mode='nearest')


class EdgeToLandmark(nn.Module):
    """Give each landmark the sum of the maps of the boundary curves that it lies on.

    A landmark on no curve (a pupil) gets 1 everywhere: nothing is known about it.

    Args:
        edges: Landmark indices of each curve.
        num_landmarks: K.
    """

    def __init__(self, edges: Sequence[Sequence[int]], num_landmarks: int):
        super().__init__()
        membership = torch.zeros(num_landmarks, len(edges))
        for edge, indices in enumerate(edges):
            if min(indices) < 0 or max(indices) >= num_landmarks:
                raise ValueError(
                    f'edges[{edge}] names a landmark outside 0..{num_landmarks - 1}: '
                    f'{list(indices)}. Use the curves of the same landmark scheme'
                )
            membership[list(indices), edge] = 1
        # Both follow from the config, so they stay out of checkpoints.
        self.register_buffer('membership', membership[:, :, None, None], persistent=False)
        self.register_buffer('on_no_edge', (membership.sum(1) == 0).float(), persistent=False)

    def forward(self, edges: Tensor) -> Tensor:
        """(B, E, h, w) to (B, K, h, w)."""
        return F.conv2d(edges, self.membership.to(edges.dtype), self.on_no_edge.to(edges.dtype))


def conv1x1(in_channels: int, out_channels: int, std: Optional[float] = None) -> nn.Conv2d:
    """Point-wise convolution; with ``std``, its weights are normal of this deviation and its biases begin at 0."""
    conv = nn.Conv2d(in_channels, out_channels, 1)
    if std is not None:
        nn.init.normal_(conv.weight, std=std)
        nn.init.zeros_(conv.bias)
    return conv


@MODELS.register_module()
class AttentiveHourglass(BaseModule):
    """The stacked hourglass network of ADNet and STAR with anisotropic attention (AAM).

    The stem brings the image to a quarter of its size. Each stack then predicts scores, point maps and edge maps; the
    scores times the attention, (edges of the landmark) * (its point), are the stack's result, and all predictions are
    fed back into the features of the next stack. The defaults are the paper's network: 13.48 M parameters and 17.4 G
    multiply-adds in convolutions at 98 landmarks and 256 x 256.

    Unlike ADNet and STAR the scores are neither normalised nor rectified, for the structured loss needs scores of any
    sign. ``score_norm='instance_relu'`` and ``boundary_coords='last_landmark'`` give the network of their weights.

    Args:
        num_landmarks: K.
        edges: The codec's boundary set by name, e.g. ``'wflw'``, or the landmark indices of each of its E curves, in
            the order of the codec's edge maps. Needed for the attention.
        num_stacks: Number of hourglasses, 4 in the paper.
        channels: Width of the hourglasses, a multiple of 8; the stem has a quarter and half of it.
        depth: Down-samplings in an hourglass. The input size must be a multiple of ``4 * 2 ** depth``.
        with_aam: Predict points and edges and attend to them.
        add_coord: Give coordinate channels to the stem and to each hourglass.
        boundary_coords: The map whose pixels > 0.05 keep their coordinates in two more channels, from the second stack
            on: ``'edges'`` is the largest of the edge maps (without attention there are none and no such channels
            either); ``'last_landmark'`` is the score map of the last landmark, as ADNet and STAR have it; ``'none'``.
        score_norm: ``'none'``, ``'instance'`` or ``'instance_relu'``: instance norm, without or with ReLU.
        in_channels: Channels of the image.
        init_cfg: See :class:`mmengine.model.BaseModule`. By default PyTorch's initialisation, with score predictors of
            deviation 0.001 so that all scores start near 0.

    Raises:
        ValueError: for attention without edges, an edge with landmarks that do not exist, an unknown option, or (when
            called) an input of an unfit size.

    """

    stride = 4

    def __init__(
        self,
        num_landmarks: int = 98,
        edges: Union[None, str, Sequence[Sequence[int]]] = None,
        num_stacks: int = 4,
        channels: int = 256,
        depth: int = 4,
        with_aam: bool = True,
        add_coord: bool = True,
        boundary_coords: str = 'edges',
        score_norm: str = 'none',
        in_channels: int = 3,
        init_cfg: Optional[dict] = None,
    ):
        super().__init__(init_cfg)
        if isinstance(edges, str):
            sets = boundary_sets()
            if edges not in sets:
                raise ValueError(f'edges must be one of {sorted(sets)}, got {edges!r}')
            edges = [boundary.indices for boundary in sets[edges][1]]
        if with_aam and not edges:
            raise ValueError(
                'AttentiveHourglass with attention needs `edges`, the landmark '
                'indices of each boundary curve. Give them or set with_aam=False'
            )
        if channels % 8 != 0:
            raise ValueError(f'channels must be a multiple of 8, got {channels}')
        if boundary_coords not in ('edges', 'last_landmark', 'none'):
            raise ValueError(f"boundary_coords must be 'edges', 'last_landmark' or 'none', got {boundary_coords!r}")
        if score_norm not in ('none', 'instance', 'instance_relu'):
            raise ValueError(f"score_norm must be 'none', 'instance' or 'instance_relu', got {score_norm!r}")
        if not add_coord or (boundary_coords == 'edges' and not with_aam):
            boundary_coords = 'none'
        self.num_landmarks = num_landmarks
        self.num_edges = len(edges) if with_aam else 0
        self.num_stacks = num_stacks
        self.depth = depth
        self.with_aam = with_aam
        self.add_coord = add_coord
        self.boundary_coords = boundary_coords
        self.score_norm = score_norm

        stem_args = {'kernel_size': 7, 'stride': 2, 'padding': 3}
        make_stem = CoordConv if add_coord else nn.Conv2d
        self.stem = nn.Sequential(
            make_stem(in_channels, channels // 4, **stem_args),
            nn.BatchNorm2d(channels // 4),
            nn.ReLU(inplace=True),
            Bottleneck(channels // 4, channels // 2),
            nn.MaxPool2d(2),
            Bottleneck(channels // 2, channels // 2),
            Bottleneck(channels // 2, channels),
        )

        def each(make, count=num_stacks):
            return nn.ModuleList(make(i) for i in range(count))

        if add_coord:
            with_boundary = boundary_coords != 'none'
            self.coord_convs = each(
                lambda i: CoordConv(channels, channels, with_boundary=with_boundary and i > 0, kernel_size=1)
            )
        self.hourglasses = each(lambda i: Hourglass(depth, channels))
        self.features = each(
            lambda i: nn.Sequential(
                Bottleneck(channels, channels),
                conv1x1(channels, channels),
                nn.BatchNorm2d(channels),
                nn.ReLU(inplace=True),
            )
        )
        self.to_scores = each(lambda i: conv1x1(channels, num_landmarks, std=0.001))
        merges = num_stacks - 1
        self.merge_features = each(lambda i: conv1x1(channels, channels), merges)
        self.merge_scores = each(lambda i: conv1x1(num_landmarks, channels), merges)
        if with_aam:
            self.edge_to_landmark = EdgeToLandmark(edges, num_landmarks)
            self.to_points = each(lambda i: conv1x1(channels, num_landmarks))
            self.to_edges = each(lambda i: conv1x1(channels, self.num_edges))
            self.merge_points = each(lambda i: conv1x1(num_landmarks, channels), merges)
            self.merge_edges = each(lambda i: conv1x1(self.num_edges, channels), merges)

    def forward(self, x: Tensor) -> Tuple[Tuple[Tensor, ...], ...]:
        """Predict.

        Args:
            x: Images (B, in_channels, H, W), H and W multiples of ``4 * 2 ** depth``.

        Returns:
            One tuple a stack: scores (B, K, H / 4, W / 4), and with attention also points (B, K, H / 4, W / 4) and
            edges (B, E, H / 4, W / 4), both in (0, 1).
        """
        multiple = self.stride * 2**self.depth
        if x.shape[-2] % multiple or x.shape[-1] % multiple:
            raise ValueError(
                f'AttentiveHourglass of depth {self.depth} needs an input whose height and width '
                f'are multiples of {multiple}, got {tuple(x.shape[-2:])}'
            )
        x = self.stem(x)
        outputs, boundary = [], None
        for i in range(self.num_stacks):
            inputs = self.coord_convs[i](x, boundary) if self.add_coord else x
            feature = self.features[i](self.hourglasses[i](inputs))
            scores = self._normalise(self.to_scores[i](feature))
            points = edges = None
            if self.with_aam:
                points = self.to_points[i](feature).sigmoid()
                edges = self.to_edges[i](feature).sigmoid()
                outputs.append((self.edge_to_landmark(edges) * points * scores, points, edges))
            else:
                outputs.append((scores,))
            if i + 1 < self.num_stacks:
                x = x + self.merge_features[i](feature) + self.merge_scores[i](scores)
                if self.with_aam:
                    x = x + self.merge_points[i](points) + self.merge_edges[i](edges)
                boundary = self._boundary(scores, edges)
        return tuple(outputs)

    def _normalise(self, scores: Tensor) -> Tensor:
        if self.score_norm == 'none':
            return scores
        scores = F.instance_norm(scores)
        return F.relu(scores) if self.score_norm == 'instance_relu' else scores

    def _boundary(self, scores: Tensor, edges: Optional[Tensor]) -> Optional[Tensor]:
        if self.boundary_coords == 'edges':
            return edges.amax(dim=1, keepdim=True)
        if self.boundary_coords == 'last_landmark':
            return scores[:, -1:]
        return None

"""The heads, each with the codec and the loss that mmpose ships for it, as parts of a config.

A contestant is a function of the network that it sits on to its :class:`Objective`. What a head needs beyond the
network (a neck) is the smallest that works, and stands in its docstring's second line.
"""

from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

from . import beyond, parts  # noqa: F401  register the losses and necks that contestants name

Config = Dict[str, Any]
GLOBAL_GRID = 8  # px, side of the maps that a regression head flattens


class Network(NamedTuple):
    """What a head has to know of the network below it.

    Attributes:
        input_size, map_size: (w, h) px of the crop and of the feature map.
        channels: Of the feature map.
        hidden: Channels of the 1 x 1 convolution that every head has before its own layers.
        neck: Config of the network's own neck, if it has one.
        landmarks: K.
        labels: Boundaries and gamma of the benchmark, for our codec.
    """

    input_size: Tuple[int, int]
    map_size: Tuple[int, int]
    channels: int
    hidden: int
    neck: Optional[Config]
    landmarks: int
    labels: Config


class Objective(NamedTuple):
    """What a contestant changes in a config.

    Attributes:
        codec: Makes the targets and decodes.
        head: Without its decoder.
        test_cfg: Flip test.
        neck: In place of the network's.
        use_udp: Whether crops are cut as UDP wants them.
    """

    codec: Config
    head: Config
    test_cfg: Config
    neck: Optional[Config] = None
    use_udp: bool = False


class Contestant(NamedTuple):
    """A row of the table.

    Attributes:
        title: Head and loss, as the table names them.
        objective: See the module.
        needs: The neck that it gets, in words; ``''`` for none.
        variant_of: Another contestant whose learning rate it takes, as an ablation: it gets no trials of its own.
    """

    title: str
    objective: Callable[[Network], Objective]
    needs: str = ''
    variant_of: str = ''


def heatmap_head(net: Network, loss: Config, kind: str = 'HeatmapHead') -> Config:
    """A head of score maps or heatmaps behind one hidden layer."""
    return dict(
        type=kind,
        in_channels=net.channels,
        out_channels=net.landmarks,
        deconv_out_channels=None,
        conv_out_channels=(net.hidden,),
        conv_kernel_sizes=(1,),
        loss=loss,
    )


def sigma(net: Network) -> float:
    """Of Gaussian heatmaps, map px: mmpose's 2 at 64 px."""
    return 2 * net.map_size[0] / 64


def gaussian(codec: str, loss: str, **options: Any) -> Callable[[Network], Objective]:
    """Gaussian heatmaps: mmpose's codec, loss and flip test of its face configs."""
    use_udp = codec == 'UDPHeatmap'

    def objective(net: Network) -> Objective:
        return Objective(
            dict(type=codec, input_size=net.input_size, heatmap_size=net.map_size, sigma=sigma(net), **options),
            heatmap_head(net, dict(type=loss, use_target_weight=True)),
            dict(flip_test=True, flip_mode='heatmap', shift_heatmap=not use_udp),
            use_udp=use_udp,
        )

    return objective


def hidden_neck(net: Network, num_outs: int = 1) -> Config:
    """The hidden layer as a neck, for heads that have none; more outputs are of half the size each."""
    norm = dict(type='BN')
    mapper = dict(type='ChannelMapper', in_channels=[net.channels], kernel_size=1, norm_cfg=norm)
    mapper.update(out_channels=net.hidden, num_outs=num_outs)
    return dict(type='NeckChain', necks=[net.neck, mapper]) if net.neck else mapper


def simcc(head: str, **options: Any) -> Callable[[Network], Objective]:
    """Classification along x and along y, in bins of half an input px."""

    def objective(net: Network) -> Objective:
        width = 5.66 * (net.input_size[0] / 256) ** 0.5  # RTMPose's for faces, and how it goes with the size
        return Objective(
            dict(
                type='SimCCLabel',
                input_size=net.input_size,
                sigma=(width, width),
                simcc_split_ratio=2.0,
                normalize=head == 'SimCCHead',
                use_dark=False,
            ),
            dict(
                type=head,
                in_channels=net.hidden,
                out_channels=net.landmarks,
                input_size=net.input_size,
                in_featuremap_size=net.map_size,
                simcc_split_ratio=2.0,
                **options,
            ),
            dict(flip_test=True),
            hidden_neck(net),
        )

    return objective


def integral(head: str, loss: Config, **codec: Any) -> Callable[[Network], Objective]:
    """Soft-argmax of heatmaps, trained by the coordinates."""

    def objective(net: Network) -> Objective:
        sizes = dict(input_size=net.input_size, heatmap_size=net.map_size)
        return Objective(
            dict(type='IntegralRegressionLabel', sigma=sigma(net), **sizes, **codec),
            dict(
                type=head,
                in_channels=net.hidden,
                in_featuremap_size=net.map_size,
                num_joints=net.landmarks,
                deconv_out_channels=None,
                loss=loss,
            ),
            dict(flip_test=True, shift_coords=True, shift_heatmap=True),
            hidden_neck(net),
        )

    return objective


def regression(head: str, loss: str) -> Callable[[Network], Objective]:
    """Coordinates from one linear layer over the flattened map."""

    def objective(net: Network) -> Objective:
        halvings = (net.map_size[0] // GLOBAL_GRID).bit_length() - 1
        return Objective(
            dict(type='RegressionLabel', input_size=net.input_size),
            dict(
                type=head,
                in_channels=net.hidden * GLOBAL_GRID**2,
                num_joints=net.landmarks,
                loss=dict(type=loss, use_target_weight=True),
            ),
            dict(flip_test=True, shift_coords=True),
            hidden_neck(net, num_outs=1 + halvings),
        )

    return objective


def ours(loss: Config, **codec: Any) -> Callable[[Network], Objective]:
    """Score maps read by our codec."""

    def objective(net: Network) -> Objective:
        sizes = dict(input_size=net.input_size, heatmap_size=net.map_size)
        labels = dict(type='ImageAwareLabelSmoothing', subpixel='local_expectation', **sizes, **net.labels)
        head = heatmap_head(net, loss, 'StructuredPredictionHead')
        return Objective(dict(labels, **codec), head, dict(flip_test=True))

    return objective


def joint(net: Network) -> Objective:
    """Ours, trained through the joint posterior too."""
    loss = dict(type='JointGaussianLoss', num_landmarks=net.landmarks, joint_weight=0.1)
    return ours(loss)(net)


WEIGHTED = dict(use_target_weight=True)
SP = 'StructuredPredictionLoss'
SOFTARGMAX = dict(smoothing='none', subpixel='expectation')  # read as trained, on the labels as annotated
GLOBAL = f'1 x 1 convolution, then stride 2 down to {GLOBAL_GRID} x {GLOBAL_GRID}'
HIDDEN = '1 x 1 convolution'
OURS = 'sp'
CONTESTANTS: Dict[str, Contestant] = {
    OURS: Contestant('Ours, Eq. 11-13', ours(dict(type=SP))),
    'sp-nosmooth': Contestant('Ours, no smoothing', ours(dict(type=SP, num_samples=0), smoothing='none'), '', OURS),
    'sp-isotropic': Contestant('Ours, isotropic smoothing', ours(dict(type=SP), smoothing='isotropic'), '', OURS),
    'sp-nomargin': Contestant('Ours, no margin', ours(dict(type=SP, margin='none')), '', OURS),
    'sp-risk': Contestant('Ours, + expected error', ours(dict(type='ExpectedErrorLoss', risk_weight=10.0)), '', OURS),
    'sp-joint': Contestant('Ours, + joint log loss', joint, '', OURS),
    'sp-pyramid': Contestant('Ours, three scales', ours(dict(type='PyramidLoss', levels=3)), '', OURS),
    'sp-anneal': Contestant(
        'Ours, eps from 1 to 0.1', ours(dict(type='AnnealedLoss', first=1.0, eps=0.1), eps=0.1), '', OURS
    ),
    'softargmax': Contestant(
        'Soft-argmax + l2', ours(dict(type='SoftArgmaxLoss', kind='l2', loss_weight=25.0), **SOFTARGMAX)
    ),
    'star': Contestant('STAR', ours(dict(type='STARLoss'), **SOFTARGMAX)),
    'msra': Contestant('HeatmapHead, MSRA', gaussian('MSRAHeatmap', 'KeypointMSELoss')),
    'dark': Contestant('HeatmapHead, DARK', gaussian('MSRAHeatmap', 'KeypointMSELoss', unbiased=True)),
    'udp': Contestant('HeatmapHead, UDP', gaussian('UDPHeatmap', 'KeypointMSELoss')),
    'awing': Contestant('HeatmapHead, AdaptiveWing', gaussian('MSRAHeatmap', 'AdaptiveWingLoss')),
    'simcc': Contestant(
        'SimCCHead',
        simcc('SimCCHead', deconv_out_channels=None, loss=dict(type='KLDiscretLoss', **WEIGHTED)),
        HIDDEN,
    ),
    'rtmcc': Contestant(
        'RTMCCHead',
        simcc(
            'RTMCCHead',
            final_layer_kernel_size=7,
            gau_cfg=dict(
                hidden_dims=256,
                s=128,
                expansion_factor=2,
                dropout_rate=0.0,
                drop_path=0.0,
                act_fn='SiLU',
                use_rel_bias=False,
                pos_enc=False,
            ),
            loss=dict(type='KLDiscretLoss', use_target_weight=True, beta=10.0, label_softmax=True),
        ),
        HIDDEN,
    ),
    'ipr': Contestant(
        'IntegralRegressionHead',
        integral('IntegralRegressionHead', dict(type='L1Loss', **WEIGHTED), normalize=False),
        HIDDEN,
    ),
    'dsnt': Contestant(
        'DSNTHead, guarded',
        integral(
            'DSNTHead',
            dict(
                type='MultipleLossWrapper',
                losses=[dict(type='SmoothL1Loss', **WEIGHTED), dict(type='GuardedJSDiscretLoss', **WEIGHTED)],
            ),
        ),
        HIDDEN,
    ),
    'regression': Contestant('RegressionHead, smooth l1', regression('RegressionHead', 'SmoothL1Loss'), GLOBAL),
    'wing': Contestant('RegressionHead, Wing', regression('RegressionHead', 'WingLoss'), GLOBAL),
    'softwing': Contestant('RegressionHead, SoftWing', regression('RegressionHead', 'SoftWingLoss'), GLOBAL),
    'rle': Contestant('RLEHead', regression('RLEHead', 'RLELoss'), GLOBAL),
}


def find(names: List[str]) -> Dict[str, Contestant]:
    """Contestants by name, in the order of the table.

    Raises:
        ValueError: An unknown name; lists those that exist.
    """
    unknown = sorted(set(names) - set(CONTESTANTS))
    if unknown:
        raise ValueError(f'no contestant {", ".join(unknown)}; there are {", ".join(CONTESTANTS)}')
    return {name: contestant for name, contestant in CONTESTANTS.items() if name in names}

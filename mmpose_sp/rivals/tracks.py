"""Where contestants meet: network, crops, budget; and the config of one training."""

from typing import Any, Dict, NamedTuple, Optional, Sequence

from mmengine.config import Config

from .contestants import Contestant, Network

DATA = ('300w_part', 'wflw', 'cofw', '300w')


class Track(NamedTuple):
    """What all contestants of a track share.

    Attributes:
        model: Of ``configs/_base_/models``.
        side: Of the crop, px; maps have a quarter of it.
        epochs: Of a training that is tested.
        trial_epochs: Of one that chooses a learning rate.
        val_interval: Epochs between two points of the curve.
        batch: Faces a step.
        rates: Learning rates that everybody tries.
        optimizer: What the schedule of ``lite-100e.py`` does not have.
        estimator: That puts the network together.
    """

    model: str
    side: int
    epochs: int
    trial_epochs: int
    val_interval: int = 2
    batch: int = 16
    rates: Sequence[float] = (4e-3, 8e-3, 16e-3)
    optimizer: Dict[str, Any] = {}
    estimator: str = 'TopdownPoseEstimator'


PRETRAINED = dict(paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.25))))
TRACKS = {
    'cpu': Track('lite-unet', 128, epochs=20, trial_epochs=6),
    'cpu-256': Track(
        'effnet-lite0',
        256,
        epochs=12,
        trial_epochs=4,
        optimizer=dict(type='CPUAutocastOptimWrapper', **PRETRAINED),
        estimator='Float32HeadEstimator',
    ),
    'gpu': Track('hrnetv2-w18', 256, epochs=60, trial_epochs=12, val_interval=4, batch=64, rates=(2e-3, 4e-3, 8e-3)),
}


class Run(NamedTuple):
    """One training: of whom, how fast, how long, from which seed."""

    contestant: str
    rate: float
    epochs: int
    seed: int

    @property
    def name(self) -> str:
        """A folder's."""
        return f'{self.contestant}_lr{self.rate:g}_e{self.epochs}_s{self.seed}'


def base_config(track: Track, data: str) -> Config:
    """Data, network and schedule of a track.

    Raises:
        ValueError: Unknown data; lists what there is.
    """
    if data not in DATA:
        raise ValueError(f'--data {data}: there are {", ".join(DATA)}')
    parts = ['face_data/' + data, 'models/' + track.model, 'schedules/lite-100e']
    return Config.fromstring(f'_base_ = {[f"mmpose_sp::_base_/{part}.py" for part in parts]}', '.py')


def network_of(track: Track, config: Config) -> Network:
    """What the contestants have to know of the network of a track's :func:`base_config`."""
    model, size = config.model, (track.side, track.side)
    return Network(
        input_size=size,
        map_size=(track.side // 4, track.side // 4),
        channels=model.head.in_channels,
        hidden=model.head.conv_out_channels[0],
        neck=model.get('neck'),
        landmarks=config.num_landmarks,
        labels=config.labels.to_dict(),
    )


def training_config(
    track: Track,
    data: str,
    contestant: Contestant,
    run: Run,
    workers: int = 2,
    options: Optional[Dict[str, Any]] = None,
) -> Config:
    """The config of one training, whole: the stock tools train and test it.

    Args:
        track, data: Of the comparison.
        contestant: Whose head.
        run: Learning rate, epochs and seed.
        workers: Processes that load faces, 0 for none.
        options: As by ``--cfg-options``, last.
    """
    config = base_config(track, data)
    objective = contestant.objective(network_of(track, config))
    head = dict(objective.head, decoder=objective.codec)
    model = dict(config.model, type=track.estimator, head=head, test_cfg=objective.test_cfg)
    if objective.neck:
        model['neck'] = objective.neck
    config.model, config.codec = model, objective.codec
    suffix = '_128' if track.side == 128 else ''
    loaders = (('train', 'train'), ('val', 'val'), ('test', 'val'))
    for name, pipeline in loaders:
        loader = config[f'{name}_dataloader']
        steps = [step.to_dict() for step in config[f'{pipeline}_pipeline{suffix}']]
        for step in steps:
            if objective.use_udp and step['type'] == 'TopdownAffine':
                step['use_udp'] = True
        loader.dataset.pipeline = steps
        loader.num_workers, loader.persistent_workers = workers, workers > 0
    config.train_dataloader.batch_size = track.batch
    config.train_dataloader.dataset.codec = objective.codec
    interval = min(track.val_interval, run.epochs)
    config.train_cfg.max_epochs, config.train_cfg.val_interval = run.epochs, interval
    cosine = config.param_scheduler[1]
    cosine.end = cosine.T_max = run.epochs
    config.optim_wrapper.optimizer.lr = run.rate
    config.merge_from_dict(
        dict(
            optim_wrapper=track.optimizer,
            randomness=dict(seed=run.seed),
            custom_imports=dict(imports=['mmpose_sp', 'mmpose_sp.rivals.parts', 'mmpose_sp.rivals.beyond']),
            default_hooks=dict(checkpoint=dict(interval=interval, save_best='NME', rule='less', max_keep_ckpts=1)),
        )
    )
    config.merge_from_dict(options or {})
    return config

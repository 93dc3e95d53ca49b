"""One metric for the face alignment benchmarks: NME, FR and AUC of the full set and subsets."""

import json
import warnings
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger
from mmpose.registry import METRICS

from mmpose_sp.faces import BOX_DIAGONAL, SCHEMES, FaceScheme, subset_flags
from mmpose_sp.utils.atomic import write_text

from .scores import ced_auc, failure_rate, landmark_box_diagonal, landmark_distance, per_face_nme
from .table import score_table


@METRICS.register_module()
class FaceAlignmentMetric(BaseMetric):
    """NME (%), failure rate (%) and CED-AUC ([0, 1]) of facial landmarks, for the full set and all its subsets.

    Keys: ``NME``, ``FR``, ``AUC`` for the full set and ``<subset>/NME``, ... for each subset, so that
    ``default_hooks.checkpoint = dict(save_best='NME', rule='less')`` works (``'<prefix>/NME'`` with a prefix).

    Subsets come with the annotations (``raw_ann_info``, which :class:`SPWFLWDataset` and its siblings keep): every flag
    of ``attributes`` (WFLW) and every value of ``subset`` (300-W) is one; a subset without a face is left out with a
    warning. Annotations without them (any stock mmpose dataset) give the full set alone.

    Landmarks that are annotated (``keypoints_visible`` > 0) count, occluded ones too, as in the benchmarks; a landmark
    without annotation does not. Faces are never dropped: a face that cannot be scored is an error that names its image.

    Args:
        norm: Normalising distance: ``'inter_ocular'``, ``'inter_pupil'`` (300-W: mean of 6 + 6 points), another name
            that the scheme of the dataset gives, or ``'box_diagonal'`` (tight box of the annotated landmarks). None
            takes the protocol of the benchmark (WFLW outer eye corners [60, 72], 300-W outer eye corners [36, 45], COFW
            pupils [16, 17]).
        threshold: Percent, of FR and AUC. None takes the protocol: 10 for WFLW and COFW, 5 for 300-W.
        errors_file: ``.json`` file for the error of each face (image, face id, error in percent, its subsets),
            overwritten by each evaluation. It appears complete or not at all.
        ced_file: ``.png``, ``.pdf`` or ``.svg`` file for the CED plot.
        collect_device, prefix, collect_dir: See :class:`mmengine.evaluator.BaseMetric`.
    """

    def __init__(
        self,
        norm: Optional[str] = None,
        threshold: Optional[float] = None,
        errors_file: Optional[str] = None,
        ced_file: Optional[str] = None,
        collect_device: str = 'cpu',
        prefix: Optional[str] = None,
        collect_dir: Optional[str] = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix, collect_dir=collect_dir)
        norms = (*dict.fromkeys(name for scheme in SCHEMES.values() for name in scheme.normalisers), BOX_DIAGONAL)
        if norm is not None and norm not in norms:
            raise ValueError(f'norm must be None or one of {norms}, got {norm!r}')
        self.norm = norm
        if threshold is not None and not threshold > 0:
            raise ValueError(f'threshold must be a positive number of percent, got {threshold}')
        self.threshold = threshold
        if errors_file is not None and not errors_file.lower().endswith('.json'):
            raise ValueError(f'errors_file must end in .json, got {errors_file!r}')
        self.errors_file = errors_file
        if ced_file is not None:
            from .ced import check_ced_path

            check_ced_path(ced_file)
        self.ced_file = ced_file

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Score each face of a batch; numbers and names are all that processes have to exchange."""
        for sample in data_samples:
            if 'pred_instances' not in sample:
                raise ValueError(f'{_face_name(sample)}: the model returned no pred_instances')
            gt_instances = sample['gt_instances']
            pred = _numpy(sample['pred_instances']['keypoints'])
            gt = _numpy(gt_instances['keypoints'])
            if len(gt) != 1 or pred.shape != gt.shape:
                raise ValueError(
                    f'{_face_name(sample)}: predicted landmarks have shape {pred.shape}, annotated '
                    f'ones {gt.shape}; expected (1, K, 2) for both: top-down, one face each, and a '
                    'model of this dataset'
                )
            visible = np.ones(gt.shape[:2], dtype=bool)
            if 'keypoints_visible' in gt_instances:
                visible = _numpy(gt_instances['keypoints_visible']) > 0
                # some codecs append a weight to the visibility of each landmark
                visible = visible[..., 0] if visible.ndim == 3 else visible
            norm = self._normaliser(gt, visible, sample)
            try:
                nme = per_face_nme(pred, gt, norm, visible)[0]
            except ValueError as e:
                raise ValueError(f'{_face_name(sample)}: {e}') from e
            subsets = subset_flags(sample.get('raw_ann_info'))
            path, identity = str(sample.get('img_path', '')), _plain(sample.get('id'))
            self.results.append(dict(img_path=path, id=identity, nme=float(nme), subsets=subsets))

    def compute_metrics(self, results: List[dict]) -> Dict[str, float]:
        """Average over the full set and each subset, and write the files that were asked for.

        The evaluator calls it on the main process alone, with the faces of all processes and without padding.
        """
        if not results:
            raise ValueError(f'{type(self).__name__} got no face: is the test set empty?')
        threshold = self._threshold()
        nme = np.array([face['nme'] for face in results])
        flags = self._subset_masks(results)
        metrics = _scores(nme, threshold)
        for name, mask in flags.items():
            metrics.update({f'{name}/{key}': value for key, value in _scores(nme[mask], threshold).items()})

        logger = MMLogger.get_current_instance()
        if flags:  # mmengine logs all of them on one line, which nobody reads
            counts = {'full': len(nme), **{name: int(mask.sum()) for name, mask in flags.items()}}
            title = f'{self._norm_name()}, FR and AUC at {threshold:g}%'
            logger.info(f'\n{score_table(metrics, counts, title)}')
        if self.errors_file is not None:
            self._write_errors(results, flags, metrics, threshold)
            logger.info(f'errors of {len(results)} faces: {self.errors_file}')
        if self.ced_file is not None:
            # matplotlib is imported only where it is asked for
            from .ced import plot_ced

            curves = {'full': nme, **{name: nme[mask] for name, mask in flags.items()}}
            plot_ced(curves, threshold, self.ced_file, norm_name=self._norm_name())
            logger.info(f'CED plot: {self.ced_file}')
        return metrics

    def _protocol(self, option: str) -> FaceScheme:
        name = (self.dataset_meta or {}).get('dataset_name')
        if name not in SCHEMES:
            raise ValueError(
                f'dataset {name!r} has no published protocol here ({", ".join(SCHEMES)} have): '
                f'pass {option}=... to {type(self).__name__}'
            )
        return SCHEMES[name]

    def _threshold(self) -> float:
        return float(self._protocol('threshold').threshold if self.threshold is None else self.threshold)

    def _norm_type(self) -> str:
        return self._protocol('norm').norm if self.norm is None else self.norm

    def _norm_name(self) -> str:
        return self._norm_type().replace('_', '-')

    def _groups(self) -> Optional[Tuple[Sequence[int], Sequence[int]]]:
        """Landmark groups of the normaliser; None for the box diagonal."""
        kind = self._norm_type()
        if kind == BOX_DIAGONAL:
            return None
        normalisers = self._protocol('norm').normalisers
        if kind not in normalisers:
            raise ValueError(
                f'dataset {self.dataset_meta["dataset_name"]!r} has no normaliser {kind!r}, but '
                f'{", ".join([*normalisers, BOX_DIAGONAL])}: pass another norm=... to {type(self).__name__}'
            )
        return normalisers[kind]

    def _normaliser(self, gt: np.ndarray, visible: np.ndarray, sample: dict) -> np.ndarray:
        groups = self._groups()
        if groups is None:
            return landmark_box_diagonal(gt, visible)
        try:
            norm = landmark_distance(gt, *groups)
        except ValueError as e:
            raise ValueError(f'{_face_name(sample)}: normaliser {self._norm_name()}: {e}') from e
        hidden = [int(i) for group in groups for i in group if not visible[0, i]]
        if hidden:
            raise ValueError(
                f'{_face_name(sample)}: landmarks {hidden} of the normaliser are not annotated '
                '(visibility 0); annotate them, leave the face out of the annotation file, or '
                'pick another norm'
            )
        return norm

    def _subset_masks(self, results: List[dict]) -> Dict[str, np.ndarray]:
        """Subset name -> (N,) bool, in the order of the papers; empty subsets are left out."""
        found = dict.fromkeys(name for face in results for name in face['subsets'])
        dataset_name = (self.dataset_meta or {}).get('dataset_name')
        published = SCHEMES[dataset_name].subsets if dataset_name in SCHEMES and found else ()
        wanted = dict.fromkeys([*published, *found])
        masks = {name: np.array([bool(face['subsets'].get(name, 0)) for face in results]) for name in wanted}
        empty = [name for name, mask in masks.items() if not mask.any()]
        if empty:
            warnings.warn(
                f'none of the {len(results)} faces belongs to: {", ".join(empty)}; left out of the scores',
                stacklevel=2,
            )
        return {name: mask for name, mask in masks.items() if mask.any()}

    def _write_errors(
        self, results: List[dict], flags: Dict[str, np.ndarray], metrics: Dict[str, float], threshold: float
    ) -> None:
        faces = [
            dict(face, subsets=[name for name, mask in flags.items() if mask[i]]) for i, face in enumerate(results)
        ]
        dataset = (self.dataset_meta or {}).get('dataset_name')
        about = dict(dataset=dataset, norm=self._norm_name(), threshold=threshold, metrics=metrics)
        write_text(self.errors_file, json.dumps(dict(about, faces=faces), indent=1))


def _scores(nme: np.ndarray, threshold: float) -> Dict[str, float]:
    return {'NME': float(nme.mean()), 'FR': failure_rate(nme, threshold), 'AUC': ced_auc(nme, threshold)}


def _face_name(sample: dict) -> str:
    return f'image {sample.get("img_path", "?")} (face id {_plain(sample.get("id"))})'


def _numpy(values: Any) -> np.ndarray:
    return values.detach().cpu().numpy() if hasattr(values, 'detach') else np.asarray(values)


def _plain(value: Any) -> Any:
    """A NumPy scalar or 0-d / one-element array as the Python number that JSON can hold."""
    return value.item() if hasattr(value, 'item') else value

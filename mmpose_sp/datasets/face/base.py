"""What the face datasets share on top of mmpose's: validation, extras, the choice of face box."""

import warnings
from typing import Any, List, Optional, Sequence, Tuple

import numpy as np
from mmengine.dataset import force_full_init
from mmengine.fileio import get_local_path
from mmpose.structures.bbox import bbox_xyxy2cs

from mmpose_sp.faces import read_crop_list, square_around

from . import validation

BOXES = ('landmarks', 'center_scale', 'bbox', 'rect')
_UNREADABLE = 'the image is missing or cannot be decoded: unpack it again, or leave the face out of the annotation file'


def with_codec(pipeline: Sequence, codec: Optional[dict]) -> List:
    """The pipeline with ``codec`` as the encoder of every ``GenerateTarget`` that names none itself.

    So a config states its codec once for the data, and the pipelines of all configs are one.

    Raises:
        ValueError: A ``GenerateTarget`` has no encoder and there is no codec.
    """
    steps = []
    for step in pipeline:
        if isinstance(step, dict) and step.get('type') == 'GenerateTarget' and 'encoder' not in step:
            if codec is None:
                raise ValueError(
                    "GenerateTarget of the pipeline has no encoder: give the dataset the model's, codec=dict(type=...)"
                )
            step = dict(step, encoder=codec)
        steps.append(step)
    return steps


class ValidatedFaceDataset:
    """Mixin in front of a COCO-style face dataset of mmpose.

    Adds to the samples:

    - ``raw_ann_info``: a copy of the annotation, so that attribute flags and subset names reach the
      metric through ``PackPoseInputs`` (its default ``meta_keys`` carry it);
    - ``bbox`` (1, 4) x1 y1 x2 y2, ``bbox_center`` (1, 2) and ``bbox_scale`` (1, 2), all image px,
      unpadded, of one and the same box.

    And checks the data while it loads, before anything is trained (see :mod:`.validation`): a file,
    a face or an image that cannot be right is an error that names it and the fix; what may be
    intended is counted in a warning. A face that fails later, in the pipeline, is an error that
    names its image; it is never replaced by another one.

    Args:
        box: Face box that is cropped: ``'landmarks'``, the tight box of the annotated landmarks;
            ``'center_scale'``, the square of side 200 ``scale`` about ``center``, both of the annotation: their longer
            side, rounded outward to whole pixels, as ADNet and STAR crop; the path of one of ADNet's lists (``.tsv``,
            see :func:`mmpose_sp.faces.read_crop_list`), the crops of that list; ``'bbox'``, the annotation's ``bbox``;
            ``'rect'``, its official ``rect`` (x1 y1 x2 y2) where the benchmark publishes one.
        check_images: Look at all image files while loading (only damaged ones are decoded), and
            compare the size of each loaded image with the annotation file. Switch it off on slow
            remote disks.
        codec: Config of the codec that ``GenerateTarget`` encodes with, see :func:`with_codec`.
        pipeline: Transforms or their configs.
        **kwargs: see :class:`mmpose.datasets.BaseCocoStyleDataset`.
    """

    def __init__(
        self,
        *args,
        box: str = 'landmarks',
        check_images: bool = True,
        codec: Optional[dict] = None,
        pipeline: Sequence = (),
        **kwargs,
    ) -> None:
        self.crops = read_crop_list(box) if box.endswith('.tsv') else None
        if not self.crops and box not in BOXES:
            raise ValueError(f'box must be one of {BOXES} or a list of crops (.tsv), got {box!r}')
        self.box = box
        self.check_images = check_images
        super().__init__(*args, pipeline=with_codec(pipeline, codec), **kwargs)

    def load_data_list(self) -> List[dict]:
        """Load and check all faces; see :class:`mmpose.datasets.BaseCocoStyleDataset`."""
        data_list = super().load_data_list()
        if self.check_images:
            validation.check_images(self.ann_file, (info['img_path'] for info in data_list))
        return data_list

    def _load_annotations(self) -> Tuple[List[dict], List[dict]]:
        # read once more than mmpose does: its reader fails on bad files without their name, or
        # drops faces silently
        num_keypoints = self.metainfo['num_keypoints']
        if '://' in self.ann_file:
            with get_local_path(self.ann_file) as path:
                dataset = validation.read_annotations(path)
        else:
            dataset = validation.read_annotations(self.ann_file)
        validation.check_tables(self.ann_file, dataset, num_keypoints)
        for finding in validation.check_faces(self.ann_file, dataset, num_keypoints):
            warnings.warn(f'{self.ann_file}: {finding}', stacklevel=2)
        return super()._load_annotations()

    def parse_data_info(self, raw_data_info: dict) -> dict:
        """Parse one annotation; see the class for what is added to mmpose's result."""
        ann, image = raw_data_info['raw_ann_info'], raw_data_info['raw_img_info']
        points = np.array(ann['keypoints'], dtype=np.float64).reshape(-1, 3)
        box = self._face_box(ann, image, points)
        center, scale = bbox_xyxy2cs(box[None])
        # square, as the benchmarks' crops are: the random shift of RandomBBoxTransform is then the same in x and y
        scale = np.repeat(scale.max(axis=1, keepdims=True), 2, axis=1)
        # mmpose's parsers of WFLW and 300-W insist on these, and on a box of their own, which is
        # replaced below
        filled = dict(
            ann,
            center=center[0].tolist(),
            scale=float(scale.max()) / 200.0,
            iscrowd=ann.get('iscrowd', 0),
            category_id=ann.get('category_id', 1),
            num_keypoints=int((points[:, 2] > 0).sum()),
        )
        info = super().parse_data_info({'raw_ann_info': filled, 'raw_img_info': image})
        info.update(
            bbox=box[None],
            bbox_center=center,
            bbox_scale=scale,
            category_id=np.array(filled['category_id']),
            raw_ann_info=ann,
        )
        if 'width' in image and 'height' in image:
            info['img_shape'] = (image['height'], image['width'])
        return info

    @force_full_init
    def prepare_data(self, idx: int) -> Any:
        """Run the pipeline on a face; see :class:`mmpose.datasets.BaseCocoStyleDataset`.

        Raises:
            RuntimeError: naming the image and the annotation, where the image cannot be decoded or
                is not of the size that the annotation file states, or where a transform fails.
        """
        info = self.get_data_info(idx)
        info['dataset'] = self  # as mmpose does, for transforms that mix images
        name = f'{info["img_path"]} (annotation {info["id"]} of {self.ann_file})'
        stated = info.get('img_shape')  # a transform that loads the image replaces it
        try:
            data = self.pipeline(info)
        except Exception as e:
            readable = 'img' in info or validation.decodable(info['img_path'])
            raise RuntimeError(f'{name}: {e if readable else _UNREADABLE}') from e
        # mmengine draws another face in place of None: right for a transform that rejects, not for
        # a broken image
        if data is None and 'img' not in info and not validation.decodable(info['img_path']):
            raise RuntimeError(f'{name}: {_UNREADABLE}')
        loaded = info.get('ori_shape')
        if self.check_images and stated and loaded and tuple(stated) != tuple(loaded[:2]):
            raise RuntimeError(
                f'{name}: the image has {loaded[1]} x {loaded[0]} px, the annotation file says '
                f'{stated[1]} x {stated[0]}: was it resized, cropped or rotated? Unpack the '
                'original, convert again, or pass check_images=False if only the stated size is '
                'wrong'
            )
        return data

    def _face_box(self, ann: dict, image: dict, points: np.ndarray) -> np.ndarray:
        """(4,) float32 x1, y1, x2, y2."""
        where = validation.face_name(self.ann_file, ann, image)
        visible = points[:, 2] > 0
        if self.crops:
            box = self.crops.box_of(points[:, :2], visible)
            if box is None:
                raise ValueError(f'{where} has no crop in {self.box}: give the list of this set, or use another box')
        elif self.box == 'landmarks':
            box = np.concatenate([points[visible, :2].min(axis=0), points[visible, :2].max(axis=0)])
        elif self.box == 'center_scale' and ann.get('center') and ann.get('scale'):
            box = square_around(*ann['center'], ann['scale'])
        elif ann.get(self.box) is None:
            raise ValueError(f"{where} has no {self.box!r}: convert the dataset again, or use box='landmarks'")
        else:
            box = np.array(ann[self.box], dtype=np.float64)
            if self.box == 'bbox':
                box[2:] += box[:2]
        validation.check_box(where, box, self.box)
        return box.astype(np.float32)

"""Checks of face annotations: bad input is an error that names the file and the fix, before
training starts.

Functions on plain dictionaries and paths; :class:`ValidatedFaceDataset` calls them while it loads.
"""

import json
import os
from typing import Dict, Iterable, List, Sequence

import mmcv
import numpy as np

from mmpose_sp.faces.annotation_files import some_of
from mmpose_sp.faces.coordinates import far_outside, outside_image
from mmpose_sp.utils.image_files import looks_complete


def read_annotations(path: str) -> Dict:
    """Read a COCO-style annotation file.

    Args:
        path: local JSON file.

    Raises:
        FileNotFoundError, ValueError: the file is missing, empty, truncated or something else.
    """
    if not os.path.isfile(path):
        raise FileNotFoundError(
            f'annotation file {path} does not exist: check data_root and ann_file, or convert the '
            'official download with tools/dataset_converters'
        )
    if os.path.getsize(path) == 0:
        raise ValueError(f'annotation file {path} is empty (0 bytes): convert the dataset again')
    try:
        with open(path, encoding='utf-8') as f:
            dataset = json.load(f)
    except ValueError as e:  # also UnicodeDecodeError
        raise ValueError(
            f'annotation file {path} is not valid JSON ({e}): it is truncated or of another kind; '
            'convert the dataset again'
        ) from e
    if not isinstance(dataset, dict):
        raise ValueError(
            f'annotation file {path} holds a {type(dataset).__name__}, expected a COCO-style '
            'object with images and annotations'
        )
    return dataset


def check_tables(path: str, dataset: Dict, num_keypoints: int) -> None:
    """Check the tables of a COCO-style file against each other and against the dataset.

    Args:
        path: the annotation file, for messages.
        dataset: its content.
        num_keypoints: K of the dataset.

    Raises:
        ValueError: no images or annotations, missing fields, ids used twice, annotations of images
            or categories that are not in the file, or a category with the landmarks of another
            dataset.
    """

    def refuse(text: str) -> None:
        raise ValueError(f'annotation file {path}: {text}')

    fields = {'images': ('id', 'file_name'), 'annotations': ('id', 'image_id', 'bbox', 'keypoints')}
    for table, required in fields.items():
        rows = dataset.get(table)
        if not rows:
            raise ValueError(
                f'annotation file {path} has no {table}: convert the dataset again and look at the '
                'counts that the converter prints'
            )
        for field in required:
            lacking = [row.get('id', i) for i, row in enumerate(rows) if field not in row]
            if lacking:
                names = some_of(lacking)
                refuse(f'{len(lacking)} {table} ({names}) lack the field {field!r}: convert the dataset again')
        twice = len(rows) - len({row['id'] for row in rows})
        if twice:
            refuse(f'{twice} ids of {table} are used twice; give each its own id, or faces are lost')

    images = {row['id'] for row in dataset['images']}
    lost = [row['id'] for row in dataset['annotations'] if row['image_id'] not in images]
    if lost:
        names = some_of(lost)
        refuse(f'annotations {names} belong to images that are not in the file; add the images or remove them')

    categories = {row.get('id'): row for row in dataset.get('categories') or []}
    unknown = {row.get('category_id') for row in dataset['annotations']} - set(categories)
    if categories and unknown:
        found, known = (some_of(sorted(names, key=str)) for names in (unknown, categories))
        refuse(f'annotations of category {found}, but its categories are {known}; expected is one, "face" with id 1')
    for category in categories.values():
        count = len(category.get('keypoints') or [])
        if count not in (0, num_keypoints):
            about = f'category {category.get("name")!r} has {count} landmarks, the dataset has {num_keypoints}'
            refuse(f'{about}: this is the file of another dataset')


def check_landmarks(where: str, keypoints: Sequence[float], num_keypoints: int) -> np.ndarray:
    """Check the (x, y, v) triplets of one face.

    Args:
        where: what to call the face in messages (file, annotation, image).
        keypoints: flat list of x, y (image px) and visibility v.
        num_keypoints: K of the dataset.

    Returns:
        (K, 3) float64.

    Raises:
        ValueError: another number of landmarks, NaN or infinite values, or no annotated landmark.
    """
    values = np.array([np.nan if v is None else v for v in keypoints], dtype=np.float64)
    if values.size != 3 * num_keypoints:
        raise ValueError(
            f'{where}: {values.size / 3:g} landmarks (x, y, visibility), the dataset has '
            f'{num_keypoints}: is this the file of another dataset?'
        )
    points = values.reshape(num_keypoints, 3)
    bad = np.flatnonzero(~np.isfinite(points).all(axis=1))
    if bad.size:
        raise ValueError(
            f'{where}: landmark {some_of(bad)} is NaN or infinite; annotate it, or write 0 0 0 (x, y, visibility)'
        )
    if not (points[:, 2] > 0).any():
        raise ValueError(f'{where}: no landmark is annotated (visibility > 0); leave the face out of the file')
    return points


def check_faces(path: str, dataset: Dict, num_keypoints: int) -> List[str]:
    """Check the landmarks of every annotation.

    Args:
        path, dataset, num_keypoints: see :func:`check_tables`, which comes first.

    Returns:
        Findings that may be intended, one sentence each, for a warning.

    Raises:
        ValueError: see :func:`check_landmarks`, :func:`check_near`; also a face with all landmarks outside its image.
    """
    images = {row['id']: row for row in dataset['images']}
    outside = []
    for row in dataset['annotations']:
        image = images[row['image_id']]
        where = face_name(path, row, image)
        points = check_landmarks(where, row['keypoints'], num_keypoints)
        if 'width' not in image or 'height' not in image:
            x, y, width, height = row['bbox']
            if width > 0 and height > 0:
                check_near(where, points, (x - 2 * width, y - 2 * height, 5 * width, 5 * height))
            continue
        outside_here = outside_image(points[:, :2], (image['width'], image['height'])) & (points[:, 2] > 0)
        count = int(outside_here.sum())
        if count == (points[:, 2] > 0).sum():
            raise ValueError(
                f'{where}: all landmarks lie outside the image of {image["width"]} x '
                f'{image["height"]} px; is this the annotation of another image, or of the image '
                'before resizing or cropping?'
            )
        if count:
            check_near(where, points, (0, 0, image['width'], image['height']))
            outside.append(count)
    findings = []
    if outside:
        findings.append(
            f'{sum(outside)} landmarks of {len(outside)} of {len(dataset["annotations"])} faces lie outside their image'
        )
    crowds = sum(bool(row.get('iscrowd')) for row in dataset['annotations'])
    if crowds == len(dataset['annotations']):
        raise ValueError(f'annotation file {path}: all faces are marked iscrowd and would be left out; write iscrowd 0')
    if crowds:
        findings.append(f'{crowds} faces are marked iscrowd and left out')
    return findings


def check_near(where: str, points: np.ndarray, area: Sequence[float]) -> None:
    """Raise ``ValueError`` where a visible landmark of ``points`` (K, 3) lies far outside of ``area``, (x, y, w, h),
    where it would rule the loss."""
    far = far_outside(points[:, :2] - np.array(area[:2]), area[2:]) & (points[:, 2] > 0)
    if far.any():
        index = int(far.argmax())
        raise ValueError(
            f'{where}: landmark {index} at {points[index, :2].tolist()} is far away from the face; correct it, or '
            'write visibility 0'
        )


def check_box(where: str, box: np.ndarray, source: str) -> None:
    """Raise ``ValueError`` where the face box (x1, y1, x2, y2) has no area or is not finite."""
    if not np.isfinite(box).all() or (box[2:] <= box[:2]).any():
        fix = 'correct the landmarks' if source == 'landmarks' else "correct it, or use box='landmarks'"
        raise ValueError(
            f'{where}: the face box ({source}) from {box[:2].tolist()} to {box[2:].tolist()} has no area; {fix}'
        )


def check_images(path: str, images: Iterable[str]) -> None:
    """Look at the files of all local images; only those that look damaged are decoded.

    Args:
        path: the annotation file, for messages.
        images: image paths, duplicates allowed; those with a scheme (``s3://...``) are not looked
            at.

    Raises:
        FileNotFoundError: some images are missing or empty; says how many and which first.
        ValueError: some images cannot be decoded.
    """
    images = [image for image in dict.fromkeys(images) if '://' not in image]
    missing = [image for image in images if not os.path.isfile(image) or os.path.getsize(image) == 0]
    if missing:
        raise FileNotFoundError(
            f'{len(missing)} of {len(images)} images of {path} are missing or empty '
            f'({some_of(missing)}): check data_root and data_prefix=dict(img=...), or unpack the '
            'images again'
        )
    damaged = [image for image in images if not looks_complete(image) and not decodable(image)]
    if damaged:
        raise ValueError(
            f'{len(damaged)} of {len(images)} images of {path} cannot be decoded '
            f'({some_of(damaged)}): unpack them again, or leave their faces out of the annotation '
            'file'
        )


def decodable(image: str) -> bool:
    """Whether OpenCV reads the image."""
    try:
        return mmcv.imread(image) is not None
    except Exception:
        return False


def face_name(path: str, annotation: Dict, image: Dict) -> str:
    """How messages call a face."""
    return f'{path}: annotation {annotation["id"]} (image {image["file_name"]})'

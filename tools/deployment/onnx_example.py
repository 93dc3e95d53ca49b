"""Face landmarks with OpenCV and onnxruntime alone: copy this file and the .onnx, nothing else is needed.

pip install onnxruntime opencv-python-headless
python onnx_example.py MODEL.onnx PICTURE --out drawn.png [--box X1 Y1 X2 Y2]
"""

import argparse
import json

import cv2
import numpy as np
import onnxruntime


def find_faces(image):
    """Boxes (N, 4) around the landmarks of upright, frontal faces; px x1 y1 x2 y2."""
    cascade = cv2.CascadeClassifier(cv2.data.haarcascades + 'haarcascade_frontalface_default.xml')
    gray = cv2.equalizeHist(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY))
    found, _, weights = cascade.detectMultiScale3(gray, 1.1, 3, minSize=(40, 40), outputRejectLevels=True)
    found = np.reshape(found, (-1, 4))[np.ravel(weights) > 1.4]
    # the cascade draws its squares higher and a little larger than the box around 68 landmarks
    side = found[:, 2:3]
    centre = found[:, :2] + found[:, 2:] / 2 - 0.5 + side * [0, 0.147]
    return np.hstack([centre - 0.44 * side, centre + 0.44 * side])


def cut_out(image, box, size, padding):
    """The square around a box, grown by ``padding``, at the size of the model; and px of the picture per px of it."""
    width, height = size
    centre = (box[:2] + box[2:]) / 2
    scale = padding * max(box[2:] - box[:2]) / width
    to_crop = np.hstack([np.eye(2) / scale, (np.array([width, height]) / 2 - centre / scale)[:, None]])
    return cv2.warpAffine(image, to_crop, (width, height)), scale, centre - scale * np.array([width, height]) / 2


def landmarks_of(session, image, boxes):
    """Landmarks (N, K, 2) in px of the picture and their confidences (N, K)."""
    notes = {key: json.loads(value) for key, value in session.get_modelmeta().custom_metadata_map.items()}
    crops, scales, origins = zip(*(cut_out(image, box, notes['input_size'], notes['box_padding']) for box in boxes))
    points, confidence = session.run(['landmarks', 'confidence'], {'crops': np.stack(crops)})
    return points * np.reshape(scales, (-1, 1, 1)) + np.stack(origins)[:, None], confidence


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('model')
    parser.add_argument('picture')
    parser.add_argument('--box', type=float, nargs=4, help='a face box, px (default: faces that OpenCV finds)')
    parser.add_argument('--out', default='drawn.png')
    args = parser.parse_args()
    image = cv2.imread(args.picture)
    if image is None:
        parser.error(f'{args.picture}: no picture that OpenCV can read')
    boxes = np.array([args.box]) if args.box else find_faces(image)
    if not len(boxes):
        parser.error(f'{args.picture}: no face found; give its --box')
    session = onnxruntime.InferenceSession(args.model, providers=['CPUExecutionProvider'])
    for points, confidence in zip(*landmarks_of(session, image, boxes)):
        print(f'face at {points.mean(axis=0).round(1)}, mean confidence {confidence.mean():.2f}')
        for (x, y), sure in zip(points, confidence):
            cv2.circle(image, (round(16 * x), round(16 * y)), 24, (0, 255 * sure, 255 * (1 - sure)), -1, cv2.LINE_AA, 4)
    cv2.imwrite(args.out, image)


if __name__ == '__main__':
    main()

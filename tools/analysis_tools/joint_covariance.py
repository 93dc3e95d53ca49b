"""How the error of one landmark spreads over a face: the joint covariance, drawn on a photograph.

    python tools/analysis_tools/joint_covariance.py photo.jpg --landmarks 12 8 --out joint_covariance.png

For each of --landmarks: it lies off by one standard deviation, along the long axis of its ellipse (the thick arrow),
and the others by what the joint posterior then expects of them (FaceResult.condition). All arrows are longer than they
are by the factor above. Beside it the correlation of each landmark with each other one: 1 where the place of one
tells that of the other.
"""

import argparse
from typing import TYPE_CHECKING, List, Optional

import numpy as np

from mmpose_sp.faces import transform_points
from mmpose_sp.utils.atomic import check_target, save_figure
from mmpose_sp.utils.images import read_image
from mmpose_sp.visualization import crop_around

if TYPE_CHECKING:
    from mmpose_sp.apis.results import FaceResult

SIDE = 480  # px of a drawn face


def spread_of(face: 'FaceResult', landmark: int) -> np.ndarray:
    """By how much (K, 2) image px all landmarks move with one that moves by a standard deviation along the long axis of
    its ellipse."""
    variances, axes = np.linalg.eigh(face.covariance[landmark])
    step = np.sqrt(variances[-1]) * axes[:, -1]
    return face.condition({landmark: face.landmarks[landmark] + step}).landmarks - face.landmarks


def correlations(covariance: np.ndarray) -> np.ndarray:
    """(K, K) in [0, 1] of a joint covariance V (2K, 2K): |V_jj^-1/2 V_jk V_kk^-1/2| / sqrt 2 in Frobenius' norm.

    It is 1 for landmarks that determine each other, and does not depend on how the axes are turned.
    """
    count = len(covariance) // 2
    blocks = covariance.reshape(count, 2, count, 2).transpose(0, 2, 1, 3)
    roots = np.linalg.inv(np.linalg.cholesky(blocks[range(count), range(count)]))  # any root has the same norm
    return np.linalg.norm(roots[:, None] @ blocks @ roots.transpose(0, 2, 1), axis=(2, 3)) / np.sqrt(2)


def draw(image: np.ndarray, face: 'FaceResult', landmarks: List[int], path: str) -> None:
    """The figure, one panel for each of ``landmarks`` and one for all pairs."""
    from matplotlib.figure import Figure

    crop, matrix = crop_around(image, face.landmarks, SIDE)
    points = transform_points(face.landmarks, matrix)
    figure = Figure(figsize=(5 * (len(landmarks) + 1), 5.2), layout='constrained')
    *panels, last = figure.subplots(1, len(landmarks) + 1)
    for axes, landmark in zip(panels, landmarks):
        moves = spread_of(face, landmark) * matrix[0, 0]
        factor = SIDE / 6 / np.linalg.norm(moves[landmark])
        axes.imshow(crop[..., ::-1])
        chosen = np.arange(len(points)) == landmark
        for own, width in ((~chosen, 0.004), (chosen, 0.012)):
            axes.quiver(
                *points[own].T,
                *(factor * moves[own]).T,
                angles='xy',
                scale_units='xy',
                scale=1,
                width=width,
                color='#ffd000',
            )
        axes.plot(*points.T, '.', color='#d73027', ms=3)
        axes.set_title(f'landmark {landmark}, one standard deviation, x {factor:.0f}', fontsize='medium')
        axes.set_axis_off()
    shown = last.imshow(correlations(face.joint_covariance), vmin=0, vmax=1, cmap='magma')
    last.set(xlabel='landmark', ylabel='landmark')
    last.set_title('correlation', fontsize='medium')
    figure.colorbar(shown, ax=last, shrink=0.8)
    save_figure(figure, path, dpi=80)


def parse_args(argv: Optional[List[str]] = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('image', help='a photograph; the surest face is drawn')
    parser.add_argument('--model', default='fast', help='packaged model (default: %(default)s)')
    parser.add_argument(
        '--landmarks', type=int, nargs='+', default=[12, 8], help='from 0 (default: 12 and 8, of the jaw)'
    )
    parser.add_argument('--out', default='work_dirs/joint_covariance.png', help='figure (default: %(default)s)')
    args = parser.parse_args(argv)
    args.parser = parser
    return args


def main(argv: Optional[List[str]] = None) -> None:
    args = parse_args(argv)
    from mmpose_sp.apis import FaceLandmarker
    from mmpose_sp.apis.conditioning import check_corrections

    try:
        check_target(args.out)
        image = read_image(args.image)
        faces = FaceLandmarker.from_packaged(args.model)(image)[0].faces
        if not faces:
            raise ValueError(f'{args.image}: no face found')
        face = max(faces, key=lambda face: face.quality)
        check_corrections(dict.fromkeys(args.landmarks, (0, 0)), len(face.landmarks))
        draw(image, face, args.landmarks, args.out)
    except (OSError, ValueError) as error:
        args.parser.error(str(error))
    print(f'written: {args.out}')


if __name__ == '__main__':
    main()

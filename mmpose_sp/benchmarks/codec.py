"""Targets of one face: ours against mmpose's Gaussian heatmaps."""

from mmpose.codecs import MSRAHeatmap

from mmpose_sp.codecs import ImageAwareLabelSmoothing

from .problems import face_landmarks
from .report import Goal, Section
from .timing import Context, interleave

SIZES = ((256, 256), (64, 64))
WFLW, WITH_EDGES, MSRA = 'ours', 'ours, edge maps', 'MSRAHeatmap'


def run(context: Context) -> Section:
    codecs = {
        WFLW: ('wflw', ImageAwareLabelSmoothing(*SIZES)),
        WITH_EDGES: ('wflw', ImageAwareLabelSmoothing(*SIZES, edge_maps=True)),
        'ours, own edges': ('wflw', ImageAwareLabelSmoothing(*SIZES, edges='own')),
        'ours, isotropic': ('wflw', ImageAwareLabelSmoothing(*SIZES, smoothing='isotropic')),
        'ours, no smoothing': ('wflw', ImageAwareLabelSmoothing(*SIZES, smoothing='none')),
        'ours, 300W': ('300w', ImageAwareLabelSmoothing(*SIZES, boundaries='300w')),
        'ours, COFW': ('cofw', ImageAwareLabelSmoothing(*SIZES, boundaries='cofw')),
        MSRA: ('wflw', MSRAHeatmap(*SIZES, sigma=2.0)),
    }
    faces = {layout: face_landmarks(layout, 8) for layout in ('wflw', '300w', 'cofw')}

    def encode(layout: str, codec) -> None:
        for face in faces[layout]:
            codec.encode(face, None)

    times = interleave(
        context.on_cpu, {name: lambda args=args: encode(*args) for name, args in codecs.items()}, 3 * context.repeats
    )
    rows = [
        {
            'codec': name,
            'landmarks': faces[layout][0].shape[1],
            'ms per face': times[name].ms / 8,
            'times MSRAHeatmap': times[name].over(times[MSRA]),
        }
        for name, (layout, _) in codecs.items()
    ]
    goals = [Goal(f'{name}: ms per face of 98 landmarks', times[name].ms / 8, 1.5) for name in (WFLW, WITH_EDGES)]
    return Section('Codec', 'Encoding the landmarks of a face (256 x 256 input, 64 x 64 maps) on the CPU.', rows, goals)

"""Cost of the loss and of decoding against landmarks, map size, samples and batch."""

from mmpose_sp.models.losses import StructuredPredictionLoss
from mmpose_sp.posterior import read_sites

from .loss import EUCLIDEAN, OURS, training_step
from .problems import score_problem
from .report import Goal, Section
from .timing import Context, interleave

BASE = {'B': 8, 'K': 98, 'map': 64, 'S': 10}
AXES = {'K': (29, 68, 98, 512), 'map': (32, 64, 128), 'S': (1, 10, 100), 'B': (1, 8, 32)}


def run(context: Context) -> Section:
    rows, by_samples = [], {}
    for axis, values in AXES.items():
        for value in values[:2] if context.quick else values:
            case = dict(BASE, **{axis: value})
            if context.quick:
                case['B'] = min(case['B'], 2)
            problem = score_problem(context.device, case['B'], case['K'], case['map'])
            modules = {
                OURS: StructuredPredictionLoss(num_samples=case['S']),
                EUCLIDEAN: StructuredPredictionLoss(norm='l2', num_samples=case['S']),
            }
            functions = {
                name: training_step(problem, lambda m=module, problem=problem: m(*problem))
                for name, module in modules.items()
            }
            functions['decode'] = lambda problem=problem: read_sites(problem.scores.detach(), covariance=False)
            # the Euclidean margin of 100 samples takes a second
            times = interleave(context, functions, max(3, context.repeats // 2))
            per_pixel = 1e6 * times[OURS].ms / problem.scores.numel()
            rows.append(
                {
                    'varied': axis,
                    **case,
                    'loss ms': times[OURS].ms,
                    'loss ns/px': per_pixel,
                    'Euclidean ms': times[EUCLIDEAN].ms,
                    'decode ms': times['decode'].ms,
                }
            )
            if axis == 'S':
                by_samples[value] = times[OURS].seconds
    goals = [
        Goal(f'loss with {s} samples over 1', by_samples[s] / by_samples[1] if s in by_samples else None, bound)
        for s, bound in ((10, 1.5), (100, 3.0))
    ]
    return Section('Scaling', 'Loss (forward and backward) and decoding, one quantity varied at a time.', rows, goals)

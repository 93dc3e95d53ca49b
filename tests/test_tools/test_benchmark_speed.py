"""The benchmark: how it measures, what it measures against, and that the command runs."""

import json
from pathlib import Path

import pytest
import torch
from tools_by_path import load_tool

from mmpose_sp.benchmarks import SECTIONS, decode, loss, report, step, timing
from mmpose_sp.benchmarks.problems import score_problem
from mmpose_sp.models.gaussian_maps import gaussian_maps

TOOLS = Path(__file__).resolve().parents[2] / 'tools' / 'analysis_tools'
benchmark_speed = load_tool('analysis_tools/benchmark_speed')

CPU = timing.Context(torch.device('cpu'), 1, True, Path())


class FakeClock:
    """Time that passes only where a function says so."""

    def __init__(self, monkeypatch):
        self.now, self.calls = 0.0, []
        monkeypatch.setattr(timing.Context, 'clock', lambda context: self.now)

    def function(self, name, *seconds):
        def call():
            self.calls.append(name)
            self.now += seconds[min(self.calls.count(name), len(seconds)) - 1]

        return call


def test_functions_take_turns_and_ratios_are_per_round(monkeypatch):
    clock = FakeClock(monkeypatch)
    # the machine gets slower from round to round; a takes half the time of b in each
    functions = {'a': clock.function('a', 1, 1, 1, 2, 4), 'b': clock.function('b', 2, 2, 2, 4, 8)}
    times = timing.interleave(CPU, functions, 3)
    assert clock.calls == ['a', 'a', 'b', 'b'] + ['a', 'b'] * 3
    assert times['a'].rounds == [1, 2, 4]
    assert times['a'].seconds == 2
    assert times['b'].over(times['a']) == 2


def test_short_functions_are_called_repeatedly(monkeypatch):
    clock = FakeClock(monkeypatch)
    times = timing.interleave(CPU, {'short': clock.function('short', 0.002)}, 5, least=0.01)
    assert times['short'].rounds == pytest.approx([0.002] * 5)
    assert len(clock.calls) == 2 + 5 * 5


def test_peak_memory_counts_what_exists_at_once():
    def function():
        first = torch.empty(1000, 1000)  # 4 MB
        del first
        second, third = torch.empty(500, 1000), torch.empty(1500, 1000)  # 2 + 6 MB
        return second.shape, third.shape

    assert timing.peak_memory(CPU, function) == pytest.approx(8e6, rel=1e-3)


@pytest.mark.parametrize(
    ('goal', 'met'),
    [
        ((10.0, 10.0, True), True),
        ((9.9, 10.0, True), False),
        ((1.05, 1.05), True),
        ((1.06, 1.05), False),
        ((None, 1), None),
    ],
)
def test_goals(goal, met):
    goal = report.Goal('', *goal)
    assert goal.met is met
    assert ('**missed**' in str(goal)) is (met is False)


def test_table():
    rows = [
        {'name': 'a', 'ms': 12.345, 'K': 0.0},
        {'name': 'bcdef', 'ms': 0.00001234, 'K': 98},
        {'ms': 1234.5, 'K': 0.5},
    ]
    assert report.table(rows).splitlines() == [
        '| name  |      ms |    K |',
        '|-------|--------:|-----:|',
        '| a     |    12.3 |    0 |',
        '| bcdef | 1.2e-05 |   98 |',
        '|       |    1234 |  0.5 |',
    ]


def test_ours_agrees_with_the_definition():
    for norm in loss.NORMS.values():
        assert max(loss.disagreement(CPU, norm)) < loss.TOLERANCE


def test_all_objectives_train():
    problem = score_problem(CPU.device, batch=1, count=3, size=32)
    for objective in loss.objectives(problem, 2).values():
        (gradient,) = torch.autograd.grad(objective(), problem.scores)
        assert gradient.abs().sum() > 0


def test_memory_of_a_step_includes_the_gradient():
    problem = score_problem(CPU.device, batch=1, count=64, size=64)
    train = loss.training_step(problem, problem.scores.sum)  # the gradient is all it makes as large as the maps
    assert timing.peak_memory(CPU, problem.scores.sum) < 1000
    assert timing.peak_memory(CPU, train) == pytest.approx(problem.scores.numel() * 4, rel=0.01)


class AutocastLoss(torch.nn.Module):
    """The loss is ``factor`` under autocast and 1 without."""

    def __init__(self, factor):
        super().__init__()
        self.weight, self.factor = torch.nn.Parameter(torch.ones(1)), factor

    def forward(self, images, samples, mode):
        return {'loss_kpt': self.weight.sum() * (self.factor if torch.is_autocast_cpu_enabled() else 1.0)}


@pytest.mark.parametrize(('factor', 'finite'), [(2.0, True), (float('inf'), False)])
def test_the_loss_under_amp_is_checked(factor, finite):
    assert step.Trainer(AutocastLoss(factor), torch.zeros(1), []).amp_is_finite() is finite


def test_amp_works_with_torch_before_2_3(monkeypatch):
    monkeypatch.delattr(torch.amp, 'GradScaler')
    assert step.Trainer(AutocastLoss(2.0), torch.zeros(1), []).amp_is_finite()


@pytest.mark.parametrize('message', ['', 'one\ntwo'])
def test_a_failing_compiler_is_reported(monkeypatch, message):
    def fail(*args, **kwargs):
        raise RuntimeError(message)

    monkeypatch.setattr(torch, 'compile', fail)
    trainer = step.Trainer(AutocastLoss(2.0), torch.zeros(1), [])
    monkeypatch.setattr(step, 'trainers', lambda context, batch: {step.OURS: trainer})
    assert step.compiled(CPU._replace(quick=False)).endswith(f'RuntimeError: {message[:3] or "no message"}')


def test_sections_of_the_cpu_measure_its_time_beside_a_gpu(monkeypatch):
    monkeypatch.setattr(timing.time, 'process_time', lambda: 3.0)
    assert CPU._replace(device=torch.device('cuda')).on_cpu.clock() == 3.0


def test_decoders_are_compared_in_the_same_pixels():
    points = torch.full((2, 98, 2), 20.0) + torch.arange(98)[:, None] % 7  # whole px: every decoder is right
    for name, function in decode.decoders(gaussian_maps(points, (decode.SIZE, decode.SIZE), decode.SIGMA)).items():
        assert abs(function() - points.numpy()).max() < 1e-3, name


def test_command_writes_numbers_and_report(tmp_path, capsys):
    out = tmp_path / 'new' / 'speed.json'
    benchmark_speed.main(['--quick', '--sections', 'decode', '--device', 'cpu', '--out', str(out)])
    results = json.loads(out.read_text())
    assert list(results['sections']) == ['decode'] and results['commit']
    assert {row['decoder'] for row in results['sections']['decode']['rows']} == {decode.OURS, decode.PLAIN, decode.DARK}
    assert '--sections decode' in results['command']
    text = out.with_suffix('.md').read_text()
    assert text.strip() == capsys.readouterr().out.strip()
    assert '## Decode' in text


@pytest.mark.parametrize(
    ('arguments', 'word'),
    [(['--sections', 'speed'], list(SECTIONS)[0]), (['--out', 'a.txt'], '.json'), (['--threads', '0'], '--threads')],
)
def test_bad_arguments(arguments, word, capsys):
    with pytest.raises(SystemExit) as error:
        benchmark_speed.main(arguments)
    assert word in f'{error.value.code} {capsys.readouterr().err}'

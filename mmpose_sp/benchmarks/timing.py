"""Time and memory of several functions, side by side on a machine that others may use too."""

import gc
import math
import os
import platform
import subprocess
import time
from pathlib import Path
from statistics import median
from typing import Callable, Dict, List, NamedTuple

import torch
from torch.profiler import ProfilerActivity, profile

Functions = Dict[str, Callable[[], object]]


class Context(NamedTuple):
    """What a section has to know."""

    device: torch.device
    threads: int
    quick: bool
    folder: Path
    """An empty folder for files that a section needs."""

    @property
    def repeats(self) -> int:
        return 3 if self.quick else 11

    @property
    def on_cpu(self) -> 'Context':
        """For a section that computes on the CPU alone, whatever the device."""
        return self._replace(device=torch.device('cpu'))

    def synchronize(self) -> None:
        if self.device.type == 'cuda':
            torch.cuda.synchronize(self.device)

    def clock(self) -> float:
        """Seconds. On one CPU thread those that the process itself spent computing: others on the machine slow it
        down through the caches and the memory bus only."""
        self.synchronize()
        return time.process_time() if self.device.type == 'cpu' and self.threads == 1 else time.perf_counter()


class Timing(NamedTuple):
    """Seconds per call, one value a round; the rounds of functions measured together correspond."""

    rounds: List[float]

    @property
    def seconds(self) -> float:
        return median(self.rounds)

    @property
    def ms(self) -> float:
        return 1e3 * self.seconds

    def over(self, other: 'Timing') -> float:
        """How many times as long as ``other`` this took: the median over the rounds of their ratio."""
        return median(mine / theirs for mine, theirs in zip(self.rounds, other.rounds))


def interleave(context: Context, functions: Functions, repeats: int = 0, least: float = 0.01) -> Dict[str, Timing]:
    """Time functions in turn, A B C A B C, so that what disturbs the machine disturbs all of them alike.

    Args:
        functions: by name; each is called once before anything is measured.
        repeats: rounds; by default those of the context.
        least: seconds that a round of one function lasts at least; short ones are called repeatedly.
    """
    calls = {}
    for name, function in functions.items():
        function()
        start = context.clock()
        function()
        calls[name] = max(1, math.ceil(least / max(context.clock() - start, 1e-6)))
    rounds: Dict[str, List[float]] = {name: [] for name in functions}
    gc.collect()
    for _ in range(repeats or context.repeats):
        for name, function in functions.items():
            start = context.clock()
            for _ in range(calls[name]):
                function()
            rounds[name].append((context.clock() - start) / calls[name])
    return {name: Timing(values) for name, values in rounds.items()}


def peak_memory(context: Context, function: Callable[[], object]) -> int:
    """Bytes that the tensors of a call take at most, beyond those that exist before it."""
    function()
    gc.collect()
    if context.device.type == 'cuda':
        context.synchronize()
        torch.cuda.reset_peak_memory_stats(context.device)
        before = torch.cuda.memory_allocated(context.device)
        function()
        context.synchronize()
        return torch.cuda.max_memory_allocated(context.device) - before
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        function()
    events = record.profiler.kineto_results.events()
    taken = peak = 0
    for event in sorted((e for e in events if e.name() == '[memory]'), key=_start):
        taken += event.nbytes()
        peak = max(peak, taken)
    return peak


def _start(event) -> int:
    """When a profiler's event began, in ns, or in us with a torch that counts in them."""
    return event.start_ns() if hasattr(event, 'start_ns') else event.start_us()


def memory_bandwidth(context: Context) -> float:
    """Bytes per second that a copy of a large tensor reads and writes."""
    source = torch.ones(2**26, device=context.device)
    target = torch.empty_like(source)
    timing = interleave(context, {'copy': lambda: target.copy_(source)}, 5)['copy']
    return 2 * source.numel() * source.element_size() / min(timing.rounds)


def machine(context: Context) -> Dict[str, str]:
    """What the numbers depend on."""
    about = {
        'commit': commit(),
        'CPU': f'{cpu_name()}, {os.cpu_count()} logical cores, {context.threads} used',
        'torch': f'{torch.__version__} ({torch.backends.cpu.get_cpu_capability()})',
        'python': platform.python_version(),
    }
    if context.device.type == 'cuda':
        about['GPU'] = torch.cuda.get_device_name(context.device)
    return about


def cpu_name() -> str:
    """The model of the processor, as far as the system tells it."""
    try:
        lines = Path('/proc/cpuinfo').read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(':')[2].strip() for line in lines if line.startswith('model name')]
    return names[0] if names else platform.processor() or platform.machine()


def commit() -> str:
    """Of the sources that were measured; marked where they differ from it."""

    def git(*args: str) -> str:
        return subprocess.run(
            ['git', '-C', str(Path(__file__).parent), *args], check=True, capture_output=True, text=True
        ).stdout.strip()

    try:
        changed = git('status', '--porcelain', '--untracked-files=no', ':/mmpose_sp', ':/tools/analysis_tools')
        return git('rev-parse', '--short', 'HEAD') + (' with changes' if changed else '')
    except (OSError, subprocess.CalledProcessError):
        return 'unknown'

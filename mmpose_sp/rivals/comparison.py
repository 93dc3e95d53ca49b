"""The comparison itself: who is trained when, and what is known so far.

Trials of a few epochs choose each contestant's learning rate on validation faces; then everybody trains once; then
the best on validation train from more seeds. Every training leaves a record; a comparison that is started again, or
twice at once, does only what nobody has done.
"""

import json
import os
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, Optional, Sequence, Set

from mmengine.utils import get_git_hash

from mmpose_sp.utils.atomic import write_text

from .contestants import CONTESTANTS, OURS, Contestant
from .tracks import Run, Track, training_config
from .trainings import best_checkpoint, claim, identity, read_record, train, write_record

Record = Dict[str, Any]
MOST_TRIALS = 6  # of learning rates: a grid whose best is at its edge grows by factors of two up to this
BEST = 6  # that train from more than one seed


class Comparison:
    """Trainings of some contestants on a track.

    Args:
        track, data: Where.
        contestants: Who, by name.
        folder: Each training in a folder of its own below it.
        file: JSON of all that is known, kept up to date after every training. What another machine wrote into it is
            not trained again.
        options: As by ``--cfg-options``, for all.
        workers: Processes that load faces.
        scorer: Of a config and a checkpoint, see :func:`mmpose_sp.rivals.scoring.score`; it runs for trainings that
            are no trials.
        seeds: Trainings of each of the best.
        say: Takes a line on what happens.

    Attributes:
        costs: Of a step of contestants by name, see :class:`StepCost`.
        failed: Trainings that ended before their time, and not by diverging; the others go on without them.
    """

    def __init__(
        self,
        track: Track,
        data: str,
        contestants: Dict[str, Contestant],
        folder: Path,
        file: Path,
        options: Dict[str, Any],
        workers: int,
        scorer: Callable,
        seeds: int = 3,
        say: Callable[[str], None] = print,
    ) -> None:
        self.track, self.data, self.contestants, self.folder, self.file = track, data, contestants, folder, file
        self.options, self.workers, self.scorer, self.seeds, self.say = options, workers, scorer, seeds, say
        content = json.loads(file.read_text()) if file.is_file() else {}
        self.known: Dict[str, Record] = content.get('records', {})
        self.costs: Dict[str, Sequence[float]] = content.get('costs', {})
        self.failed: Set[Run] = set()
        self._identities: Dict[Run, str] = {}

    def config(self, run: Run) -> Any:
        """The config of a run."""
        return training_config(self.track, self.data, self.contestants[run.contestant], run, self.workers, self.options)

    def identity(self, run: Run) -> str:
        """Of its config, which takes some time to make and never changes."""
        if run not in self._identities:
            self._identities[run] = identity(self.config(run))
        return self._identities[run]

    def record(self, run: Run) -> Optional[Record]:
        """What is known of a run, None if it has not been trained.

        Raises:
            ValueError: It was trained with another config.
        """
        record = read_record(self.folder / run.name) or self.known.get(run.name)
        if record is not None and record['identity'] != self.identity(run):
            raise ValueError(
                f'{run.name} was trained with another config: remove its folder in {self.folder} and its record from '
                'the JSON file, or take another --work-dir and --out'
            )
        return record

    def save(self) -> None:
        """Write :attr:`file`."""
        content = dict(track=self.track._asdict(), costs=self.costs, records=dict(sorted(self.records().items())))
        write_text(self.file, json.dumps(content) + '\n')

    def is_missing(self, run: Run) -> bool:
        """Whether a run is still to be trained."""
        return run not in self.failed and self.record(run) is None

    def run(self, runs: Iterable[Run], scored: bool) -> None:
        """Train what is not trained yet; wait for what another process is training."""
        missing = [run for run in runs if self.is_missing(run)]
        while missing:
            for run in list(missing):
                with claim(self.folder / run.name) as mine:
                    if mine and self.record(run) is None:
                        self._train(run, scored)
                if mine:
                    missing.remove(run)
            if missing:
                time.sleep(5)

    def _train(self, run: Run, scored: bool) -> None:
        config, folder = self.config(run), self.folder / run.name
        self.say(f'{time.strftime("%H:%M:%S")} {run.name}')
        commit = os.environ.get('MMPOSE_SP_COMMIT') or get_git_hash(digits=7)  # a copy without .git is told
        about = dict(identity=self.identity(run), commit=commit)
        try:
            record = dict(run._asdict(), **about, **train(config, folder))
        except RuntimeError as error:
            self.failed.add(run)
            self.say(f'{run.name}: {error}')
            return
        if scored and record['best'] is not None:
            record['scores'] = self.scorer(config, str(best_checkpoint(folder)))
        write_record(record, folder)
        self.save()
        self.say(f'{time.strftime("%H:%M:%S")} {run.name}: validation NME {record["best"] or record["error"]}')

    def score_again(self) -> None:
        """Test the trainings of this folder anew, as after a change of what a reading is."""
        for name in self.contestants:
            for run in self.finals(range(self.seeds), [name]):
                record = read_record(self.folder / run.name)
                if record is not None and 'scores' in record:
                    self.say(f'{time.strftime("%H:%M:%S")} {run.name}: scored again')
                    record['scores'] = self.scorer(self.config(run), str(best_checkpoint(self.folder / run.name)))
                    write_record(record, self.folder / run.name)
        self.save()

    def trials(self, name: str) -> List[Record]:
        """The finished trials of a contestant, slowest first."""
        epochs = self.track.trial_epochs
        everything = [Run(name, rate, epochs, 0) for rate in self._possible_rates()]
        found = [self.record(run) for run in everything]
        return [record for record in found if record is not None]

    def _possible_rates(self) -> List[float]:
        low, high = min(self.track.rates), max(self.track.rates)
        more = range(1, MOST_TRIALS)
        return sorted({*self.track.rates, *(low / 2**n for n in more), *(high * 2**n for n in more)})

    def next_trials(self, name: str) -> List[Run]:
        """Learning rates that a contestant is to try: the grid, then one beyond an edge where the best lies there."""
        trials = self.trials(name)
        done = {trial['rate']: trial['best'] for trial in trials}
        stood = [trial['rate'] for trial in trials if self.collapse(trial) is None]
        rates = [rate for rate in self.track.rates if rate not in done]
        if len(self.track.rates) == 1:
            return []
        if not rates and len(done) < MOST_TRIALS:
            best = min(stood or done, key=lambda rate: _value(done[rate]))
            if best == max(done):
                rates = [2 * best]
            elif best == min(done):
                rates = [best / 2]
        return [Run(name, rate, self.track.trial_epochs, 0) for rate in rates]

    def choose_rates(self) -> None:
        """All trials of all contestants that have any."""
        while True:
            runs = [run for name in self.contestants if self._tries(name) for run in self.next_trials(name)]
            if not any(map(self.is_missing, runs)):
                return
            self.run(runs, scored=False)

    def _tries(self, name: str) -> bool:
        return not self.contestants[name].variant_of

    def rate(self, name: str) -> Optional[float]:
        """The learning rate that a contestant's trials chose, None while they are not finished.

        One that a whole training did not stand (:meth:`collapse`) leaves its place to the next best.
        """
        name = self.contestants[name].variant_of or name
        if name not in self.contestants or self.next_trials(name):
            return None
        if len(self.track.rates) == 1:
            return self.track.rates[0]
        ranked = sorted(self.trials(name), key=lambda trial: _value(trial['best']))
        stood = [trial for trial in ranked if self.collapse(trial) is None]
        return (stood or ranked)[0]['rate'] if ranked else None

    def collapse(self, trial: Record) -> Optional[Record]:
        """The whole training of a trial's learning rate, if it ended worse than the short one."""
        whole = self.record(Run(trial['contestant'], trial['rate'], self.track.epochs, 0))
        return whole if whole and _value(whole['best']) > _value(trial['best']) else None

    def finals(self, seeds: Iterable[int], names: Optional[Iterable[str]] = None) -> List[Run]:
        """The trainings that are tested, of contestants whose rate is chosen."""
        rates = {name: self.rate(name) for name in (self.contestants if names is None else names)}
        return [
            Run(name, rate, self.track.epochs, seed)
            for seed in seeds
            for name, rate in rates.items()
            if rate is not None
        ]

    def best(self) -> List[str]:
        """The contestants that train from more seeds: the best on validation, ours among them, its variants not."""
        records = [(run, self.record(run)) for run in self.finals([0])]
        ranked = sorted((pair for pair in records if pair[1]), key=lambda pair: _value(pair[1]['best']))
        names = [run.contestant for run, _ in ranked if not self.contestants[run.contestant].variant_of]
        first = names[:BEST]
        return first if OURS in first or OURS not in names else [*first[: BEST - 1], OURS]

    def run_until(self, stage: int, several: Sequence[str] = ()) -> None:
        """0: the trials alone; 1: and one training of each; 2: and the other seeds of ``several``, or of the best."""
        self.choose_rates()
        if stage > 0:
            while any(map(self.is_missing, self.finals([0]))):
                self.run(self.finals([0]), scored=True)
                self.choose_rates()  # a rate that collapsed may have left the best at an edge
        if stage > 1:
            self.run(self.finals(range(1, self.seeds), several or self.best()), scored=True)

    def records(self) -> Dict[str, Record]:
        """All that is known, by :attr:`Run.name`: of this folder, and of other machines."""
        own = (read_record(path.parent) for path in sorted(self.folder.glob('*/record.json')))
        return {**self.known, **{Run(*(r[field] for field in Run._fields)).name: r for r in own if r}}


def _value(best: Optional[float]) -> float:
    return float('inf') if best is None else best


def with_ours(names: List[str]) -> List[str]:
    """Names of contestants, with those that they take their learning rate from."""
    return [*names, *{CONTESTANTS[name].variant_of for name in names if name in CONTESTANTS} - {'', *names}]

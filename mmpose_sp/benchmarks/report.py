"""Tables and goals of a benchmark, for people and for programs."""

from typing import Dict, List, NamedTuple, Optional, Union

Value = Union[str, int, float, None]


class Goal(NamedTuple):
    """A bound on one measured number; ``value`` None where this run did not measure it."""

    name: str
    value: Optional[float]
    bound: float
    at_least: bool = False

    @property
    def met(self) -> Optional[bool]:
        if self.value is None:
            return None
        return self.value >= self.bound if self.at_least else self.value <= self.bound

    def __str__(self) -> str:
        word = {True: 'met', False: '**missed**', None: 'not measured'}[self.met]
        return (
            f'{self.name}: {"at least" if self.at_least else "at most"} {cell(self.bound)}; '
            f'measured {cell(self.value)}, {word}'
        )


class Section(NamedTuple):
    """Rows of a table (the keys are the columns) under a title, a sentence on what they show, and goals."""

    title: str
    text: str
    rows: List[Dict[str, Value]]
    goals: List[Goal] = []
    notes: List[str] = []

    def markdown(self) -> str:
        parts = [f'## {self.title}', self.text, table(self.rows)]
        parts += ['\n'.join(f'- {goal}' for goal in self.goals)] if self.goals else []
        parts += ['\n'.join(f'- {note}' for note in self.notes)] if self.notes else []
        return '\n\n'.join(parts)

    def as_dict(self) -> dict:
        goals = [dict(goal._asdict(), met=goal.met) for goal in self.goals]
        return {'title': self.title, 'rows': self.rows, 'goals': goals, 'notes': self.notes}


def cell(value: Value) -> str:
    """Three significant digits; '' for None."""
    if value is None:
        return ''
    if not isinstance(value, float):
        return str(value)
    if value != 0 and not 1e-3 <= abs(value) < 1e5:
        return f'{value:.1e}'
    text = f'{value:.3g}'
    return f'{value:.0f}' if 'e' in text else text


def table(rows: List[Dict[str, Value]]) -> str:
    """A Markdown table; columns in the order in which the rows first name them, numbers to the right."""
    columns = list({name: None for row in rows for name in row})
    cells = [[cell(row.get(name)) for name in columns] for row in rows]
    widths = [max(len(name), 4, *(len(line[i]) for line in cells)) for i, name in enumerate(columns)]
    numeric = [all(not isinstance(row.get(name), str) for row in rows) for name in columns]

    def line(values: List[str]) -> str:
        padded = (v.rjust(w) if n else v.ljust(w) for v, w, n in zip(values, widths, numeric))
        return '| ' + ' | '.join(padded) + ' |'

    rule = '|' + '|'.join('-' * (w + 1) + (':' if n else '-') for w, n in zip(widths, numeric)) + '|'
    return '\n'.join([line(columns), rule, *(line(values) for values in cells)])

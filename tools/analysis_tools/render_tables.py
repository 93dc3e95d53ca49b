"""Render the tables of the paper (1-6, A1-A5) as Markdown, with measured results beside the published figures.

Published figures are in ``paper_tables.yml`` next to this file. Measured ones come from result files, JSON objects of
metrics as ``tools/test.py --out`` writes them. Examples:

    python tools/analysis_tools/render_tables.py                                   # the published tables
    python tools/analysis_tools/render_tables.py --tables 1 2 --result 1,2:lite=work_dirs/lite/metrics.json
    python tools/analysis_tools/render_tables.py --manifest results.yml --out docs/tables.md

A manifest lists results as ``- {tables: ['1', '2'], label: lite, files: [metrics.json], note: 3 seeds}``. Where a table
mixes normalisers (A4), a result file gets a prefix: ``files: {inter_pupil: a.json, inter_ocular: b.json}``, on the
command line ``A4:lite=inter_pupil@a.json,inter_ocular@b.json``.
"""

import argparse
import json
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Sequence

import yaml

from mmpose_sp.utils.atomic import write_text

PAPER_TABLES = Path(__file__).with_name('paper_tables.yml')


class Result(NamedTuple):
    """Measured metrics that belong to some tables."""

    tables: Sequence[str]
    label: str
    metrics: Dict[str, float]
    note: str = ''


def load_tables(path: Path = PAPER_TABLES) -> Dict[str, dict]:
    """The published tables; every row has one value per column (None: not reported)."""
    tables = yaml.safe_load(Path(path).read_text())['tables']
    for name, table in tables.items():
        for row in table['rows']:
            if len(row['values']) != len(table['columns']):
                raise ValueError(
                    f'{path}, table {name}, row {row["method"]}: '
                    f'{len(row["values"])} values for {len(table["columns"])} columns'
                )
    return tables


def load_metrics(path: str, prefix: str = '') -> Dict[str, float]:
    """Read a result file; ``prefix`` goes before its keys. A prefix that all its keys share (``wflw/``) is removed.

    Raises:
        FileNotFoundError, ValueError: Missing, not JSON, or not an object of numbers.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'{path}: no such result file; tools/test.py CONFIG CHECKPOINT --out {path} writes it')
    try:
        metrics = json.loads(path.read_text())
    except json.JSONDecodeError as error:
        raise ValueError(f'{path}: not JSON ({error})') from error
    if isinstance(metrics, dict) and isinstance(metrics.get('metrics'), dict):
        metrics = metrics['metrics']  # the errors file of FaceAlignmentMetric
    numbers = {}
    if isinstance(metrics, dict):
        numbers = {k: float(v) for k, v in metrics.items() if isinstance(v, (int, float)) and not isinstance(v, bool)}
    if not numbers:
        raise ValueError(f'{path}: no metrics in it; expected an object such as {{"NME": 4.0, "largepose/NME": 6.6}}')
    heads = {key.split('/')[0] for key in numbers}
    if len(heads) == 1 and all('/' in key for key in numbers):
        numbers = {key.split('/', 1)[1]: value for key, value in numbers.items()}
    return {f'{prefix}/{k}' if prefix else k: v for k, v in numbers.items()}


def parse_result(text: str) -> Result:
    """Read ``TABLE[,TABLE]:LABEL=[PREFIX@]FILE[,...]``."""
    names, colon, rest = text.partition(':')
    label, equals, files = rest.partition('=')
    if not (names and colon and label and equals and files):
        raise ValueError(f'{text!r} is not TABLE[,TABLE]:LABEL=[PREFIX@]FILE')
    metrics = {}
    for part in files.split(','):
        prefix, _, path = part.rpartition('@')
        metrics.update(load_metrics(path, prefix))
    return Result(names.split(','), label, metrics)


def load_manifest(path: str) -> List[Result]:
    """Read a manifest; its files are relative to it."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'{path}: no such manifest')
    results = []
    for number, entry in enumerate(yaml.safe_load(path.read_text()) or [], 1):
        missing = {'tables', 'label', 'files'} - set(entry)
        if missing:
            raise ValueError(f'{path}, entry {number}: {", ".join(sorted(missing))} missing')
        files = entry['files']
        files = files.items() if isinstance(files, dict) else [('', file) for file in files]
        metrics = {}
        for prefix, file in files:
            metrics.update(load_metrics(path.parent / file, prefix))
        results.append(Result([str(t) for t in entry['tables']], entry['label'], metrics, entry.get('note', '')))
    return results


def best_values(table: dict) -> List[Optional[float]]:
    """The best published value of each column."""
    best = []
    for index, column in enumerate(table['columns']):
        values = [row['values'][index] for row in table['rows'] if row['values'][index] is not None]
        best.append((min if column['better'] == 'lower' else max)(values) if values else None)
    return best


def render_table(name: str, table: dict, results: Sequence[Result] = ()) -> str:
    """One table as Markdown. Published best values are bold; measured rows come last and are marked.

    Raises:
        ValueError: A result that has none of the columns' metrics.
    """
    columns = table['columns']
    arrows = dict(lower='↓', higher='↑')
    typed = any('type' in row for row in table['rows'])
    header = ['Method', *(['Type'] if typed else []), *(f'{c["label"]} {arrows[c["better"]]}' for c in columns)]
    lines = [f'### Table {name}. {table["title"]}', '']
    rows = []
    best = best_values(table)
    for row in table['rows']:
        cells = [_cell(value, column, value == top) for value, column, top in zip(row['values'], columns, best)]
        rows.append([row['method'], *([row.get('type', '')] if typed else []), *cells])
    notes = [table['note']] if 'note' in table else []
    for result in results:
        values = [result.metrics.get(column['key']) for column in columns]
        if all(value is None for value in values):
            raise ValueError(
                f'result {result.label!r} has no metric of table {name}: it needs '
                f'{[c["key"] for c in columns]}, it has {sorted(result.metrics)}'
            )
        cells = [_cell(value, column) for value, column in zip(values, columns)]
        rows.append([f'*{result.label} (measured)*', *(['H'] if typed else []), *cells])
        if result.note:
            notes.append(f'{result.label}: {result.note}')
    lines += ['| ' + ' | '.join(header) + ' |', '|' + '|'.join([':--', *(['--:'] * (len(header) - 1))]) + '|']
    lines += ['| ' + ' | '.join(row) + ' |' for row in rows]
    for note in notes:
        lines += ['', ' '.join(note.split())]
    return '\n'.join(lines) + '\n'


def _cell(value: Optional[float], column: dict, bold: bool = False) -> str:
    if value is None:
        return '–'
    text = f'{value:.{column["digits"]}f}'
    return f'**{text}**' if bold else text


def render(names: Sequence[str], tables: Dict[str, dict], results: Sequence[Result] = ()) -> str:
    """Several tables; a result that names a table which is not rendered is an error rather than silently left out.

    Raises:
        ValueError: Unknown table.
    """
    for result in results:
        for name in result.tables:
            if name not in tables:
                raise ValueError(f'result {result.label!r}: there is no table {name!r}; tables: {", ".join(tables)}')
    parts = []
    for name in names:
        if name not in tables:
            raise ValueError(f'there is no table {name!r}; tables: {", ".join(tables)}')
        parts.append(render_table(name, tables[name], [r for r in results if name in r.tables]))
    return '\n'.join(parts)


def parse_args(argv=None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--tables', nargs='+', metavar='N', help='tables to render (default: all)')
    parser.add_argument(
        '--result',
        action='append',
        default=[],
        metavar='N[,N]:LABEL=[PREFIX@]FILE',
        help='measured result; repeat for each',
    )
    parser.add_argument('--manifest', help='YAML list of measured results')
    parser.add_argument('--out', help='Markdown file (default: print)')
    args = parser.parse_args(argv)
    args.parser = parser
    return args


def main(argv=None) -> None:
    args = parse_args(argv)
    tables = load_tables()
    try:
        results = [parse_result(text) for text in args.result]
        results += load_manifest(args.manifest) if args.manifest else []
        text = render(args.tables or list(tables), tables, results)
    except (OSError, ValueError) as error:
        args.parser.error(str(error))
    text = (
        'Figures without a mark are the ones published by Yang and Yeh; bold: best published. '
        'Rows marked "measured" were measured with this repository.\n\n' + text
    )
    if args.out:
        write_text(args.out, text)
        print(f'written: {args.out}')
    else:
        print(text)


if __name__ == '__main__':
    main()

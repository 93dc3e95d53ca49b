"""Tables of the paper beside measured rows (1-6, A1-A5)."""

import json
from pathlib import Path

import pytest
from tools_by_path import load_tool

render_tables = load_tool('analysis_tools/render_tables')


def test_all_tables_of_the_paper_are_there():
    assert list(render_tables.load_tables()) == ['1', '2', '3', '4', '5', '6', 'A1', 'A2', 'A3', 'A4', 'A5']


def test_rows_that_the_paper_repeats_agree():
    """Tab. 5 and 6 end with the method of Tab. 1; A1 with that of Tab. 2; A4 shares columns with Tab. 3."""
    tables = render_tables.load_tables()

    def row(table, method):
        return next(r['values'] for r in tables[table]['rows'] if r['method'] == method)

    assert row('1', 'The paper') == row('5', 'smooth l1') == row('6', 'image-aware, Eq. 11')
    assert row('1', 'STAR') == row('6', 'no smoothing, STAR')
    assert row('2', 'The paper') == row('A1', 'image-aware')
    for method in ('The paper', 'STAR', 'ADNet', 'HIH', 'AWing', 'SLPT', 'Wing'):
        assert row('3', method)[:2] == row('A4', method)[:2]


def test_best_of_the_paper_is_bold_and_measured_rows_are_marked():
    tables = render_tables.load_tables()
    result = render_tables.Result(['5'], 'lite', {'NME': 6.123, 'FR': 9.0}, '12 epochs')
    text = render_tables.render_table('5', tables['5'], [result])
    assert '| smooth l1 | **3.99** | **1.84** | **0.606** |' in text
    assert '| *lite (measured)* | 6.12 | 9.00 | – |' in text
    assert 'lite: 12 epochs' in text


def test_metrics_of_every_kind_of_file_are_read(tmp_path):
    metrics = {'NME': 4, 'blur/NME': 5}
    prefixed = {f'wflw/{name}': value for name, value in metrics.items()}
    for content in (metrics, prefixed, {'metrics': metrics, 'faces': []}):
        (tmp_path / 'a.json').write_text(json.dumps(content))
        assert render_tables.load_metrics(str(tmp_path / 'a.json')) == metrics


def test_tables_command_with_manifest_and_two_normalisers(tmp_path):
    (tmp_path / 'pupil.json').write_text(json.dumps({'NME': 5.5, 'FR': 1.0}))
    (tmp_path / 'ocular.json').write_text(json.dumps({'NME': 3.9, 'FR': 0.0}))
    (tmp_path / 'results.yml').write_text(
        '- {tables: [3], label: lite, files: [pupil.json]}\n'
        '- {tables: [A4], label: lite, files: {inter_pupil: pupil.json, inter_ocular: ocular.json}}\n'
    )
    out = tmp_path / 'tables.md'
    render_tables.main(['--tables', '3', 'A4', '--manifest', str(tmp_path / 'results.yml'), '--out', str(out)])
    assert '| *lite (measured)* | 5.50 | 1.00 | 3.90 | 0.00 |' in out.read_text()


@pytest.mark.parametrize(
    'result, message',
    [
        ('1:a=no_such.json', 'no such result file'),
        ('nonsense', 'is not TABLE'),
        ('9:a=ok.json', "no table '9'"),
        ('2:a=ok.json', 'no metric of table 2'),
    ],
)
def test_tables_command_names_what_is_wrong(tmp_path, capsys, monkeypatch, result, message):
    monkeypatch.chdir(tmp_path)
    Path('ok.json').write_text('{"NME": 1}')
    with pytest.raises(SystemExit):
        render_tables.main(['--result', result])
    assert message in capsys.readouterr().err

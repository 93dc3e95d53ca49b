"""The documentation: what it names exists, its configs load, and options do what their row says."""

import argparse
import copy
import itertools
import re
import shlex
import string

import numpy as np
import pytest
import yaml
from config_helpers import CONFIGS, FOLDER, ROOT, encoder_of, face_sample, load, training_pipeline
from mmengine.config import DictAction
from mmengine.dataset import Compose, pseudo_collate
from mmpose.registry import KEYPOINT_CODECS, MODELS

PAGE = ROOT / 'docs' / 'reproduction.md'
ZOO = sorted(FOLDER.glob('*/sp_*.md'))
PAGES = [*ROOT.glob('*.md'), *(ROOT / 'docs').rglob('*.md'), *(ROOT / 'mmpose_sp').rglob('*.md'), *FOLDER.rglob('*.md')]
FACES_300W = FOLDER / '300w' / 'td-hm_hrnetv2-w18_sp-8xb64-60e_300w-256x256.py'
PREFIX = 'configs/face_2d_keypoint/topdown_heatmap'
MMPOSE_TOOLS = {
    'tools/train.py': 'train.py',
    'tools/test.py': 'test.py',
    'tools/dist_test.sh': 'test.py',
    'tools/dist_train.sh': 'train.py',
    'tools/analysis_tools/get_flops.py': 'analysis_tools/get_flops.py',
}

# (equation or table, row) -> loss, what its objective says, smoothing of the labels that it sees
OBJECTIVES = {
    ('5', 'no margin (cross-entropy)'): ('StructuredPredictionLoss', {'margin': 'none'}, 'image_aware'),
    ('5', 'l2 margin'): ('StructuredPredictionLoss', {'margin': 'l2'}, 'image_aware'),
    ('5', 'l1 margin'): ('StructuredPredictionLoss', {'margin': 'l1'}, 'image_aware'),
    ('5', 'smooth l1 margin'): (
        'StructuredPredictionLoss',
        {'margin': 'smooth_l1', 'alpha': 1, 's': 0.01, 'eps': 1},
        'image_aware',
    ),
    ('6', 'no smoothing, STAR'): ('STARLoss', {}, 'none'),
    ('6, A1', 'no smoothing, Eq. 11'): ('StructuredPredictionLoss', {'margin': 'smooth_l1'}, 'none'),
    ('6', 'image-unaware, Eq. 11'): ('StructuredPredictionLoss', {'margin': 'smooth_l1'}, 'isotropic'),
    ('6', 'image-aware, STAR'): ('STARLoss', {}, 'image_aware'),
    ('6, A1', 'image-aware, Eq. 11'): ('StructuredPredictionLoss', {'margin': 'smooth_l1'}, 'image_aware'),
    ('2', 'mean squared error on Gaussians'): ('KeypointGaussianMSELoss', {}, 'none'),
    ('4', 'soft-argmax + l2'): ('SoftArgmaxLoss', {'kind': 'l2'}, 'none'),
    ('4', 'soft-argmax + smooth l1'): ('SoftArgmaxLoss', {'kind': 'smooth_l1', 'loss_weight': 1}, 'none'),
    ('9', 'hinge (epsilon to 0)'): ('StructuredPredictionLoss', {'eps': 0}, 'image_aware'),
    ('11', 'label rounded to the pixel'): ('StructuredPredictionLoss', {'rounded_label': True}, 'image_aware'),
    ('12', 'Euclidean norm in the margin'): ('StructuredPredictionLoss', {'norm': 'l2'}, 'image_aware'),
}


def rows(page):
    """(first cell, row, config, options) of the page's tables of configs."""
    pattern = r'^\| ([^|]+) \| ([^|]+) \| \[[^]]+\]\(([^)]+\.py)\) \| (?:`([^`]+)`)? ?\|$'
    return [
        (table.strip(), row.strip(), (page.parent / config).resolve(), options)
        for table, row, config, options in re.findall(pattern, page.read_text(), re.M)
    ]


def with_options(path, options):
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, default={})
    cfg = copy.deepcopy(load(path))
    cfg.merge_from_dict(parser.parse_args(['--cfg-options', *shlex.split(options)] if options else []).cfg_options)
    return cfg


ROWS = rows(PAGE)


@pytest.mark.parametrize('row', ROWS, ids=lambda row: f'{row[0]}: {row[1]}')
def test_row_runs_what_it_says(row):
    table, name, path, options = row
    assert path in CONFIGS
    cfg = with_options(path, options)
    if (table, name) not in OBJECTIVES:
        assert not options or name.startswith('STAR')
        return
    loss_type, settings, smoothing = OBJECTIVES[table, name]
    loss = MODELS.build(cfg.model.head.loss)
    assert type(loss).__name__ == loss_type
    for key, value in settings.items():
        assert getattr(loss, key, None) == value or getattr(getattr(loss, 'objective', None), key, None) == value, key
    encoder = KEYPOINT_CODECS.build(encoder_of(cfg))
    assert (encoder.smoothing if loss.num_samples else 'none') == smoothing


def test_every_expected_row_is_on_the_page():
    assert set(OBJECTIVES) <= {row[:2] for row in ROWS}


def test_stars_own_schedule_is_that_of_its_code():
    """conf/alignment.py: a batch of 32 in all, which lib/utility.py divides among the processes; Adam without decay."""
    (row,) = [row for row in ROWS if row[1].endswith('500 epochs')]
    cfg = with_options(*row[2:])
    assert 4 * cfg.train_dataloader.batch_size == cfg.auto_scale_lr.base_batch_size == 32
    assert cfg.optim_wrapper.optimizer.weight_decay == 0
    assert cfg.train_cfg.max_epochs == cfg.param_scheduler[0].end == 500
    assert cfg.param_scheduler[0].milestones == [200, 350, 450]


def test_tests_of_the_page_read_each_face_once():
    for words in commands(PAGE):
        if 'tools/test.py' in words and not any(
            part in ' '.join(words) for part in ('star-weights', 'mmpose_sp/weights')
        ):
            assert 'model.test_cfg.flip_test=False' in words, ' '.join(words)


def test_every_table_and_figure_has_a_place():
    tables = set(itertools.chain.from_iterable(row[0].split(', ') for row in ROWS))
    assert {*'123456', 'A1', 'A2', 'A3', 'A4', 'A5'} <= tables
    headings = ' '.join(re.findall(r'\*\*(.*?)\*\*', PAGE.read_text().split('## Figures')[1], re.S))
    figures = set(re.findall(r'A?\d+', headings))
    assert {*'12345', *(f'A{i}' for i in range(1, 13))} <= figures


def commands(page):
    """Commands of code blocks and of inline code, variables replaced (those of a loop by their first value)."""
    text = page.read_text().replace('\\\n', ' ')
    blocks = re.findall(r'```bash\n(.*?)```', text, re.S)
    inline = re.findall(r'`((?:python )?tools/[^`\s]+\.(?:py|sh)[^`]*)`', re.sub(r'```.*?```', '', text, flags=re.S))
    for block in [*blocks, *inline]:
        variables = dict(re.findall(r'\bfor (\w+) in (\S+)', block), C=PREFIX)
        variables.update(re.findall(r'^ *(\w+)=(\S+)(?: +#.*)?$', block, re.M))
        for line in block.splitlines():
            for _ in range(2):  # variables in the values of variables
                line = string.Template(line).safe_substitute(variables)
            words = line.split()
            if any(word.startswith('tools/') for word in words):
                yield words


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r'\]\(([^)\s]+)\)', page.read_text()):
        if not target.startswith('http'):
            assert (page.parent / target.split('#')[0]).exists(), target


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.name)
def test_commands_name_files_and_flags_that_exist(page):
    found = list(commands(page))
    assert found or page not in (PAGE, ROOT / 'README.md', *ZOO)
    for words in found:
        for word in words:
            if word.startswith(('tools/', 'configs/')):
                for path in expand(word):
                    assert (ROOT / path).exists(), f'{path} in: {" ".join(words)}'
        tool = next(word for word in words if word.startswith('tools/'))
        text = source(tool)
        for flag in (word for word in words if word.startswith('--')):
            assert f"'{flag}'" in text, f'{tool} has no {flag}'


def expand(word):
    brace = re.match(r'(.*)\{(.+)\}(.*)', word)
    return [brace[1] + part + brace[3] for part in brace[2].split(',')] if brace else [word]


def source(tool):
    from mmpose_sp.utils.launch import mmpose_tool

    if tool in MMPOSE_TOOLS:
        return open(mmpose_tool(MMPOSE_TOOLS[tool])).read()
    files = [ROOT / tool]
    if tool.startswith('tools/dataset_converters'):
        files += sorted((ROOT / 'mmpose_sp' / 'convert').glob('*.py'))
    if 'apis.arguments' in files[0].read_text():
        files.append(ROOT / 'mmpose_sp' / 'apis' / 'arguments.py')
    return ''.join(path.read_text() for path in files)


def test_the_readmes_own_config_trains(tmp_path):
    (block,) = re.findall(r'```python\n(_base_ = \(.*?)```', (ROOT / 'README.md').read_text(), re.S)
    path = tmp_path / 'own.py'
    path.write_text(block)
    cfg = load(path)
    cfg.model.backbone.pop('init_cfg')  # no download
    model = MODELS.build(cfg.model)
    sample = Compose(training_pipeline(cfg))(face_sample(tmp_path, load(FACES_300W)))
    losses = model.train()(**model.data_preprocessor(pseudo_collate([sample]), True), mode='loss')
    # scores are near 0 before training: the loss is that of a uniform posterior, log(64 * 64) and the margin
    assert np.log(64 * 64) < losses['loss_kpt'].item() < np.log(64 * 64) + 4


def test_every_config_is_in_the_zoo():
    named = ' '.join(page.read_text() for page in [*ZOO, FOLDER / 'README.md'])
    missing = [path.name for path in CONFIGS if f'{path.name})' not in named]
    assert not missing


@pytest.mark.parametrize(
    ('data', 'parts'),
    [
        ('wflw', [('1', slice(None)), ('2', slice(None))]),
        ('cofw', [('3', slice(None)), ('A4', slice(2, 4))]),
        ('300w', [('4', slice(None)), ('A5', slice(None))]),
    ],
)
@pytest.mark.parametrize(('method', 'objective'), [('The paper', 'sp'), ('STAR', 'star'), ('STAR', 'star-weights')])
def test_zoo_quotes_the_papers_tables(data, parts, method, objective):
    published = yaml.safe_load((ROOT / 'tools' / 'analysis_tools' / 'paper_tables.yml').read_text())['tables']
    expected = []
    for table, cells in parts:
        (row,) = [row for row in published[table]['rows'] if row['method'] == method]
        columns = zip(row['values'][cells], published[table]['columns'][cells])
        expected += [f'{value:.{column["digits"]}f}' for value, column in columns]
    page = (FOLDER / data / f'sp_{data}.md').read_text()
    schedule = '' if objective == 'star-weights' else '-4xb32-200e'
    (line,) = [line for line in page.splitlines() if f'[td-hm_aam-hg4_{objective}{schedule}_{data}-' in line]
    assert [cell.strip() for cell in line.split('|')[3 : 3 + len(expected)]] == expected

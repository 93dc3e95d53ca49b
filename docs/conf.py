"""The docs site: the Markdown pages where they lie in the repository, and an API reference out of the docstrings.

The source folder is the root of the repository, so that links between pages are the same here and on GitHub. What has
no Markdown page of its own is written before the build: a page for each room of the package, and the contents.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / 'mmpose_sp'
sys.path.insert(0, str(ROOT))

project = author = 'mmpose_sp'
extensions = ['myst_parser', 'sphinx.ext.autodoc', 'sphinx.ext.napoleon', 'sphinx.ext.viewcode']
root_doc = 'README'
include_patterns = ['*.md', 'docs/**.md', 'configs/**.md', 'mmpose_sp/weights/*.md']
exclude_patterns = ['.*', 'data', 'work_dirs', 'build', 'dist', 'docs/_build', 'tests', 'tools']
html_theme = 'furo'
html_title = 'mmpose_sp'
html_static_path = ['site.css']
html_css_files = ['site.css']
html_show_copyright = False
myst_heading_anchors = 3
# Types stand in signatures alone; the reference shows them with the parameters.
autodoc_typehints = 'description'
autodoc_typehints_description_target = 'documented_params'
autodoc_member_order = 'bysource'
autodoc_default_options = {'members': True, 'undoc-members': True, 'show-inheritance': True}
autodoc_inherit_docstrings = False  # torch's and mmengine's refer to pages of theirs
napoleon_numpy_docstring = False
napoleon_use_ivar = True  # attributes are members already

CONTENTS = """
```{toctree}
:hidden:
:caption: Guides
:glob:
docs/README
docs/[!R]*
```
```{toctree}
:hidden:
:caption: Models and numbers
:glob:
configs/face_2d_keypoint/topdown_heatmap/README
configs/face_2d_keypoint/topdown_heatmap/*/*
mmpose_sp/weights/*
docs/benchmark/*
```
```{toctree}
:hidden:
:caption: API reference
:glob:
docs/api/*
```
```{toctree}
:hidden:
:caption: Development
CONTRIBUTING
CHANGELOG
```
"""


def modules(room):
    """The modules of a room: of a folder, or a module beside the folders."""
    files = [room] if room.is_file() else sorted(room.rglob('*.py'))
    for file in files:
        name = '.'.join(file.relative_to(ROOT).with_suffix('').parts)
        # the names that a package hands on are documented where they are defined
        if file.stem not in ('__init__', '__main__'):
            yield name


def write_reference():
    """One page a room in docs/api, which git ignores."""
    folder = ROOT / 'docs' / 'api'
    folder.mkdir(exist_ok=True)
    for old in folder.glob('*.md'):
        old.unlink()
    for room in sorted(PACKAGE.iterdir()):
        names = list(modules(room)) if room.suffix == '.py' or (room / '__init__.py').is_file() else []
        if not names or room.name == 'weights':
            continue
        parts = [f'# mmpose_sp.{room.stem}']
        for name in names:
            heading = f'## {name}\n' if room.is_dir() else ''
            parts.append(f'{heading}\n```{{eval-rst}}\n.. automodule:: {name}\n```')
        (folder / f'{room.stem}.md').write_text('\n\n'.join(parts) + '\n', encoding='utf-8')


def complete_page(app, name, source):
    """The table of contents, below the first page; reports of speed, which all have one title, by their names."""
    if name == root_doc:
        source[0] += CONTENTS
    if name.startswith('docs/benchmark/'):
        source[0] = source[0].replace('# Speed\n', f'# Speed: {name.rpartition("/")[2]}\n', 1)


def drop_field_numbers(app, what, name, obj, options, lines):
    """Python's own docstring of a named tuple's field says nothing."""
    if lines and lines[0].startswith('Alias for field number'):
        lines.clear()


def write_entrance(app, error):
    """Web servers look for index.html."""
    if error is None:
        page = f'<meta http-equiv="refresh" content="0; url={root_doc}.html">\n'
        Path(app.outdir, 'index.html').write_text(page, encoding='utf-8')


def setup(app):
    write_reference()
    app.connect('source-read', complete_page)
    app.connect('autodoc-process-docstring', drop_field_numbers)
    app.connect('build-finished', write_entrance)

"""``mmpose-sp``: every tool of mmpose_sp by one command, also where there is no clone of the repository.

A command finds the script of ``tools/``, gives it the arguments as they are, and runs it in this process. Nothing heavy
is imported here, so that ``--help`` costs what the script makes of it.
"""

import sys
from pathlib import Path
from types import ModuleType
from typing import Dict, List, NamedTuple, Optional

from .deferral import missing_foundations
from .utils.requirements import check_versions
from .version import __version__


class Command(NamedTuple):
    """A script below ``tools/``, what it does, and whether it cannot do without torch and OpenMMLab."""

    script: str
    summary: str
    founded: bool = True


COMMANDS: Dict[str, Command] = {
    'infer': Command('infer.py', 'landmarks of a picture, a folder or a video', founded=False),
    'demo': Command('gradio_demo.py', 'a page in the browser to try a model'),
    'annotate': Command('annotate.py', 'a page in the browser to correct the faces of a folder by hand'),
    'webcam': Command('webcam_demo.py', 'landmarks on the pictures of a camera'),
    'train': Command('train.py', 'train the model of a config'),
    'test': Command('test.py', 'test a checkpoint on its benchmark'),
    'convert wflw': Command('dataset_converters/wflw2coco.py', 'the download of WFLW to what the configs read', False),
    'convert cofw': Command('dataset_converters/cofw2coco.py', 'the download of COFW', founded=False),
    'convert 300w': Command('dataset_converters/300w2coco.py', 'the download of 300-W', founded=False),
    'convert synthetic': Command('dataset_converters/synthetic_faces.py', 'render faces in these layouts', False),
    'posterior': Command('posterior.py', 'fit confidences, ellipses and the joint posterior of a model'),
    'package': Command('misc/package_model.py', 'a config and a checkpoint as a small pair of files to ship'),
    'export': Command('deployment/export_onnx.py', 'a model as ONNX, for infer without torch'),
    'env': Command('', 'check this environment: one line per requirement, with its fix', founded=False),
}


#: Modules that are not installed with mmpose_sp itself, and the extra that has them.
EXTRAS = {
    **dict.fromkeys(('h5py', 'matplotlib', 'scipy', 'yaml'), 'train'),
    **dict.fromkeys(('onnx', 'onnxscript'), 'onnx'),
    **dict.fromkeys(('PIL', 'cv2', 'onnxruntime'), 'runtime'),
}


def tools_folder() -> Path:
    """Where the scripts are: inside of an installed package, or beside the package in a clone.

    Raises:
        FileNotFoundError: Neither there nor there.
    """
    package = Path(__file__).resolve().parent
    folders = package / '.mim' / 'tools', package.parent / 'tools'
    for folder in folders:
        if (folder / 'infer.py').is_file():
            return folder
    raise FileNotFoundError(f'no tools in {folders[0]} or {folders[1]}: install mmpose_sp again')


def overview() -> str:
    """The text of ``mmpose-sp --help``."""
    lines = [f'  {name:<18} {command.summary}' for name, command in COMMANDS.items()]
    return '\n'.join(
        [
            'usage: mmpose-sp COMMAND [ARGUMENTS]',
            '',
            f'mmpose_sp {__version__}: facial landmarks by structured prediction, for MMPose 1.x.',
            '',
            *lines,
            '',
            "'mmpose-sp COMMAND --help' lists the arguments of a command.",
        ]
    )


def run_script(script: Path, program: str, arguments: List[str]) -> None:
    """Run a script as ``python script arguments`` does, but that its usage names ``program``."""
    sys.argv[:] = [program, *arguments]
    sys.path.insert(0, str(script.parent))  # scripts of one folder import each other
    # Not runpy.run_path, which puts the name of the script into sys.argv.
    sys.modules['__main__'] = module = ModuleType('__main__')
    module.__file__ = str(script)  # processes that are spawned look for it
    exec(compile(script.read_bytes(), str(script), 'exec'), vars(module))


def main(argv: Optional[List[str]] = None) -> int:
    """Run a command; returns the exit status, where the script does not end the program itself."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ('-h', '--help', 'help'):
        print(overview())
        return 0
    if words[0] in ('-V', '--version'):
        print(__version__)
        return 0
    name, arguments = words[0], words[1:]
    if name == 'convert' and arguments[:1] not in ([], ['-h'], ['--help']):
        name, arguments = f'convert {arguments[0]}', arguments[1:]
    if name not in COMMANDS:
        known = [known for known in COMMANDS if known.startswith(f'{name.split()[0]} ')] or list(COMMANDS)
        asked = name == 'convert' and bool(arguments)
        print(f'mmpose-sp {name}: one of: {", ".join(known)}', file=sys.stdout if asked else sys.stderr)
        return 0 if asked else 2
    command = COMMANDS[name]
    missing = missing_foundations() if command.founded else []
    if missing:
        fixes = ''
        try:
            check_versions()
        except ImportError as error:
            fixes = str(error)
        print(f'mmpose-sp {name}: error: it needs {", ".join(missing)}. {fixes}', file=sys.stderr)
        return 2
    if name == 'env':
        from .utils import collect_env

        sys.argv[0] = 'mmpose-sp env'
        return collect_env.main(arguments)
    try:
        run_script(tools_folder() / command.script, f'mmpose-sp {name}', arguments)
    except ModuleNotFoundError as error:
        if error.name not in EXTRAS:
            raise
        fix = f"pip install 'mmpose_sp[{EXTRAS[error.name]}]'"
        print(f'mmpose-sp {name}: error: {error.name} is not installed. Fix: {fix}', file=sys.stderr)
        return 2
    return 0


if __name__ == '__main__':
    sys.exit(main())

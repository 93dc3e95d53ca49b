"""Programs in processes of their own, at the price of a fork."""

import json
import os
import subprocess
import sys

from tools_by_path import ROOT

PARENT = """
import json, os, sys, traceback
programs = json.load(sys.stdin)
{warm}
found = []
for program in programs:
    read, write = os.pipe()
    if not os.fork():
        status = 1
        try:
            os.dup2(write, 1)
            os.dup2(write, 2)
            exec(program, {{'__name__': '__main__'}})
            status = 0
        except SystemExit as end:
            status = int(end.code or 0)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(status)
    os.close(write)
    with os.fdopen(read) as pipe:
        found.append([pipe.read(), os.waitstatus_to_exitcode(os.wait()[1])])
print(json.dumps(found))
"""


def forked(programs, warm=''):
    """What each program writes, standard error included, and its status.

    Args:
        programs: Texts; each begins as a fresh interpreter that has run ``warm``.
    """
    done = subprocess.run(
        [sys.executable, '-c', PARENT.format(warm=warm)],
        env=dict(os.environ, PYTHONPATH=str(ROOT), COLUMNS='100'),
        input=json.dumps(list(programs)),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and not done.stderr, done.stderr
    return json.loads(done.stdout)

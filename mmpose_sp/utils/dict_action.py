"""``--cfg-options`` without the seconds that importing mmengine takes."""

import argparse
from typing import Any, Optional


class DictAction(argparse.Action):
    """mmengine's ``DictAction`` (``key=value``, ...), imported when there is something to parse."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: Optional[str] = None
    ) -> None:
        from mmengine.config import DictAction as Real

        Real(self.option_strings, self.dest, nargs=self.nargs)(parser, namespace, values, option)

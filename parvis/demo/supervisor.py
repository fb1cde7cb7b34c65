"""``parvis demo``: hands over to a lean process of its own.

The command line has loaded the whole hub by now; the supervisor, which lives as long as the
demonstration, needs little of it.
"""

import os
import sys
from collections.abc import Sequence
from typing import NoReturn


def main(arguments: Sequence[str]) -> NoReturn:
    """Become the supervisor (``python -m parvis.demo``), with the same process number."""
    sys.stdout.flush()
    sys.stderr.flush()
    command = [sys.executable, "-m", "parvis.demo", *arguments]
    os.execv(sys.executable, command)  # noqa: S606 - no shell, our own program

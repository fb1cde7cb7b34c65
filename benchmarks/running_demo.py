"""The demonstration a measure is taken on: the one whose folder is given, or one of its own."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningDemo:
    """What ``demo.json`` says, and the supervisor's own process."""

    state: Mapping[str, Any]
    supervisor: int


@contextmanager
def running_demo(folder: Path | None) -> Iterator[RunningDemo]:
    """Give the demonstration of a folder; without one, start it, let it tell its story, stop it."""
    if folder is not None:
        yield _read(folder)
        return
    with tempfile.TemporaryDirectory(prefix="parvis-bench-") as place:
        own = Path(place) / "demo"
        command = [sys.executable, "-P", "-m", "parvis", "demo", "--json", "--data", str(own)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            _wait_for_the_story(process)
            yield _read(own)
        finally:
            process.terminate()
            process.communicate(timeout=60)


def _read(folder: Path) -> RunningDemo:
    state = json.loads((folder / "demo.json").read_text(encoding="utf-8"))
    return RunningDemo(state=state, supervisor=int((folder / "demo.lock").read_text()))


def _wait_for_the_story(process: "subprocess.Popen[str]") -> None:
    for line in process.stdout or ():
        if line.startswith("{"):
            if json.loads(line)["ok"]:
                return
            break
    raise SystemExit("La démonstration n'a pas joué son histoire : rien à mesurer.")

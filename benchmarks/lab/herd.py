"""The worker processes of one engine: started, held while the work is laid out, let go, ended.

Held means stopped by the kernel, whatever the engine is: all of them begin with everything warm and
everything waiting.
"""

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.lab.figures import ROOT


class EngineFailedError(Exception):
    """An engine ended, lost runs or did not finish: it has no figures."""


class Herd:
    """Processes that are started alike, each the head of its own group."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        log: Path,
        cwd: Path = ROOT,
        has_pipe: bool = False,
    ) -> None:
        self._command = command
        self._environment = environment
        self._log = log
        self._cwd = cwd
        self._pipe = subprocess.PIPE if has_pipe else None
        self.processes: list[subprocess.Popen[str]] = []

    @property
    def pids(self) -> list[int]:
        """The heads of the groups."""
        return [process.pid for process in self.processes]

    def start(self, count: int) -> None:
        """Start so many processes."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PARVIS_")}
        with self._log.open("ab") as log:
            self.processes = [
                subprocess.Popen(
                    self._command,
                    cwd=self._cwd,
                    env=kept | dict(self._environment),
                    stdin=self._pipe or subprocess.DEVNULL,
                    stdout=self._pipe or log,
                    stderr=log,
                    text=True,
                    start_new_session=True,
                    preexec_fn=die_with_parent,  # noqa: PLW1509 - the driver has no threads yet
                )
                for _ in range(count)
            ]

    def hold(self) -> None:
        """Stop them where they are."""
        self._tell(signal.SIGSTOP)

    def go(self) -> None:
        """Let them go on."""
        self._tell(signal.SIGCONT)

    def check(self) -> None:
        """Fail when one of them is gone."""
        dead = [process for process in self.processes if process.poll() is not None]
        if dead:
            told = f"{self._command} ended with {dead[0].returncode}"
            raise EngineFailedError(f"{told}:\n{self.tail()}")

    def tail(self) -> str:
        """Return the last that they said."""
        return self._log.read_text(errors="replace")[-2000:]

    def stop(self, patience: float = 30.0) -> None:
        """End them, politely first."""
        self.go()
        self._tell(signal.SIGTERM)
        end = time.monotonic() + patience
        for process in self.processes:
            try:
                process.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(10)
        self.processes = []

    def _tell(self, number: int) -> None:
        for process in self.processes:
            if process.poll() is None:
                os.killpg(process.pid, number)


def die_with_parent() -> None:
    """Ask Linux to end this process when the one that started it ends, however (option 1)."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)

"""Children of a parent of ours: each in a session of its own, restarted when it dies, stopped in order.

Linux ends them when the parent's main thread ends, however it ends; that is why only this thread
starts them.
"""

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final, Protocol

from schemas.errors import ConfigurationError

PR_SET_PDEATHSIG: Final = 1
STEADY_SECONDS: Final = 30.0
LONGEST_PAUSE_SECONDS: Final = 5.0
_prctl = ctypes.CDLL(None).prctl


class Child(Protocol):
    """Something that runs beside us."""

    name: str

    @property
    def pid(self) -> int | None:
        """The process, while it runs."""

    def start(self) -> None:
        """Start it, or start it again."""

    def ask(self) -> None:
        """Ask it to stop, without waiting."""

    def stop(self) -> None:
        """Stop it, all of it."""


@dataclass(kw_only=True)
class Program:
    """A program of ours; ``environment`` is asked at every start.

    Without ``log`` it writes where its parent writes. Its patience counts from when it was asked, so
    that many asked at once are given up at once.
    """

    name: str
    command: Sequence[str]
    environment: Callable[[], Mapping[str, str]]
    folder: Path | None = None
    log: Path | None = None
    patience_seconds: float = 10.0
    ended_with: int | None = field(default=None, init=False)
    _process: "subprocess.Popen[bytes] | None" = field(default=None, init=False)
    _asked_at: float | None = field(default=None, init=False)

    @property
    def pid(self) -> int | None:
        """The process, while it runs."""
        running = self._process is not None and self._process.poll() is None
        return self._process.pid if self._process and running else None

    def start(self) -> None:
        """Start it, after what a dead one left of its group was ended."""
        self._end_group(signal.SIGKILL)
        self._asked_at = None
        log = self.log.open("ab") if self.log else None
        try:
            self._process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env=dict(self.environment()),
                start_new_session=True,
                preexec_fn=partial(_die_with, os.getpid()),
            )
        finally:
            if log:
                log.close()

    def ask(self) -> None:
        """Ask it to stop, without waiting."""
        if self._process is None or self._asked_at is not None or self._process.poll() is not None:
            return
        self._asked_at = time.monotonic()
        self._process.send_signal(signal.SIGTERM)

    def stop(self) -> None:
        """Ask it to stop, wait, and end what is left."""
        self.ask()
        if self._process is None:
            return
        if self._process.poll() is None and self._asked_at is not None:
            left = self._asked_at + self.patience_seconds - time.monotonic()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(max(0.0, left))
        self._end_group(signal.SIGKILL)
        self.ended_with = self._process.returncode
        self._process = None

    def _end_group(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)
        self._process.wait()


@dataclass
class _Post:
    child: Child
    started_at: float
    failures: int = 0
    again_at: float | None = None


class Crew:
    """The children in the order they were started; ``mend`` is called about ten times a second."""

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._posts: dict[str, _Post] = {}
        self._now = monotonic

    def start(self, child: Child) -> None:
        """Start a child and keep it running from now on."""
        self._posts[child.name] = _Post(child=child, started_at=self._now())
        child.start()

    @property
    def pids(self) -> dict[str, int]:
        """The processes that run, by name."""
        found = {name: post.child.pid for name, post in self._posts.items()}
        return {name: pid for name, pid in found.items() if pid is not None}

    def mend(self) -> tuple[str, ...]:
        """Start again what died; returns the names of those that were."""
        return tuple(name for name, post in self._posts.items() if self._mended(post))

    def stop(self, order: Sequence[str], *, asked_first: Sequence[str] = ()) -> None:
        """Stop everything: those named, in this order, then the rest, last started first.

        ``asked_first`` are asked at once, so that they finish while others do.
        """
        rest = [name for name in reversed(self._posts) if name not in order]
        for name in asked_first:
            if name in self._posts:
                self._posts[name].child.ask()
        for name in (*order, *rest):
            if name in self._posts:
                self._posts[name].child.stop()
        self._posts.clear()

    def _mended(self, post: _Post) -> bool:
        now = self._now()
        if post.child.pid is not None:
            return False
        if post.again_at is None:
            steady = now - post.started_at > STEADY_SECONDS
            post.failures = 0 if steady else post.failures + 1
            post.again_at = now + _pause(post.failures)
        if now < post.again_at:
            return False
        try:
            post.child.start()
        except (ConfigurationError, OSError):
            post.failures += 1
            post.again_at = now + _pause(post.failures)
            return False
        post.started_at, post.again_at = now, None
        return True


def _pause(failures: int) -> float:
    """Return the seconds before a start: none for a first accident, longer each time after."""
    return 0.0 if failures <= 1 else min(0.1 * 2.0**failures, LONGEST_PAUSE_SECONDS)


def _die_with(parent: int) -> None:
    """Ask Linux to end this process with its parent; a parent already gone ends it at once."""
    _prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os._exit(1)

"""The folder transport: a directory that the town's own tool carries away.

Whole lines, fsync, a lock shared by all processes, and a file that is either not there or complete:
whatever is killed, the directory can be read by somebody else at any moment.
"""

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from connectors.kit.http import Call
from schemas import clock
from schemas.errors import PartnerError, PartnerMisconfiguredError, PartnerUnavailableError
from schemas.receipts import Exchange

LOCK_NAME: Final = ".verrou"
LOCK_WAIT_SECONDS: Final = 10.0
LOCK_PAUSE_SECONDS: Final = 0.01
SETTINGS_FAULTS: Final = frozenset(
    {errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.EPERM, errno.EROFS}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderProfile:
    """What all calls of one profile share."""

    profile: str
    directory: str


class FolderFace:
    """Files of one directory, for one operation."""

    __slots__ = ("_call", "_shared")

    def __init__(self, shared: FolderProfile, call: Call) -> None:
        self._shared = shared
        self._call = call

    @property
    def directory(self) -> Path:
        """The directory of the profile."""
        return Path(self._shared.directory)

    def failure(self, kind: type[PartnerError], code: str) -> PartnerError:
        """Return an error of this call; ``code`` is a word of ours."""
        return kind(self._shared.profile, self._call.operation, code)

    def missing(self) -> PartnerError:
        """Return the error that says the directory is not there, recorded."""
        self._record("disk")
        return self.failure(PartnerMisconfiguredError, "folder ENOENT")

    @contextmanager
    def held(self) -> Iterator[Path]:
        """Hold the directory alone; the exchange is recorded, a failing disk becomes an error of ours.

        Raises:
            PartnerMisconfiguredError: the directory is missing or not ours to write.
            PartnerUnavailableError: the disk fails or is full, or the lock is held too long.
        """
        outcome = "unfinished"
        try:
            with _locked(self.directory):
                yield self.directory
            outcome = "ok"
        except PartnerError:
            outcome = "refused"
            raise
        except OSError as error:
            outcome = "disk"
            is_setting = error.errno in SETTINGS_FAULTS
            kind = PartnerMisconfiguredError if is_setting else PartnerUnavailableError
            code = errno.errorcode.get(error.errno or 0, "lock")
            raise kind(self._shared.profile, self._call.operation, f"folder {code}") from None
        finally:
            self._record(outcome)

    def _record(self, outcome: str) -> None:
        self._call.log.append(
            Exchange(
                profile=self._shared.profile,
                operation=self._call.operation,
                address=f"FOLDER {self.directory.name}",
                asked_at=self._call.asked_at,
                sent_at=None,
                answered_at=None,
                ended_at=clock.utcnow(),
                outcome=outcome,
                idempotency_key=self._call.key,
            )
        )


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    descriptor = os.open(directory / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _wait_for(descriptor)
        yield
    finally:
        os.close(descriptor)  # which unlocks


def _wait_for(descriptor: int) -> None:
    """Try without blocking: a process full of greenlets must not wait in C."""
    ends_at = clock.monotonic() + LOCK_WAIT_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if clock.monotonic() > ends_at:
                raise TimeoutError from None
            time.sleep(LOCK_PAUSE_SECONDS)
        else:
            return


def append_line(path: Path, line: bytes) -> None:
    """Add one whole line and wait for the disk."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        rest = memoryview(line)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_content(path: Path, content: bytes) -> None:
    """Put new content in the place of a file: old or new, never half."""
    draft = path.with_name(f".{path.name}.tmp")
    draft.unlink(missing_ok=True)
    append_line(draft, content)
    rename(draft, path)


def rename(source: Path, target: Path) -> None:
    """Rename within the directory and wait for the disk."""
    source.replace(target)
    descriptor = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

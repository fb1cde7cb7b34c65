"""The desk of a mock: takes a request, lets the faults strike, asks the mock, writes the journal.

Everything that changes the mock happens under one lock, so a hundred identical requests at once have the
effects that a real system's transactions would give them.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from typing import Protocol, TypeAlias

from mock_partners.clock import MockClock
from mock_partners.faults import FaultSwitch, Hit
from mock_partners.journal import Entry, Journal
from mock_partners.tampering import delivered, is_applied, replaced
from mock_partners.wire import After, Answer, Delivery, Request

__all__ = ["App", "Desk", "Mock", "Rig", "View"]

View: TypeAlias = Callable[[Request], object]


@dataclass(slots=True, kw_only=True)
class Rig:
    """What the control plane holds of a mock."""

    faults: FaultSwitch
    clock: MockClock = field(default_factory=MockClock)
    journal: Journal = field(default_factory=Journal)


class App(Protocol):
    """Something the server can put behind a port."""

    rig: Rig

    def handle(self, request: Request) -> Delivery:
        """Answer one request of the faked system."""

    def reset(self) -> None:
        """Go back to the state of the start, clock and journal included."""

    def close(self) -> None:
        """Let go of what is held open; the server calls it when it stops."""

    def views(self) -> Mapping[str, View]:
        """More pages of the control plane, by name (``GET /_mock/<name>``)."""

    def actions(self) -> Mapping[tuple[str, str], View]:
        """More verbs of the control plane, by method and name."""


class Mock(Protocol):
    """A faked system: pure state, no socket, no fault."""

    operations: frozenset[str]
    error_bodies: Mapping[int, object]

    def operation(self, request: Request) -> str:
        """The name of what is asked, for the journal and the faults."""

    def answer(self, request: Request) -> Answer:
        """Do it, and say what was changed."""

    def revoked(self, request: Request) -> Answer:
        """What the system answers once our credentials are withdrawn."""

    def lose_sessions(self) -> None:
        """Forget every session that was opened."""

    def reset(self) -> None:
        """Go back to the state of the start."""

    def views(self) -> Mapping[str, View]:
        """More pages of the control plane, by name."""


class Desk:
    """The app of a mock that receives calls."""

    def __init__(self, mock: Mock, *, faults: frozenset[str], clock: MockClock) -> None:
        self._mock = mock
        self._lock = threading.RLock()
        self._sleep = time.sleep
        self.rig = Rig(faults=FaultSwitch(faults, mock.operations), clock=clock)
        self._names = faults

    def handle(self, request: Request) -> Delivery:
        """Answer one request, or fail it as the armed faults say."""
        operation = self._mock.operation(request)
        hits = self.rig.faults.strike(operation, names=self._names)
        if "down" in hits:  # a system that is down receives nothing, so nothing is journalled
            return Delivery(after=After.RESET)
        if "latency" in hits:
            self._sleep(_delay(hits["latency"]))
        if "reset_before" in hits:
            self._note(request, operation, Answer(status=0), status=None)
            return Delivery(after=After.RESET)
        answer = self._answered(request, operation, hits)
        now = self.rig.clock.now()
        return delivered(
            answer, hits, date=_http_date(now), method=request.method, is_last=request.is_last
        )

    def reset(self) -> None:
        """Forget state, journal, faults and clock."""
        with self._lock:
            self.rig.faults.clear()
            self.rig.clock.reset()
            self._mock.reset()
            self.rig.journal.clear()

    def close(self) -> None:
        """A receiving mock holds nothing open."""

    def views(self) -> Mapping[str, View]:
        """The mock's own pages, read under its lock."""
        return {name: self._locked(view) for name, view in self._mock.views().items()}

    def actions(self) -> Mapping[tuple[str, str], View]:
        """A receiving mock has no verb of its own."""
        return {}

    def _locked(self, view: View) -> View:
        def read(request: Request) -> object:
            with self._lock:
                return view(request)

        return read

    def _answered(self, request: Request, operation: str, hits: Mapping[str, Hit]) -> Answer:
        times = int(hits["duplicate"].number("n")) if "duplicate" in hits else 1
        seconds = hits["clock_skew"].number("seconds") if "clock_skew" in hits else 0.0
        with self._lock, self.rig.clock.skewed(seconds):
            answers = [self._once(request, operation, hits) for _ in range(times)]
        return answers[0]

    def _once(self, request: Request, operation: str, hits: Mapping[str, Hit]) -> Answer:
        answer = replaced(hits, self._true(request, hits), error_bodies=self._mock.error_bodies)
        status = None if "reset_after" in hits else answer.status
        self._note(request, operation, answer, status=status)
        return answer

    def _true(self, request: Request, hits: Mapping[str, Hit]) -> Answer:
        if "session_lost" in hits:
            self._mock.lose_sessions()
        if "auth_revoked" in hits:
            return self._mock.revoked(request)
        return self._mock.answer(request) if is_applied(hits) else Answer(status=0)

    def _note(
        self, request: Request, operation: str, answer: Answer, *, status: int | None
    ) -> None:
        key = request.headers.get("idempotency-key")
        self.rig.journal.append(
            Entry(
                at=self.rig.clock.now(),
                operation=operation,
                idempotency_key=None if key is None else key.strip('"'),
                reference=answer.reference,
                status=status,
                effect=answer.effect,
            )
        )


def _delay(hit: Hit) -> float:
    return (hit.number("ms") + hit.chance * hit.number("jitter_ms")) / 1000


def _http_date(now: datetime) -> str:
    return format_datetime(now.replace(microsecond=0), usegmt=True)

"""Figures for the people who watch the hub, on a port of their own.

Counters are kept by the process that counts. What the tables know (waiting, stuck, systems in
trouble) is asked of them when somebody looks. No label ever names a person.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from threading import Thread
from typing import Any, Final
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, Counter, Histogram, start_http_server
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from orchestrator.services.ports.figures import Figures
from schemas import clock
from schemas.errors import StoreUnavailableError

_PAUSES: Final = 20  # readings of the tables would fit between two
_LONGEST_PAUSE_SECONDS: Final = 60.0  # a database that went away is told no later
SECONDS: Final = (0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5, 10, 60, 600, 3600, 86_400)


@dataclass(frozen=True, slots=True)
class Meter:
    """The counters of one process."""

    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    _counters: dict[str, Any] = field(init=False, default_factory=dict, repr=False)
    _children: dict[tuple[str, ...], Any] = field(init=False, default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self._count("events_received", "Events by what became of them", "partner type result")
        self._count("step_attempts", "Attempts of steps", "profile outcome")
        self._count("notifications", "Messages to people", "channel status")
        self._count("consent_events", "Events of consent", "purpose event")
        self._count("outbox_relayed", "Rows by what the broker made of them", "topic result")
        self._counters["run_duration"] = Histogram(
            "parvis_run_duration_seconds",
            "From a run's first message to its end",
            ("journey", "outcome"),
            buckets=SECONDS,
            registry=self.registry,
        )

    def received(self, partner: str, message_type: str, result: str) -> None:
        """Count one event by what became of it."""
        self._child("events_received", partner, message_type, result).inc()

    def attempted(self, profile: str, outcome: str) -> None:
        """Count one attempt of a step."""
        self._child("step_attempts", profile, outcome).inc()

    def notified(self, channel: str, status: str) -> None:
        """Count one message to a person."""
        self._child("notifications", channel, status).inc()

    def consented(self, purpose: str, event: str) -> None:
        """Count one event of consent."""
        self._child("consent_events", purpose, event).inc()

    def relayed(self, topic: str, result: str, *, rows: int) -> None:
        """Count rows of the outbox by what the broker made of them."""
        self._child("outbox_relayed", topic, result).inc(rows)

    def ended(self, journey: str, outcome: str, *, seconds: float) -> None:
        """Note how long a run took."""
        self._child("run_duration", journey, outcome).observe(seconds)

    def _child(self, name: str, *labels: str) -> Any:
        """Return the counter of some labels, looked up by the library only once."""
        child = self._children.get((name, *labels))
        if child is None:
            child = self._children[name, *labels] = self._counters[name].labels(*labels)
        return child

    def _count(self, name: str, title: str, labels: str) -> None:
        made = Counter(f"parvis_{name}", title, labels.split(), registry=self.registry)
        self._counters[name] = made


class TableCollector(Collector):
    """Asks the tables when somebody looks; says so when they cannot be reached.

    Counting a million runs takes a second and a half: figures are as old as twenty times what reading
    them took, a minute at most, so that looking often takes a twentieth of one connection.
    """

    def __init__(
        self,
        read: Callable[[], Figures],
        *,
        checkpoint_age: Callable[[], float | None] = lambda: None,
    ) -> None:
        self._read = read
        self._checkpoint_age = checkpoint_age
        self._found: Figures | None = None
        self._again_at = 0.0

    def describe(self) -> Iterable[Metric]:
        """Return nothing: registering must not ask the database."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield the figures."""
        yield InfoMetricFamily("parvis_build", "What runs", {"version": running_version()})
        age = self._checkpoint_age()
        if age is not None:
            title = "Since the journal's last checkpoint on this machine"
            yield _gauge("journal_checkpoint_age_seconds", title, (), {(): age})
        try:
            found = self._figures()
        except StoreUnavailableError:
            yield _gauge("database_up", "Whether PostgreSQL answers", (), {(): 0})
            return
        yield _gauge("database_up", "Whether PostgreSQL answers", (), {(): 1})
        yield from _families(found)

    def _figures(self) -> Figures:
        asked_at = clock.monotonic()
        if self._found is None or asked_at >= self._again_at:
            self._found = self._read()
            pause = _PAUSES * (clock.monotonic() - asked_at)
            self._again_at = asked_at + min(pause, _LONGEST_PAUSE_SECONDS)
        return self._found


def _families(found: Figures) -> Iterator[Metric]:
    yield _gauge("outbox_pending", "Messages to publish", (), {(): found.outbox_pending})
    yield _gauge(
        "outbox_oldest_age_seconds", "Age of the oldest", (), {(): found.outbox_oldest_seconds}
    )
    yield _gauge(
        "outbox_refused",
        "Rows the broker refused five times or more",
        (),
        {(): found.outbox_refused},
    )
    yield _gauge("runs_open", "Runs under way", ("journey", "status"), found.runs)
    yield _gauge("dead_letters", "Messages put aside", ("profile",), _keyed(found.dead_letters))
    yield _gauge("runs_stuck", "Runs that wait for a decision", ("reason",), _keyed(found.stuck))
    yield _gauge(
        "circuit_state",
        "State of each system's breaker",
        ("profile", "state"),
        dict.fromkeys(found.circuits.items(), 1),
    )
    yield _gauge(
        "connector_up",
        "Whether calls pass to a system",
        ("profile",),
        {(profile,): int(state == "closed") for profile, state in found.circuits.items()},
    )
    yield _gauge("config_revision", "Configuration in force", (), {(): found.revision})


def _keyed(values: Mapping[str, float]) -> dict[tuple[str], float]:
    return {(name,): value for name, value in values.items()}


def _gauge(
    name: str,
    title: str,
    labels: Sequence[str],
    values: Mapping[Any, float],
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"parvis_{name}", title, labels=labels)
    for key, value in values.items():
        family.add_metric(list(key), value)
    return family


def running_version() -> str:
    """Return the version that runs."""
    try:
        return version("parvis")
    except PackageNotFoundError:
        return "source"


def serve(
    registry: CollectorRegistry, *, port: int, address: str = "127.0.0.1"
) -> tuple[WSGIServer, Thread]:
    """Serve a registry on a port of its own; this machine only unless told otherwise."""
    return start_http_server(port, addr=address, registry=registry)


def shared_registry(folder: str) -> CollectorRegistry:
    """Return what all processes of a web server counted (``PROMETHEUS_MULTIPROC_DIR``)."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=folder)  # type: ignore[no-untyped-call]
    return registry

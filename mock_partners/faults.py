"""The fault switch every mock has: which fault, on which operation, from when, how often.

The draw is made in the order requests arrive and from the fault's own seeded generator, so the same seed
on the same traffic gives the same faults.
"""

import random
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

__all__ = [
    "RECEIVING",
    "SENDING",
    "Fault",
    "FaultRefusedError",
    "FaultSwitch",
    "Hit",
]

REQUIRED = object()
KINDS: Mapping[str, tuple[str, ...]] = {
    "bad_signature": ("body", "id", "timestamp", "key", "header"),
    "drift": ("add", "drop", "retype"),
}

PARAMETERS: Mapping[str, Mapping[str, object]] = {
    "latency": {"ms": REQUIRED, "jitter_ms": 0},
    "status": {"code": REQUIRED, "retry_after": None, "body": None, "applied": False},
    "down": {},
    "reset_before": {},
    "reset_after": {},
    "truncate": {"bytes": REQUIRED},
    "slow_drip": {"bytes_per_s": REQUIRED},
    "charset": {"actual": REQUIRED, "declared": REQUIRED},
    "html_200": {"body": None, "applied": False},
    "empty_200": {"applied": False},
    "duplicate": {"n": 2},
    "replay": {"delay_s": 0},
    "reorder": {"window": 2},
    "clock_skew": {"seconds": REQUIRED},
    "bad_signature": {"kind": "body"},
    "session_lost": {},
    "auth_revoked": {},
    "drift": {"kind": REQUIRED, "pointer": REQUIRED, "value": None},
}
RECEIVING = frozenset(
    {
        "latency",
        "status",
        "down",
        "reset_before",
        "reset_after",
        "truncate",
        "slow_drip",
        "charset",
        "html_200",
        "empty_200",
        "duplicate",
        "clock_skew",
        "auth_revoked",
        "drift",
    }
)
SENDING = frozenset({"duplicate", "replay", "reorder", "clock_skew", "bad_signature"})
COMMON = {"operation": "*", "after": 0, "times": -1, "probability": 1.0, "seed": 0}


class FaultRefusedError(Exception):
    """The fault asked for is unknown, misspelt or means nothing to this mock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault as it was armed."""

    name: str
    operation: str
    after: int
    times: int
    probability: float
    seed: int
    params: Mapping[str, object]

    @property
    def is_total(self) -> bool:
        """Whether it hits every request until it is cleared."""
        return (self.operation, self.after, self.times) == ("*", 0, -1) and self.probability >= 1

    def as_json(self) -> dict[str, object]:
        """The fault as the control plane shows it."""
        common = {key: getattr(self, key) for key in COMMON}
        return {"fault": self.name, **common, **self.params}


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A fault that strikes one request; `chance` is its own number in [0, 1) for jitter."""

    params: Mapping[str, object]
    chance: float

    def number(self, name: str) -> float:
        """A parameter that was checked to be a number."""
        value = self.params[name]
        assert isinstance(value, int | float)  # noqa: S101  checked when the fault was armed
        return value


@dataclass(slots=True)
class _Armed:
    fault: Fault
    chances: random.Random
    seen: int = 0
    fired: int = 0

    def strike(self, operation: str) -> Hit | None:
        if not fnmatchcase(operation, self.fault.operation):
            return None
        self.seen += 1
        if self.seen <= self.fault.after or self.fired == self.fault.times:
            return None
        draw, chance = self.chances.random(), self.chances.random()
        if draw >= self.fault.probability:
            return None
        self.fired += 1
        return Hit(params=self.fault.params, chance=chance)


@dataclass(slots=True)
class FaultSwitch:
    """The faults armed on one mock; `known` are those that mean something to it."""

    known: frozenset[str]
    operations: frozenset[str]
    on_change: Callable[[], None] = lambda: None
    _armed: list[_Armed] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def arm(self, documents: Iterable[object]) -> list[Fault]:
        """Arm faults described as the control plane receives them; all of them or none.

        Raises:
            FaultRefusedError: a fault is unknown here, or one of its members is wrong.
        """
        faults = [self._read(document) for document in documents]
        with self._lock:
            # Seeded on purpose: the same seed must give the same faults.
            self._armed += [_Armed(fault, random.Random(fault.seed)) for fault in faults]  # noqa: S311
        self.on_change()
        return faults

    def clear(self) -> int:
        """Disarm everything and say how many faults were armed."""
        with self._lock:
            count, self._armed = len(self._armed), []
        self.on_change()
        return count

    def listed(self) -> list[Fault]:
        """The faults armed now, oldest first."""
        with self._lock:
            return [armed.fault for armed in self._armed]

    def is_down(self) -> bool:
        """Whether a `down` without any condition is armed."""
        return any(fault.name == "down" and fault.is_total for fault in self.listed())

    def strike(self, operation: str, *, names: frozenset[str] = RECEIVING) -> dict[str, Hit]:
        """The faults that hit this request, by name; the oldest of a name wins."""
        if not self._armed:
            return {}
        hits: dict[str, Hit] = {}
        with self._lock:
            for armed in self._armed:
                hit = armed.strike(operation) if armed.fault.name in names else None
                if hit is not None:
                    hits.setdefault(armed.fault.name, hit)
        return hits

    def _read(self, document: object) -> Fault:
        if not isinstance(document, dict):
            msg = 'a fault is an object: {"fault": name, "operation": glob, ...}'
            raise FaultRefusedError(msg)
        members = dict(document)
        name = members.pop("fault", None)
        if not isinstance(name, str) or name not in self.known:
            msg = f"unknown fault {name!r}; this mock knows {sorted(self.known)}"
            raise FaultRefusedError(msg)
        common = {key: members.pop(key, value) for key, value in COMMON.items()}
        _check_common(common, self.operations)
        return Fault(name=name, params=_params(name, members), **common)


def _check_common(common: Mapping[str, object], operations: frozenset[str]) -> None:
    glob = common["operation"]
    if not isinstance(glob, str) or not any(fnmatchcase(name, glob) for name in operations):
        msg = f"operation {glob!r} matches none of {sorted(operations)}"
        raise FaultRefusedError(msg)
    for key in ("after", "times", "seed"):
        if type(common[key]) is not int:
            msg = f"{key} is an integer"
            raise FaultRefusedError(msg)
    if not _is_number(common["probability"]):
        msg = "probability is a number between 0 and 1"
        raise FaultRefusedError(msg)


def _params(name: str, given: Mapping[str, object]) -> dict[str, object]:
    known = PARAMETERS[name]
    strangers = sorted(set(given) - set(known))
    if strangers:
        msg = f"fault {name} does not know {strangers}; it takes {sorted(known)}"
        raise FaultRefusedError(msg)
    params = {**known, **given}
    missing = [key for key, value in params.items() if value is REQUIRED]
    if missing:
        msg = f"fault {name} needs {missing}"
        raise FaultRefusedError(msg)
    if "kind" in params and params["kind"] not in KINDS[name]:
        msg = f"the kind of {name} is one of {KINDS[name]}"
        raise FaultRefusedError(msg)
    for key, value in params.items():
        _check_param(key, value)
    return params


NUMBERS = {
    "ms": 0,
    "jitter_ms": 0,
    "code": 100,
    "bytes": 0,
    "bytes_per_s": 1,
    "n": 1,
    "delay_s": 0,
    "window": 1,
    "seconds": None,
}


def _check_param(key: str, value: object) -> None:
    if key in NUMBERS:
        least = NUMBERS[key]
        if not _is_number(value) or (least is not None and value < least):  # type: ignore[operator]
            msg = f"{key} is a number" + ("" if least is None else f" of at least {least}")
            raise FaultRefusedError(msg)
    elif key in {"actual", "declared"}:
        _check_charset(value)


def _check_charset(value: object) -> None:
    try:
        "".encode(str(value))
    except LookupError as error:
        msg = f"unknown charset {value!r}"
        raise FaultRefusedError(msg) from error


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)

"""Sending, with the bad habits a sender can have: twice, again later, out of order, wrong clock, wrong key."""

import json
import random
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from mock_partners.desk import Rig
from mock_partners.faults import SENDING, Hit
from mock_partners.journal import Entry
from mock_partners.senders.client import HubAnswer, HubClient, HubUnreachableError
from mock_partners.senders.events import new_event_id
from mock_partners.senders.partners import Sender
from mock_partners.senders.signing import SignedRequest, spoilt

__all__ = ["Parcel", "PostOffice"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """What is to be sent: one event, or several in a batch."""

    sender: Sender
    client: HubClient
    events: tuple[Mapping[str, object], ...]
    is_batch: bool = False
    delivery_id: str = ""

    @property
    def operation(self) -> str:
        """The name the journal and the faults know it by."""
        return "batch" if self.is_batch else str(self.events[0]["type"])


@dataclass(slots=True)
class PostOffice:
    """Signs at the moment of sending, sends, and writes down what was answered."""

    rig: Rig
    chances: random.Random
    _held: list[Parcel] = field(default_factory=list)
    _accepted: set[tuple[str, str]] = field(default_factory=set)
    _timers: set[threading.Timer] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def send(self, parcel: Parcel) -> list[dict[str, object]]:
        """Send a parcel as the faults say; empty when it is held to be sent out of order."""
        hits = self.rig.faults.strike(parcel.operation, names=SENDING)
        if "reorder" in hits:
            return self._hold(parcel, int(hits["reorder"].number("window")), hits)
        return self._leave(parcel, hits)

    def flush(self) -> list[dict[str, object]]:
        """Send what was held back, last come first."""
        with self._lock:
            parcels, self._held = self._held, []
        return [answer for parcel in reversed(parcels) for answer in self._leave(parcel, {})]

    def reset(self) -> None:
        """Forget what was held, remembered or planned."""
        with self._lock:
            timers, self._timers = self._timers, set()
            self._held, self._accepted = [], set()
        for timer in timers:
            timer.cancel()

    def event_id(self) -> str:
        """A fresh UUIDv7."""
        with self._lock:
            return new_event_id(self.chances, self.rig.clock.now())

    def _hold(
        self, parcel: Parcel, window: int, hits: Mapping[str, Hit]
    ) -> list[dict[str, object]]:
        with self._lock:
            self._held.append(parcel)
            if len(self._held) < window:
                return []
            parcels, self._held = self._held, []
        return [answer for each in reversed(parcels) for answer in self._leave(each, hits)]

    def _leave(self, parcel: Parcel, hits: Mapping[str, Hit]) -> list[dict[str, object]]:
        request = self._signed(parcel, hits)
        times = int(hits["duplicate"].number("n")) if "duplicate" in hits else 1
        answers = [self._carry(parcel, request) for _ in range(times)]
        if "replay" in hits:
            self._plan(parcel, hits["replay"].number("delay_s"))
        return answers

    def _signed(self, parcel: Parcel, hits: Mapping[str, Hit]) -> SignedRequest:
        seconds = hits["clock_skew"].number("seconds") if "clock_skew" in hits else 0.0
        now = self.rig.clock.now() + timedelta(seconds=seconds)
        kind = str(hits["bad_signature"].params["kind"]) if "bad_signature" in hits else ""
        keys = [key.forged() for key in parcel.sender.keys] if kind == "key" else None
        if parcel.is_batch:
            request = parcel.sender.batch(
                parcel.events, delivery_id=parcel.delivery_id, now=now, keys=keys
            )
        else:
            request = parcel.sender.event(parcel.events[0], now=now, keys=keys)
        return spoilt(request, kind)

    def _plan(self, parcel: Parcel, delay_s: float) -> None:
        def again() -> None:
            self._carry(parcel, self._signed(parcel, {}))
            with self._lock:
                self._timers.discard(timer)

        timer = threading.Timer(delay_s, again)
        timer.daemon = True
        with self._lock:
            self._timers.add(timer)
        timer.start()

    def _carry(self, parcel: Parcel, request: SignedRequest) -> dict[str, object]:
        at = self.rig.clock.now()
        answer: HubAnswer | None
        try:
            answer = parcel.client.send(request)
        except HubUnreachableError:
            answer = None
        entry = Entry(
            at=at,
            operation=parcel.operation,
            idempotency_key=request.headers["webhook-id"],
            reference=_subject(parcel),
            status=None if answer is None else answer.status,
            effect=None if answer is None else self._effect(parcel, answer),
        )
        self.rig.journal.append(entry)
        return _shown(request, answer)

    def _effect(self, parcel: Parcel, answer: HubAnswer) -> Mapping[str, object] | None:
        """The events the hub accepted for the first time."""
        ids = [str(each["id"]) for each in _results(answer) if each.get("status") == "accepted"]
        with self._lock:
            fresh = [each for each in ids if (parcel.sender.source, each) not in self._accepted]
            self._accepted |= {(parcel.sender.source, each) for each in fresh}
        return {"kind": "event.accepted", "ids": fresh} if fresh else None


def _subject(parcel: Parcel) -> str | None:
    subject = parcel.events[0].get("subject") if len(parcel.events) == 1 else None
    return None if subject is None else str(subject)


def _results(answer: HubAnswer) -> list[Mapping[str, object]]:
    if answer.status != 202:
        return []
    document = _parsed(answer.body)
    results = document.get("results") if isinstance(document, dict) else None
    return [each for each in results if isinstance(each, dict)] if isinstance(results, list) else []


def _parsed(body: bytes) -> object:
    try:
        return json.loads(body)
    except ValueError:
        return None


def _shown(request: SignedRequest, answer: HubAnswer | None) -> dict[str, object]:
    shown: dict[str, object] = {"webhook_id": request.headers["webhook-id"]}
    if answer is None:
        return {**shown, "status": None, "answer": None}
    document = _parsed(answer.body)
    text = document if document is not None else answer.body.decode("utf-8", "replace")
    return {**shown, "status": answer.status, "answer": text}

"""Partners under load: threads that send at a pace and, as partners do, send again until answered."""

import itertools
import json
import queue
import random
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from mock_partners.senders import (
    HubAnswer,
    HubClient,
    HubUnreachableError,
    Notice,
    Sharing,
    arrival,
    cloud_event,
    invent,
    new_event_id,
)
from orchestrator.services.purposes import PARTNER_ARRIVAL, notice_sha256
from tests.crash.town import LIBRARIES, Town

UTILITY = "utility.contract_opened.v1"
NOTICE = Notice(version=PARTNER_ARRIVAL, sha256=str(notice_sha256(PARTNER_ARRIVAL, "fr")))
GIVE_UP_SECONDS = 90.0


@dataclass
class Event:
    """One event with the telephone it is about, and every answer to it."""

    document: dict
    phone: str
    statuses: list[int | None] = field(default_factory=list)
    slow_until: float = 0.0

    @property
    def key(self) -> tuple[str, str]:
        return self.document["source"], self.document["id"]

    @property
    def is_acknowledged(self) -> bool:
        return 202 in self.statuses


class People:
    """Newcomers nobody knows yet: each telephone once."""

    def __init__(self, town: Town, seed: int) -> None:
        self._chances = random.Random(seed)
        self._numbers = iter(self._chances.sample(range(10_000), 10_000))
        self._sender = town.sender(UTILITY)
        self._communes = itertools.cycle(LIBRARIES)

    def event(self, commune: str | None = None) -> Event:
        number = next(self._numbers)
        person = replace(
            invent(self._chances),
            family_name="Nouvel-" + "".join(chr(97 + int(digit)) for digit in f"{number:04d}"),
            phone=f"+3363998{number:04d}",
            language="fr",
        )
        now = datetime.now(UTC)
        data = arrival(
            UTILITY,
            commune=commune or next(self._communes),
            newcomer=person,
            sharing=Sharing(person=True, channel="sms", notice=NOTICE),
            happened_at=now,
            collected_by=self._sender.source,
        )
        document = cloud_event(
            UTILITY,
            data,
            source=self._sender.source,
            event_id=new_event_id(self._chances, now),
            subject=f"C-{number:04d}",
            happened_at=now,
        )
        return Event(document=document, phone=person.phone)

    def events(self, count: int) -> Iterator[Event]:
        return (self.event() for _ in range(count))


class Load:
    """Sends events from threads at ``per_second``; 503, 429 and silence are tried again."""

    def __init__(
        self,
        town: Town,
        *,
        threads: int = 8,
        per_second: float = 200.0,
        hubs: list[str] | None = None,
    ) -> None:
        """With several ``hubs`` each request goes to one that says it is ready."""
        self._sender = town.sender(UTILITY)
        self._hubs = hubs or [town.hub]
        self._waiting: queue.Queue[Event | None] = queue.Queue()
        self._pace = 1.0 / per_second
        self._next_at = time.monotonic()
        self._lock = threading.Lock()
        self.events: list[Event] = []
        self.answers: Counter = Counter()
        self.retry_after: list[str] = []
        self.slowest = 0.0
        self._ready = list(self._hubs)
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._send, daemon=True) for _ in range(threads)]

    def start(self, events: Iterator[Event]) -> "Load":
        self.events = list(events)
        for event in self.events:
            self._waiting.put(event)
        if len(self._hubs) > 1:
            self._threads.append(threading.Thread(target=self._look, daemon=True))
        for thread in self._threads:
            thread.start()
        return self

    @property
    def is_over(self) -> bool:
        return all(event.is_acknowledged for event in self.events) or self._stopping.is_set()

    @property
    def acknowledged(self) -> int:
        return sum(event.is_acknowledged for event in self.events)

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(15)

    def _send(self) -> None:
        clients = {hub: HubClient(hub) for hub in self._hubs}
        while not self._stopping.is_set():
            try:
                event = self._waiting.get(timeout=0.2)
            except queue.Empty:
                continue
            self._wait_for_turn(event)
            self._once(clients, event)
        for client in clients.values():
            client.close()

    def _look(self) -> None:
        """Ask every hub whether it is ready, as a balancer does."""
        while not self._stopping.wait(0.25):
            self._ready = [hub for hub in self._hubs if _is_ready(hub)] or list(self._hubs)

    def _wait_for_turn(self, event: Event) -> None:
        with self._lock:
            turn = max(self._next_at, time.monotonic())
            self._next_at = turn + self._pace
        self._stopping.wait(max(0.0, max(turn, event.slow_until) - time.monotonic()))

    def _once(self, clients: dict[str, HubClient], event: Event) -> None:
        request = self._sender.event(event.document, now=datetime.now(UTC))
        begun, answer = time.monotonic(), None
        try:
            answer = _whole(clients[random.choice(self._ready)].send(request))
        except HubUnreachableError:
            answer = None
        took = time.monotonic() - begun
        with self._lock:
            self.slowest = max(self.slowest, took)
            status = answer.status if answer else None
            self.answers[status] += 1
            event.statuses.append(status)
        if answer is not None and status == 202:
            result = json.loads(answer.body)["results"][0]["status"]
            with self._lock:
                self.answers[result] += 1
            return
        wait = 0.3
        if answer is not None and "retry-after" in answer.headers:
            self.retry_after.append(answer.headers["retry-after"])
            wait = min(float(answer.headers["retry-after"]), 2.0)
        event.slow_until = time.monotonic() + wait
        self._waiting.put(event)


def _whole(answer: HubAnswer) -> HubAnswer | None:
    """Return an answer, or None when the line was cut within it: ``http.client`` may take its head for all."""
    return answer if answer.headers.get("content-length") == str(len(answer.body)) else None


def _is_ready(hub: str) -> bool:
    try:
        with urllib.request.urlopen(f"{hub}/readyz", timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False

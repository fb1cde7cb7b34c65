"""From an event to its text message, on the running demonstration.

``python -m benchmarks.event_to_sms [--data DIR] [--events 200] [--rate 20]``. Every event carries a
contact and a name with their proof, so every run calls the gateway and the library's system. Events
leave at a fixed rate whatever the answers do; the time is from the start of the POST to the moment
the gateway's double wrote the accepted text in its journal. Goal: p95 at most 300 ms.
"""

import argparse
import itertools
import json
import random
import statistics
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.lab.figures import keep
from benchmarks.running_demo import running_demo
from mock_partners.senders import (
    HubClient,
    Newcomer,
    Notice,
    Sender,
    Sharing,
    arrival,
    cloud_event,
    invent,
    new_event_id,
)
from mock_partners.senders.people import FAMILY_NAMES, GIVEN_NAMES, LAST_NUMBER
from orchestrator.services.purposes import PARTNER_ARRIVAL, notice_sha256

EVENT, COMMUNE = "utility.contract_opened.v1", "13055"
AT_ONCE = 32
PATIENCE_SECONDS = 60.0
WARM_UP = 10


def main(arguments: list[str]) -> int:
    """Measure and print; returns 0 when every event became exactly one text."""
    parser = argparse.ArgumentParser(prog="benchmarks.event_to_sms")
    parser.add_argument("--data", type=Path, help="folder of a running demonstration")
    parser.add_argument("--events", type=int, default=200)
    parser.add_argument("--rate", type=float, default=20.0, help="events a second")
    options = parser.parse_args(arguments)
    with running_demo(options.data) as demo:
        crowd = people()
        measured(demo.state, itertools.islice(crowd, WARM_UP), rate=options.rate)
        delays = measured(demo.state, itertools.islice(crowd, options.events), rate=options.rate)
    figures = {"events": options.events, "rate_per_second": options.rate, **summary(delays)}
    keep("event-to-sms", {"figures": figures, "is_try": options.events < 100})
    print(json.dumps(figures))
    return 0 if len(delays) == options.events else 1


def people() -> Iterator[Newcomer]:
    """Invent people of whom no two bear the same name or telephone."""
    chances = random.Random()
    families = FAMILY_NAMES.split()
    names = [
        (given, f"{first}-{second}")
        for given, first, second in itertools.product(GIVEN_NAMES.split(), families, families)
    ]
    chances.shuffle(names)
    numbers = random.sample(range(LAST_NUMBER), LAST_NUMBER)
    for (given, family), number in zip(names, numbers, strict=False):
        yield replace(
            invent(chances),
            given_name=given,
            family_name=family,
            phone=f"+3363998{number:04d}",
            language="fr",
        )


def measured(state: Mapping[str, Any], crowd: Iterator[Newcomer], *, rate: float) -> list[float]:
    """Announce everybody at a fixed rate; returns the milliseconds to each one's text."""
    sender = Sender.read(next(p for p in state["partners"] if EVENT in p["allowed_events"]))
    hub, left = HubClient(state["hub"]), dict[str, datetime]()
    before = len(_journal(state))
    started = time.monotonic()

    def announce(newcomer: Newcomer) -> int:
        event = _event(sender, newcomer)
        left[newcomer.phone] = datetime.now(UTC)
        return hub.send(sender.event(event, now=datetime.now(UTC))).status

    with ThreadPoolExecutor(AT_ONCE) as pool:
        asked = []
        for number, newcomer in enumerate(crowd):
            time.sleep(max(0.0, started + number / rate - time.monotonic()))
            asked.append(pool.submit(announce, newcomer))
        statuses = [each.result() for each in asked]
    hub.close()
    if set(statuses) - {202}:
        print(f"answers other than 202: {sorted(set(statuses) - {202})}", file=sys.stderr)
    return _delays(state, left, before)


def summary(delays: list[float]) -> dict[str, float | int]:
    """Return the figures of a measure."""
    if len(delays) < 2:
        return {"texts": len(delays)}
    return {
        "texts": len(delays),
        "p50_ms": round(statistics.median(delays), 1),
        "p95_ms": round(statistics.quantiles(delays, n=20)[18], 1),
        "p99_ms": round(statistics.quantiles(delays, n=100)[98], 1),
        "worst_ms": round(max(delays), 1),
    }


def _event(sender: Sender, newcomer: Newcomer) -> dict[str, object]:
    now = datetime.now(UTC)
    event_id = new_event_id(random.Random(), now)
    notice = Notice(version=PARTNER_ARRIVAL, sha256=str(notice_sha256(PARTNER_ARRIVAL, "fr")))
    data = arrival(
        EVENT,
        commune=COMMUNE,
        newcomer=newcomer,
        sharing=Sharing(person=True, channel="sms", notice=notice),
        happened_at=now,
        collected_by=sender.source,
    )
    subject = f"bench-{event_id}"
    return cloud_event(
        EVENT, data, source=sender.source, event_id=event_id, subject=subject, happened_at=now
    )


def _delays(state: Mapping[str, Any], left: Mapping[str, datetime], before: int) -> list[float]:
    """Wait for the texts; a telephone that got two is no measure but a fault."""
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        texts = [each for each in _messages(state) if each["receiver"] in left]
        fresh = {each["id"] for each in texts}
        at = {
            number: datetime.fromisoformat(entry["at"])
            for entry in _journal(state)[before:]
            for number in (entry["effect"] or {}).get("ids", ())
            if number in fresh
        }
        if len(at) >= len(left) or time.monotonic() > end:
            break
        time.sleep(0.2)
    arrived = [(each["receiver"], at[each["id"]]) for each in texts if each["id"] in at]
    if len({phone for phone, _ in arrived}) != len(arrived):
        raise SystemExit("un téléphone a reçu deux SMS")
    return [(moment - left[phone]).total_seconds() * 1000 for phone, moment in arrived]


def _messages(state: Mapping[str, Any]) -> list[dict[str, Any]]:
    return list(_asked(f"{_gateway(state)}/_mock/messages")["messages"])


def _journal(state: Mapping[str, Any]) -> list[dict[str, Any]]:
    return list(_asked(f"{_gateway(state)}/_mock/journal")["entries"])


def _gateway(state: Mapping[str, Any]) -> str:
    return str(next(url for name, url in state["mocks"].items() if name.startswith("sms")))


def _asked(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return json.load(answer)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The running demonstration, measured: from an event to its SMS, and the memory of all of it.

``python -m benchmarks.city [--data DIR] [--events 200] [--rate 20]`` measures the demonstration whose
folder is given, or starts one of its own and stops it. Events carry a contact and a name with their
proof, so every run calls the gateway and the library's system. The time is from the start of the POST
to the moment the gateway's double accepted the text. Goals: p95 at most 300 ms, at most 700 MiB.
"""

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mock_partners.senders import (
    HubClient,
    Notice,
    Sender,
    Sharing,
    arrival,
    cloud_event,
    invent,
    new_event_id,
)
from orchestrator.services.purposes import PARTNER_ARRIVAL, notice_sha256

STORY_SECONDS = 180


def main(arguments: list[str]) -> int:
    """Measure and print; returns 0 when every event became a text."""
    parser = argparse.ArgumentParser(prog="benchmarks.city")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--events", type=int, default=200)
    parser.add_argument("--rate", type=float, default=20.0)
    options = parser.parse_args(arguments)
    with _demonstration(options.data) as state:
        delays = event_to_text(state, events=options.events, rate=options.rate)
        memory = memory_of(state)
    figures = {
        "events": options.events,
        "rate_per_second": options.rate,
        "texts": len(delays),
        "p50_ms": round(statistics.median(delays), 1),
        "p95_ms": round(statistics.quantiles(delays, n=20)[18], 1),
        "worst_ms": round(max(delays), 1),
        "memory_mib": memory,
        "memory_total_mib": round(sum(memory.values()), 1),
    }
    print(json.dumps(figures, ensure_ascii=False, indent=2))
    return 0 if len(delays) == options.events else 1


def event_to_text(state: Mapping[str, Any], *, events: int, rate: float) -> list[float]:
    """Return the milliseconds from each POST to its accepted text, sent at a fixed rate."""
    row = next(
        each for each in state["partners"] if "utility.contract_opened.v1" in each["allowed_events"]
    )
    sender, hub, chances = Sender.read(row), HubClient(state["hub"]), random.Random()
    before = len(_messages(state))
    left: dict[str, datetime] = {}
    started = time.monotonic()
    for number in range(events):
        time.sleep(max(0.0, started + number / rate - time.monotonic()))
        newcomer = replace(
            invent(chances), phone=f"+3363998{number:04d}", language="fr", age_band="26_64"
        )
        now = datetime.now(UTC)
        data = arrival(
            "utility.contract_opened.v1",
            commune="13055",
            newcomer=newcomer,
            sharing=Sharing(
                person=True,
                channel="sms",
                notice=Notice(
                    version=PARTNER_ARRIVAL, sha256=str(notice_sha256(PARTNER_ARRIVAL, "fr"))
                ),
            ),
            happened_at=now,
            collected_by=sender.source,
        )
        event_id = new_event_id(chances, now)
        event = cloud_event(
            "utility.contract_opened.v1",
            data,
            event_id=event_id,
            source=sender.source,
            subject=f"bench-{event_id}",
            happened_at=now,
        )
        request = sender.event(event, now=now)
        left[newcomer.phone] = datetime.now(UTC)
        hub.send(request)
    hub.close()
    return _delays(state, left, before)


def _delays(state: Mapping[str, Any], left: Mapping[str, datetime], before: int) -> list[float]:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        messages = _messages(state)[before:]
        if len(messages) >= len(left):
            break
        time.sleep(0.1)
    arrived = {each["receiver"]: datetime.fromisoformat(each["created_at"]) for each in messages}
    return [
        (arrived[phone] - moment).total_seconds() * 1000
        for phone, moment in left.items()
        if phone in arrived
    ]


def _messages(state: Mapping[str, Any]) -> list[dict[str, Any]]:
    url = next(url for name, url in state["mocks"].items() if name.startswith("sms"))
    with urllib.request.urlopen(f"{url}/_mock/messages", timeout=10) as answer:
        return list(json.load(answer)["messages"])


def memory_of(state: Mapping[str, Any]) -> dict[str, float]:
    """Return the MiB of each process and its children: proportional where pages are shared."""
    found: dict[str, float] = {}
    for name, pid in state["pids"].items():
        found[name] = round(sum(_proportional(each) for each in _family(pid)) / 1024, 1)
    return found


def _family(pid: int) -> Iterator[int]:
    yield pid
    for thread in Path(f"/proc/{pid}/task").iterdir():
        for child in (thread / "children").read_text().split():
            yield from _family(int(child))


def _proportional(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


@contextmanager
def _demonstration(folder: Path | None) -> Iterator[Mapping[str, Any]]:
    """The state of the demonstration given, or of one of our own, its story played."""
    if folder is not None:
        yield json.loads((folder / "demo.json").read_text())
        return
    with tempfile.TemporaryDirectory(prefix="parvis-bench-") as own:
        command = [sys.executable, "-P", "-m", "parvis", "demo", "--data", own]
        running = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            _wait_for_the_story(running)
            yield json.loads((Path(own) / "demo.json").read_text())
        finally:
            running.terminate()
            running.communicate(timeout=60)


def _wait_for_the_story(running: "subprocess.Popen[str]") -> None:
    end = time.monotonic() + STORY_SECONDS
    for line in running.stdout or ():
        if "Ctrl-C" in line:
            return
        if "Ne s'est pas produit" in line or time.monotonic() > end:
            break
    raise SystemExit("La démonstration n'a pas joué son histoire : rien à mesurer.")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

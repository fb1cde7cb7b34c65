"""Takes messages in through the product's own inbox, on command: the other half of a measure.

Commands come on standard input, one JSON object a line, and each is answered by one:
``{"do": "fill", "count": 2000}`` as fast as 64 at once can;
``{"do": "pace", "count": 200, "hertz": 20}`` one after the other, each watched until its run ended;
``{"do": "flow", "seconds": 20, "hertz": 300, "journeys": [...]}`` at a fixed rate whatever happens.
"""

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from collections.abc import Sequence  # noqa: E402
from typing import Any  # noqa: E402
from uuid import UUID  # noqa: E402

import gevent  # noqa: E402
import psycopg  # noqa: E402
from gevent.pool import Pool  # noqa: E402

from benchmarks.floor_work import EVENT  # noqa: E402
from benchmarks.hub.city import CHOICES, person_of  # noqa: E402
from orchestrator.services.ports.intake import Arrival, RunStart  # noqa: E402
from parvis.bootstrap import Hub, open_hub  # noqa: E402
from parvis.settings import Settings  # noqa: E402
from schemas import clock, ids  # noqa: E402
from schemas.messages import Message  # noqa: E402

SOURCE = "/partners/bench"
THREE_CALLS = "bench.three_calls"
_AT_ONCE = 64
_LOOK_EVERY = 0.0004


class Feeder:
    """Feeds one hub."""

    def __init__(self, hub: Hub) -> None:
        self._inbox = hub.inbox
        self._url = hub.settings.database_url

    def fill(self, *, count: int, journeys: Sequence[str] = (THREE_CALLS,)) -> dict[str, Any]:
        """Take messages in, many at once."""
        begun, used = time.perf_counter(), time.process_time()
        pool = Pool(_AT_ONCE)
        for number in range(count):
            pool.spawn(self._accept, journeys[number % len(journeys)])
        pool.join(raise_error=True)
        return {"seconds": time.perf_counter() - begun, "cpu": time.process_time() - used}

    def pace(self, *, count: int, hertz: float) -> dict[str, Any]:
        """Take one message in after another and watch its run; the first tenth warms up."""
        warming, taken = count // 10, []
        with psycopg.connect(self._url, autocommit=True, prepare_threshold=1) as connection:
            due = time.perf_counter()
            for number in range(count + warming):
                due += 1 / hertz
                gevent.sleep(max(0.0, due - time.perf_counter()))
                begun = time.perf_counter()
                self._watch(connection, self._accept(THREE_CALLS), begun + 20)
                if number >= warming:
                    taken.append((time.perf_counter() - begun) * 1000)
        return {"milliseconds": taken}

    def flow(self, *, seconds: float, hertz: float, journeys: Sequence[str]) -> dict[str, Any]:
        """Take messages in at a fixed rate."""
        pool, begun, count = Pool(1000), time.perf_counter(), int(seconds * hertz)
        for number in range(count):
            gevent.sleep(max(0.0, begun + number / hertz - time.perf_counter()))
            pool.spawn(self._accept, journeys[number % len(journeys)])
        pool.join(raise_error=True)
        return {"count": count, "seconds": time.perf_counter() - begun}

    def _accept(self, journey: str) -> str:
        event_id = str(ids.uuid7())
        body = json.dumps({"id": event_id, **EVENT}).encode()
        message = Message(
            type="bench.asked.v1", source=SOURCE, id=event_id, subject=event_id, data=EVENT
        )
        number, offices = UUID(event_id).int, CHOICES[journey]
        starts = RunStart(
            journey=journey,
            version=1,
            key=f"{SOURCE} {event_id}",
            data={"service_id": offices[number % len(offices)], **EVENT},
            citizen_id=person_of(number // len(offices)),
        )
        arrival = Arrival(
            message=message,
            body=body,
            body_digest=UUID(event_id).bytes * 2,
            headers={"traceparent": f"00-{UUID(event_id).hex}-{UUID(event_id).hex[:16]}-01"},
            starts=starts,
        )
        if self._inbox.accept(arrival).status != "accepted":
            raise SystemExit("an event that nobody sent was known")
        return event_id

    def _watch(self, connection: Any, event_id: str, until: float) -> None:
        key = f"{SOURCE} {event_id}"
        sql = "SELECT FROM run WHERE journey = %s AND key = %s AND ended_at IS NULL"
        while connection.execute(sql, (THREE_CALLS, key)).fetchone() is not None:
            if time.perf_counter() > until:
                raise SystemExit("a run did not end in 20 s")
            gevent.sleep(_LOOK_EVERY)


def main() -> int:
    """Serve commands until standard input ends."""
    settings = Settings.read(os.environ)
    feeder = Feeder(open_hub(settings))
    print(json.dumps({"ready": clock.rfc3339(clock.utcnow())}), flush=True)
    for line in iter(sys.stdin.readline, ""):
        command = json.loads(line)
        answer = getattr(feeder, command.pop("do"))(**command)
        print(json.dumps(answer), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""One table of everything measured, beside what it should be, and one file that keeps it.

``python -m benchmarks.report`` takes the newest result of each measure under ``benchmarks/results``
(those that were only tried out are passed over), prints the table and writes ``measured.json``
there. Results as they come are not kept in the repository; ``measured.json`` is: the evidence of a
version, and what ``benchmarks.capacity`` calculates from.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from benchmarks.lab.figures import RESULTS, table

MEASURED: Final = "measured.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What one figure should be; without a bar it is only told."""

    measure: str
    figure: str
    title: str
    bar: float | None = None
    should_be: Literal["at least", "at most"] = "at least"

    def met(self, value: float) -> str:
        """Say whether a value keeps the bar."""
        if self.bar is None:
            return ""
        kept = value >= self.bar if self.should_be == "at least" else value <= self.bar
        return "yes" if kept else "NO"

    @property
    def told(self) -> str:
        """The bar as people read it."""
        sign = "≥" if self.should_be == "at least" else "≤"
        return "" if self.bar is None else f"{sign} {self.bar:g}"


def _least(measure: str, figure: str, title: str, bar: float | None = None) -> Goal:
    return Goal(measure=measure, figure=figure, title=title, bar=bar)


def _most(measure: str, figure: str, title: str, bar: float) -> Goal:
    return Goal(measure=measure, figure=figure, title=title, bar=bar, should_be="at most")


GOALS: Final = (
    _least("journeys", "rate", "runs a second, 2 processes"),
    _least("journeys", "ratio_camel", "… to Apache Camel", 1.0),
    _least("journeys", "ratio_floor", "… to the greenlet loop", 0.85),
    _least("journeys", "ratio_threads", "… to the thread loop", 2.0),
    _least("journeys", "ratio_celery", "… to Celery", 7.0),
    _least("journeys", "ratio_dbos", "… to DBOS", 12.0),
    _least("journeys", "ratio_dramatiq", "… to dramatiq", 4.0),
    _least("journeys", "ratio_procrastinate", "… to procrastinate", 4.0),
    _least("journeys", "slow_rate", "runs a second, partner at 200 ms", 800.0),
    _least("journeys", "slow_ratio_floor", "… to the greenlet loop", 0.85),
    _least("journeys", "slow_ratio_camel", "… to Apache Camel", 2.0),
    _most("journeys", "cpu_ms", "ms of processor a run", 1.9),
    _most("journeys", "cpu_ratio_floor", "… to the greenlet loop", 1.5),
    _most("journeys", "commits", "writing transactions a run", 0.5),
    _most("journeys", "wal_kb", "kB of WAL a run, bodies on", 12.0),
    _most("journeys", "idle_p50_ms", "ms of a run alone, p50, RabbitMQ", 6.0),
    _most("journeys", "idle_p99_ms", "… p99", 12.0),
    _most("journeys", "idle_embedded_p50_ms", "… p50, embedded waker", 6.0),
    _most("journeys", "idle_embedded_p99_ms", "… p99", 12.0),
    _least("relay", "relay_per_second", "wakes a second of the relay", 10_000.0),
    _most("relay", "insert_to_consumer_p50_ms", "ms from row to consumer, p50, 100/s", 4.0),
    _most("relay", "insert_to_consumer_p99_ms", "… p99", 15.0),
    _least("hanging", "backlog_per_second_ratio", "healthy systems' rate, one of five hangs", 0.8),
    _most("hanging", "flow_p99_ms_ratio", "… their p99", 2.0),
    _most("worker-memory", "rss_mib", "MiB of a worker after 100,000 runs", 120.0),
    _most("worker-memory", "growth_percent", "… growth, %", 5.0),
    _most("worker-memory", "kib_per_run_in_flight", "KiB of a run in flight", 40.0),
    _least("growth", "growth_ratio", "run rate with a past, to 10 k runs", 0.9),
    _most("growth", "slowest_question_ms", "ms of the console's slowest list, p95", 5.0),
    _most("growth", "person_ms", "ms of one person's runs, p95", 5.0),
    _most("growth", "purge_ms", "ms to drop a month of a table", 1000.0),
    _most("event-to-sms", "p95_ms", "ms from event to text message, p95", 300.0),
    _most("demo-memory", "rss_mib", "MiB of the whole demonstration", 700.0),
    _least("intake", "ratio_16", "events a second to the bare app, 16 connections", 0.8),
    _most("intake", "p99_ratio_16", "… their p99", 1.5),
    _least("intake", "ratio_64", "… 64 connections", 0.8),
    _most("intake", "p99_ratio_64", "… their p99", 1.5),
    _most("token-check", "p50_ms", "ms of a token's check, p50", 0.15),
    _least("token-check", "ratio", "… to the library's bare decode"),
    _most("saml-login", "p50_ms", "ms of a SAML answer verified, p50", 8.0),
    _least("saml-login", "logins_s_2", "… answers a second, two processes", 50.0),
    _least("transport", "kit_to_http_client", "processor of a call, to http.client"),
)


def main() -> int:
    """Collect, keep and print."""
    found = collected(RESULTS)
    path = RESULTS / MEASURED
    path.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    print(table(list(rows(found))) or "Nothing was measured yet.")
    return 0


def collected(folder: Path) -> dict[str, Any]:
    """Return what is kept of the newest result of each measure; what has none stays as it was."""
    path = folder / MEASURED
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    for file in sorted(folder.glob("*-2*.json")):
        one = json.loads(file.read_text(encoding="utf-8"))
        if not one.get("is_try"):
            before = found.get(one["measure"], {})
            found[one["measure"]] = one if _is_newer(one, before) else before
    return found


def rows(found: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a line per figure that was measured."""
    for goal in GOALS:
        value = found.get(goal.measure, {}).get("figures", {}).get(goal.figure)
        if value is not None:
            yield {
                "what": goal.title,
                "figure": float(value),
                "goal": goal.told,
                "met": goal.met(float(value)),
                "commit": found[goal.measure]["commit"],
            }


def _is_newer(one: Mapping[str, Any], before: Mapping[str, Any]) -> bool:
    return str(one["taken_at"]) >= str(before.get("taken_at", ""))


if __name__ == "__main__":
    sys.exit(main())

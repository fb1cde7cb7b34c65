"""What became of every event, counted by the doubles and the tables: nothing lost, nothing twice."""

from collections import Counter
from collections.abc import Iterator

from tests.crash.load import Load
from tests.crash.town import GATEWAY, LIBRARIES, Town
from tests.reliability.reports import Report

_RUNS = """
SELECT i.source, i.event_id, r.id, r.status, r.error_code FROM inbox i JOIN run r ON r.id = i.run_id"""
# runs that one process began and another one carried on
_CARRIED_ON = """
SELECT count(*) AS n FROM
  (SELECT run_id FROM step GROUP BY run_id HAVING count(DISTINCT worker) > 1) AS carried"""
_OPEN = """
SELECT count(*) AS n FROM run WHERE ended_at IS NULL AND status <> 'stuck'"""

_OPEN_ONES = """
SELECT status || coalesce(' for ' || waiting_for, '') || coalesce(' ' || error_code, '')
       || ' at step ' || step || ', recoveries ' || recoveries
       || ', lease ' || CASE WHEN lease_until < parvis_now() THEN 'over' ELSE 'held' END
       || CASE WHEN EXISTS (SELECT FROM outbox o WHERE o.key = run.id) THEN ', in the outbox' ELSE '' END
       AS standing, count(*) AS n
  FROM run WHERE ended_at IS NULL GROUP BY 1 ORDER BY 2 DESC LIMIT 10"""
PAGE = 2000


def open_ones(town: Town) -> str:
    """Return how the runs stand that have not come to an end."""
    return "; ".join(f"{row['n']} {row['standing']}" for row in town.rows(_OPEN_ONES))


def still_open(town: Town) -> int:
    """Return how many runs have not come to an end."""
    return int(town.rows(_OPEN)[0]["n"])


def counted(town: Town, load: Load, *, name: str, seed: int) -> Report:
    """Hold every acknowledged event against the tables and the doubles."""
    report = Report(name=name, seed=seed, attempt=len(load.events), acknowledged=load.acknowledged)
    runs = {(row["source"], row["event_id"]): row for row in town.rows(_RUNS)}
    for event in load.events:
        if not event.is_acknowledged:
            continue
        run = runs.get(event.key)
        if run is None:
            report.lost += 1
        elif run["status"] == "done" and run["error_code"] is None:
            report.ok += 1
        else:
            report.unexpected += 1
            report.more[f"ended {run['status']} {run['error_code']}"] += 1
    report.duplicated = _doubled(town, {event.phone for event in load.events})
    report.recovered = town.rows(_CARRIED_ON)[0]["n"]
    report.unexpected += sum(
        number
        for status, number in load.answers.items()
        if isinstance(status, int) and status not in {202, 429, 503}
    )
    report.more |= Counter({f"answer {key}": number for key, number in load.answers.items()})
    return report


def _doubled(town: Town, phones: set[str]) -> int:
    """Return the effects beyond the first: records by our reference, texts by telephone."""
    records: Counter = Counter()
    for profile in LIBRARIES.values():
        records.update(_records(town, profile))
    texts = Counter(message["receiver"] for message in town.mock(GATEWAY).messages())
    effects = [*records.values(), *(texts[phone] for phone in phones)]
    return sum(number - 1 for number in effects if number > 1)


def _records(town: Town, profile: str) -> Iterator[str]:
    """Yield our reference of each record a library made, page by page: a day's journal is long."""
    double, after = town.mock(profile), 0
    while page := double.get(f"/_mock/journal?after={after}&limit={PAGE}")["entries"]:
        for entry in page:
            if (entry["effect"] or {}).get("kind") == "patron.created":
                yield entry["reference"]
        after = page[-1]["seq"]

"""What must hold after every step of a campaign, whatever was killed, cut, doubled or turned.

The numbers are those of docs/architecture.md. Everything is read from the tables and from what the
systems themselves counted, on a connection no fault strikes; nothing is asked of the engine.
"""

import re
from dataclasses import dataclass
from typing import NoReturn

from orchestrator.engine.runs import ENDED, MOVES
from orchestrator.journeys import journey_for

# each line finds what may not be: (number of the invariant, what it is)
_WRONG = """
SELECT 2 AS number, 'an event is two messages' AS what, event_id AS which FROM message
 GROUP BY source, event_id HAVING count(*) > 1
UNION ALL
SELECT 3, 'a text is noted twice', run_id::text FROM notification
 GROUP BY run_id, template HAVING count(*) > 1
UNION ALL
SELECT 3, 'a run has two codes', run_id::text FROM access_code
 GROUP BY run_id HAVING count(*) > 1
UNION ALL
SELECT 5, 'two systems see the same person under one name', pseudonym FROM pseudonym
 GROUP BY pseudonym HAVING count(*) > 1
UNION ALL
SELECT 6, 'two announcements share a person', citizen_id::text FROM preregistration
 GROUP BY citizen_id HAVING count(*) > 1
UNION ALL
SELECT 7, 'a run was told more codes than were used', g.run_id::text FROM signal g
 WHERE g.name = 'access_code.redeemed'
 GROUP BY g.run_id HAVING count(*) >
   (SELECT count(*) FROM access_code c WHERE c.run_id = g.run_id AND c.redeemed_at IS NOT NULL)
UNION ALL
SELECT 8, 'a table in clear names somebody', said FROM
  (SELECT coalesce(cause, '') || coalesce(error::text, '') AS said FROM step
   UNION ALL SELECT coalesce(error_code, '') || coalesce(waiting_for, '') FROM run
   UNION ALL SELECT coalesce(payload::text, '') || topic FROM outbox
   UNION ALL SELECT address || outcome FROM exchange
   UNION ALL SELECT coalesce(reason, '') FROM breaker
   UNION ALL SELECT coalesce(detail::text, '') FROM dead_letter) AS clear
 WHERE said ~ %(canary)s"""
_INBOX = "SELECT source, event_id, run_id, message_id FROM inbox"
_RUNS = """
SELECT r.id, r.journey, r.version, r.status, r.step, r.seq, r.fence, r.waiting_for, r.wake_at,
       r.error_code, r.ended_at, r.open_children, r.parent_id, r.forked_from, r.cancel_asked,
       (SELECT coalesce(json_agg(json_build_array(s.seq, s.attempt, s.name, s.outcome, s.actor, s.worker)
                                 ORDER BY s.seq, s.attempt), '[]')
          FROM step s WHERE s.run_id = r.id) AS log
  FROM run r"""
# one round trip: a seed looks some forty times
_LOOK = "SELECT " + ", ".join(
    f"(SELECT coalesce(json_agg(x), '[]') FROM ({sql}) AS x) AS {name}"
    for name, sql in (("wrong", _WRONG), ("inbox", _INBOX), ("runs", _RUNS))
)
_BASIS = """
SELECT c.event_type FROM run r
  JOIN pseudonym p ON p.citizen_id = r.citizen_id AND p.service = 'journal'
  JOIN consent_record c ON c.subject_ref = p.pseudonym AND %(purpose)s = ANY(c.purposes)
 WHERE r.id = %(run)s
 ORDER BY c.event_time DESC, c.event_type IN ('given', 'renewed') LIMIT 1"""


class BrokenError(AssertionError):
    """An invariant does not hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A run as the last look found it."""

    status: str
    fence: int
    seq: int
    row: dict


def demand(is_so: object, number: int, what: str) -> None:
    if not is_so:
        fail(number, what)


def fail(number: int, what: str) -> NoReturn:
    message = f"invariant {number}: {what}"
    raise BrokenError(message)


class Invariants:
    """Looks at everything and remembers the last look, so that moves are judged as well as states."""

    def __init__(self, looking, canary: str) -> None:
        self._looking = looking
        self._canary = canary
        self.runs: dict = {}

    def check(self, play) -> None:
        """Look once.

        Raises:
            BrokenError: with the number of the invariant.
        """
        seen = self._looking.execute(_LOOK, {"canary": self._canary}).fetchone()
        for wrong in seen["wrong"]:
            fail(wrong["number"], f"{wrong['what']}: {wrong['which']}")
        self._check_inbox(play, seen["inbox"])
        self._check_runs(play, seen["runs"])
        for system in play.city.systems.values():
            doubled = system.doubled()
            demand(not doubled, 3, f"{system.profile} holds {doubled} twice")
        self._check_identifiers(play)
        said = play.logs.take()
        found = re.search(self._canary, said)
        demand(found is None, 8, f"a log line names somebody: {found and found[0]}")

    def check_basis(self, call) -> None:
        """Hold a call that just arrived at a system against what the person said by then."""
        if call.is_undo:
            return  # taking back what was told needs no consent
        values = {"purpose": call.purpose, "run": call.run_id}
        last = self._looking.execute(_BASIS, values).fetchone()
        is_open = last is not None and last["event_type"] in {"given", "renewed"}
        demand(is_open, 4, f"{call.operation} left for {call.profile} without a basis ({last})")

    @staticmethod
    def _check_inbox(play, inbox: list[dict]) -> None:
        rows = {(row["source"], row["event_id"]): row for row in inbox}
        for event in play.events.values():
            if event.is_acknowledged:
                row = rows.get((event.source, event.id))
                demand(row is not None, 1, f"{event.id} was answered 202 and is not in the inbox")
                kept = event.message_ids | {row["message_id"]}
                demand(len(kept) == 1, 2, f"{event.id} became {len(kept)} messages")
                event.message_ids = kept
                event.run_id = event.run_id or row["run_id"]
                demand(event.run_id == row["run_id"], 1, f"{event.id} changed its run")

    def _check_runs(self, play, runs: list[dict]) -> None:
        now = {row["id"]: row for row in runs}
        for event in play.events.values():
            gone = event.run_id is not None and event.run_id not in now
            demand(not gone, 1, f"the run of {event.id} is gone")
        for run_id, row in now.items():
            _check_log(row)
            seen = self.runs.get(run_id)
            if seen is not None:
                _check_move(seen, row)
            self.runs[run_id] = Seen(
                status=row["status"], fence=row["fence"], seq=row["seq"], row=row
            )

    @staticmethod
    def _check_identifiers(play) -> None:
        seen: dict[str, str] = {}
        for system in play.city.systems.values():
            for call, _ in system.calls:
                for name in filter(None, {call.pseudonym, call.data.get("our_ref")}):
                    other = seen.setdefault(name, system.profile)
                    demand(other == system.profile, 5, f"{other} and {system.profile} share {name}")


def _check_move(seen: Seen, row: dict) -> None:
    which = f"run {row['id']}"
    demand(row["fence"] >= seen.fence, 3, f"{which}: its fence went back")
    demand(row["seq"] >= seen.seq, 3, f"{which}: its log got shorter")
    if seen.status == row["status"]:
        demand(
            seen.status not in ENDED or row["seq"] == seen.seq, 3, f"{which} moved after its end"
        )
        return
    demand(seen.status not in ENDED, 3, f"{which} left {seen.status} for {row['status']}")
    steps = max(1, row["fence"] - seen.fence)
    legal = _reachable(seen.status, steps)
    demand(row["status"] in legal, 3, f"{which}: {seen.status} became {row['status']}")


def _reachable(status: str, moves: int) -> set[str]:
    reached = {status}
    for _ in range(min(moves, len(MOVES))):
        reached |= {to for of in reached for to in MOVES.get(of, ())}
    return reached


def _check_log(row: dict) -> None:
    """The log is whole, and what it says was done forward is the journey's own order, each once."""
    which = f"run {row['id']} ({row['journey']})"
    positions = [seq for seq, *_ in row["log"]]
    demand(
        sorted(set(positions)) == list(range(1, row["seq"] + 1)), 3, f"{which}: a hole in its log"
    )
    demand((row["ended_at"] is not None) == (row["status"] in ENDED), 3, f"{which}: half ended")
    journey = journey_for(row["journey"], row["version"])
    if journey is None:
        return
    names = [step.name for step in journey.steps]
    done = [name for _, _, name, outcome, *_ in row["log"] if outcome in {"ok", "skipped"}]
    forward = [name for name in done if name in names]
    demand(forward == names[: len(forward)], 3, f"{which}: steps out of order or twice: {forward}")
    demand(row["step"] >= len(forward), 3, f"{which}: stands at {row['step']}, did {forward}")

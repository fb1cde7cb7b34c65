"""What must hold after every step of a campaign, whatever was killed, cut, doubled or turned.

The numbers are those of docs/architecture.md. Everything is read from the tables and from what the
systems themselves counted, on a connection no fault strikes; nothing is asked of the engine.
"""

import re
from dataclasses import dataclass
from typing import NoReturn

from orchestrator.engine.runs import ENDED, MOVES
from tests.reliability.journeys import journey_for
from tests.reliability.systems import reference_of

# each line finds what may not be: (number of the invariant, what it is)
_WRONG = """
SELECT 2 AS number, 'an event is two messages' AS what, event_id AS which FROM message
 GROUP BY source, event_id HAVING count(*) > 1
UNION ALL
SELECT 3, 'a text is noted twice', run_id::text FROM notification
 GROUP BY run_id, template HAVING count(*) > 1
UNION ALL
SELECT 7, 'two live codes open one run', run_id::text FROM access_code
 WHERE redeemed_at IS NULL AND expires_at > parvis_now() GROUP BY run_id HAVING count(*) > 1
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
SELECT 3, 'a parent miscounts its children', q.id::text FROM run q
 WHERE q.open_children <> (SELECT count(*) FROM run c WHERE c.parent_id = q.id AND c.ended_at IS NULL)
UNION ALL
SELECT 3, 'a run ended before a child of it', q.id::text FROM run q
 WHERE q.ended_at IS NOT NULL AND q.open_children > 0
UNION ALL
SELECT 3, 'a task stays open after its run', h.run_id::text FROM human_task h
  JOIN run q ON q.id = h.run_id WHERE h.closed_at IS NULL AND q.ended_at IS NOT NULL
UNION ALL
SELECT 3, 'a run waits for a decision nobody is asked', q.id::text FROM run q
 WHERE q.status = 'waiting_human'
   AND NOT EXISTS (SELECT FROM human_task h WHERE h.run_id = q.id AND h.closed_at IS NULL)
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


TAKEN_BACK = {"compensated", "cancelled", "failed"}


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

    @staticmethod
    def check_ends(play, runs: list[dict]) -> None:
        """A run that was taken back left nothing behind; one that is done left what it logged."""
        status = {run["id"]: run["status"] for run in runs}
        for system in play.city.systems.values():
            askers: dict[str, set] = {}
            for call, _ in system.calls:
                askers.setdefault(reference_of(call), set()).add(call.run_id)
            for call, fate in system.calls:
                reference = reference_of(call)
                is_alone = len(askers[reference]) == 1 and reference not in system.overlapped
                if is_alone and status.get(call.run_id) in TAKEN_BACK and call.makes:
                    left = system.held[reference]
                    demand(not left, 3, f"{call.key} ({fate}) was taken back and left {left}")

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
                event.run_id = row["run_id"]  # a run begun again takes its event along
                event.all_runs.add(row["run_id"])

    def _check_runs(self, play, runs: list[dict]) -> None:
        now = {row["id"]: row for row in runs}
        for event in play.events.values():
            demand(event.all_runs <= now.keys(), 1, f"a run of {event.id} is gone")
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
    # a cancel is told beside the last row written, before the first one too
    positions = {seq for seq, *_ in row["log"]} - {0}
    demand(sorted(positions) == list(range(1, row["seq"] + 1)), 3, f"{which}: a hole in its log")
    demand((row["ended_at"] is not None) == (row["status"] in ENDED), 3, f"{which}: half ended")
    journey = journey_for(row["journey"], row["version"])
    if journey is None:
        return
    names = [step.name for step in journey.steps]
    done = [name for _, _, name, outcome, *_ in row["log"] if outcome in {"ok", "skipped"}]
    forward = [name for name in done if name in names]
    demand(forward == names[: len(forward)], 3, f"{which}: steps out of order or twice: {forward}")
    # an end that is decided at a step is logged there, and goes no step further
    reached = row["step"] + (row["status"] in ENDED | {"compensating", "stuck"})
    demand(reached >= len(forward), 3, f"{which}: stands at {row['step']}, did {forward}")

"""The end of a seed: everything is mended, time passes, and each run must come to an end of its own.

Whatever does not, or does for a reason that nobody gave it, breaks an invariant.
"""

from collections.abc import Iterator
from datetime import timedelta

import gevent

from orchestrator.engine.runs import ENDED
from schemas import clock
from tests.reliability.invariants import demand, fail
from tests.reliability.journeys import SIGNED
from tests.reliability.systems import GOOD, UNKNOWN, reference_of

MOST_ROUNDS = 400


class Ending:
    """How a play is brought to its end."""

    def finish(self) -> None:
        """Mend everything and let time pass: whatever was accepted comes to an end of its own.

        Raises:
            BrokenError: something did not, or not for a reason that was given.
        """
        self._heal()
        if self.sick is not None:
            self._run_beside_the_sick()
            self.sick = None
        for _ in range(MOST_ROUNDS):
            if not self._one_round():
                break
        else:
            fail(1, f"no rest after {MOST_ROUNDS} rounds: {self._restless()}")
        self.check()
        runs = self.runs()
        self.invariants.check_ends(self, runs)
        for run in runs:
            is_over = run["status"] in ENDED or self._may_be_stuck(run)
            demand(
                is_over, 1, f"run {run['id']} ended nowhere: {run['status']} {run['error_code']}"
            )

    def _heal(self) -> None:
        self.note("heal")
        self.database_fates.clear()
        self.come_back()
        if not self.workers:
            self.start_worker()

    def _one_round(self) -> bool:
        """Let everything go on once; False when there is nothing left to wait for."""
        before = self._standing()
        late = [event for event in self.events.values() if not event.is_acknowledged]
        if late:
            self.post(*late)
        self._work()
        if self._standing() != before:
            self.check()
            return True
        return self._pass_time()

    def _work(self) -> None:
        """Timers, then every greenlet, then every worker that waits for wakes."""
        self.tick()
        self._let_all_go()
        self.look()
        self._let_all_go()

    def _let_all_go(self) -> None:
        while moving := [here for here in self.stage.parked if here.place != "worker.waits"]:
            self.stage.let_go(moving, GOOD)

    def _standing(self) -> tuple:
        rows = self.runs()
        open_calls = len(self.stage.parked)
        return tuple((row["id"], row["fence"], row["status"]) for row in rows), open_calls

    def _pass_time(self) -> bool:
        """Nothing moves by itself: the next timer, the sweeper, or somebody who comes or does not."""
        if self._rest():
            return True
        runs = [run for run in self.runs() if run["status"] not in ENDED | {"stuck"}]
        timed = [
            run["wake_at"] for run in runs if run["status"] in {"waiting_timer", "compensating"}
        ]
        now = clock.utcnow()
        if any(timed):
            self.turn(max(timedelta(), min(filter(None, timed)) - now) + timedelta(seconds=1))
            return True
        held = [run["lease_until"] for run in runs if run["status"] in {"ready", "compensating"}]
        if held:
            self.turn(max(timedelta(), min(held) - now) + timedelta(seconds=1))
            return True
        awaited = [run for run in runs if not (run["waiting_for"] or "").startswith("children.")]
        if awaited:
            self._decide(self.chances.choice(awaited), now)
            return True
        return self._take_care_of_stuck()

    def _take_care_of_stuck(self) -> bool:
        """A parent waits for a child nobody takes care of; the others are left as they are."""
        stuck = [run for run in self.runs() if run["status"] == "stuck" and run["parent_id"]]
        for run in stuck:
            acts = ("retry", "discard", "skip") if not run["pivoted"] else ("retry", "skip")
            self.operate(run["id"], self.chances.choice(acts))
        return bool(stuck)

    def _rest(self) -> bool:
        """Give a process that catches its breath the real time it asked for."""
        if not any(self._resting()):
            return False
        while any(self._resting()):
            gevent.sleep(0.01)
        return True

    def rest_once(self) -> None:
        """Let a process that catches its breath do so for a moment."""
        gevent.sleep(0.3)
        self.settle()

    def _resting(self) -> Iterator[bool]:
        for process in self.workers:
            standing = sum(here.owner is process for here in self.stage.parked)
            yield process.alive > standing

    def _decide(self, run: dict, now) -> None:
        """Somebody comes with the code, agrees, or nobody ever does."""
        row = self.ground.looking.execute(
            "SELECT id FROM access_code WHERE run_id = %s AND redeemed_at IS NULL "
            "AND expires_at > parvis_now()",
            (run["id"],),
        ).fetchone()
        if self.chances.random() < 0.6 and run["waiting_for"] == "access_code.redeemed" and row:
            self.redeem_code(row["id"])
        elif self.chances.random() < 0.5 and run["waiting_for"] == "consent.given":
            self.consent(run["id"])
        elif run["waiting_for"] == SIGNED and self.chances.random() < 0.6:
            self.sign()
        elif run["status"] == "waiting_human" and (
            run["wake_at"] is None or self.chances.random() < 0.6
        ):
            self.decide()
        else:
            self.turn(max(timedelta(), run["wake_at"] - now) + timedelta(seconds=1))

    def _run_beside_the_sick(self) -> None:
        """While one system stays down, everybody else's runs go on as if nothing was."""
        for _ in range(3):
            while True:
                before = self._standing()
                self._work()
                if self._standing() == before and not self._rest():
                    break
            self.check()
            self.turn(timedelta(minutes=17))
        self.tick()
        self._let_all_go()
        for run in self.runs():
            is_still = run["status"] in {"ready", "waiting_timer"} and not self._went_back
            is_still = is_still and not self._waits_rightly(run["waiting_for"] or "")
            if is_still and not self._needs_the_sick(run) and not self._may_not_ask(run):
                fail(9, f"run {run['id']} stands still beside a sick {self.sick}")

    def _waits_rightly(self, what: str) -> bool:
        """A pause of the journey's, or a system that had a fault of its own and comes back in waves."""
        kind, _, name = what.partition(":")
        if kind == "system":
            return any(fate != GOOD for _, fate in self.city.system(name).calls)
        return kind == "timer"

    def _needs_the_sick(self, run: dict) -> bool:
        row = self._last_row(run)
        return row is not None and row["profile"] == self.sick

    def _may_not_ask(self, run: dict) -> bool:
        """A call that may have been made waits for a basis to look, when the person took theirs back."""
        row = self._last_row(run)
        return row is not None and row["outcome"] == "unknown" and self._withdrew(run)

    def _last_row(self, run: dict) -> dict | None:
        return self.ground.looking.execute(
            "SELECT error->>'profile' AS profile, outcome FROM step WHERE run_id = %s"
            " ORDER BY seq DESC LIMIT 1",
            (run["id"],),
        ).fetchone()

    def _may_be_stuck(self, run: dict) -> bool:
        """A run is put aside only for what really happened to it."""
        mine = [
            fate
            for system in self.city.systems.values()
            for call, fate in system.calls
            if call.run_id == run["id"]
        ]
        reasons = {
            "rejected": "rejected" in mine
            or self._lost_its_record(run)
            or run["journey"] == "campaign.tour",  # its cards had to end well, all of them
            "contract_broken": "garbage" in mine,
            "retries_exhausted": len([fate for fate in mine if fate != GOOD]) > 1
            or self.counts["database.after"] + self.counts["database.before"] > 0,
            "recoveries": self._offset > timedelta(minutes=10),
            "outcome_unknown": any(fate in UNKNOWN for fate in mine) or self._withdrew(run),
            "undo_failed": any(fate != GOOD for fate in mine),
        }
        return run["status"] == "stuck" and reasons.get(run["error_code"], False)

    def _withdrew(self, run: dict) -> bool:
        """Somebody who takes a consent back leaves a call that was cut off without an answer."""
        row = self.ground.looking.execute(
            "SELECT EXISTS (SELECT FROM consent_record c JOIN pseudonym p ON p.pseudonym = c.subject_ref"
            " JOIN run r ON r.citizen_id = p.citizen_id"
            " WHERE r.id = %s AND c.event_type = 'withdrawn') AS so",
            (run["id"],),
        ).fetchone()
        return bool(row and row["so"])

    def _lost_its_record(self, run: dict) -> bool:
        """An activation that finds no record any more is refused for good, rightly."""
        return any(
            call.run_id == run["id"]
            and call.operation == "activate"
            and not system.held[reference_of(call)]
            for system in self.city.systems.values()
            for call, _ in system.calls
        )

    def _restless(self) -> list[tuple]:
        return [
            (str(run["id"]), run["status"], run["waiting_for"], str(run["wake_at"]))
            for run in self.runs()
            if run["status"] not in ENDED
        ]

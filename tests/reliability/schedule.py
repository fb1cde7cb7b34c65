"""A seeded schedule: which faults this seed knows, and some forty things done in its own order.

The same seed makes the same choices. Each seed knows only some of the faults, so that rare pairs
meet without every seed drowning in all of them.
"""

from collections.abc import Callable
from datetime import timedelta

import gevent

from tests.reliability.ground import Ground, seeded
from tests.reliability.journeys import ASKED
from tests.reliability.play import ARRIVES, COMMUNES, SHARINGS, Logs, Play
from tests.reliability.reports import Report
from tests.reliability.systems import FINAL, GOOD, PASSING

POINTS = ("worker.before_call", "worker.after_call", "worker.after_commit", "waker.before_delete")
JUMPS = (
    timedelta(seconds=5),
    timedelta(seconds=70),
    timedelta(minutes=3),
    timedelta(hours=1),
    timedelta(hours=-1),
    timedelta(days=3),
    timedelta(days=-3),
    timedelta(days=31),
)
# what a seed may know; each knows about half of it
FAULTS = ("kill", "system", "final", "sick", "clock", "database", "repeat", "people", "broker")
FAULTS += ("repair", "cancel", "journeys")
REPAIRS = ("retry", "retry", "resume", "skip", "discard", "restart", "fork")
MOST_EVENTS = 4
STEPS = (25, 45)


def count(report: Report, play: Play) -> None:
    """Count one seed that kept every invariant."""
    report.attempt += play.counts["attempt"]
    report.acknowledged += play.counts["acknowledged"]
    report.ok += sum(event.is_acknowledged for event in play.events.values())
    report.recovered += play.counts["kills"]
    report.unexpected += play.counts["unexpected"]
    report.more += play.counts
    report.more["overlapping calls"] += sum(
        len(system.overlapped) for system in play.city.systems.values()
    )
    report.more["seeds"] += 1


class Schedule:
    """The course of one seed."""

    def __init__(self, ground: Ground, seed: int, logs: Logs) -> None:
        self.seed = seed
        self._chances = seeded(seed)
        self.play = Play(ground, self._chances, with_broker=self._chances.random() < 0.5, logs=logs)
        self._knows = self._drawn_faults()
        self.play.places = frozenset(p for p in POINTS if self._chances.random() < 0.6)
        if "sick" in self._knows:
            self.play.sick = self._chances.choice([*COMMUNES.values(), "sms_city"])

    def run(self) -> Play:
        """Run it to its end.

        Raises:
            BrokenError: an invariant does not hold.
        """
        play, chances = self.play, self._chances
        try:
            with gevent.Timeout(60, RuntimeError("a seed does not end")):
                play.start_worker()
                acts = self._acts()
                names, weights = [*acts], [weight for weight, _ in acts.values()]
                for _ in range(chances.randint(*STEPS)):
                    acts[chances.choices(names, weights)[0]][1]()
                    play.check()
                play.finish()
        finally:
            play.end()
        return play

    # --- what may happen --------------------------------------------------------------------------

    def _drawn_faults(self) -> frozenset[str]:
        return frozenset(name for name in FAULTS if self._chances.random() < 0.45)

    def _acts(self) -> dict[str, tuple[int, Callable[[], None]]]:
        knows = self._knows
        acts = {
            "arrive": (4, self._arrive),
            "go": (14, self._go),
            "look": (6, self.play.look),
            "tick": (3, self.play.tick),
            "redeem": (3, self._redeem),
            "kill": (2 * ("kill" in knows), self._kill),
            "turn": (3 * ("clock" in knows), self._turn),
            "strike": (3 * ("database" in knows), self._strike),
            "repeat": (3 * ("repeat" in knows), self._repeat),
            "people": (3 * ("people" in knows), self._people),
            "broker": (3 * ("broker" in knows and self.play.broker is not None), self._broker),
            "back": (2 * ("database" in knows), self.play.come_back),
            "second": (1, self._second_worker),
            "sign": (2 * ("journeys" in knows), self.play.sign),
            "decide": (2 * ("journeys" in knows), self.play.decide),
            "repair": (3 * ("repair" in knows), self._repair),
            "cancel": (2 * ("cancel" in knows), self._cancel),
        }
        return {name: act for name, act in acts.items() if act[0]}

    def _arrive(self) -> None:
        play, chances = self.play, self._chances
        left = MOST_EVENTS - len(play.events)
        if left <= 0:
            return self._go()
        count = chances.choice([1, 1, min(2, left)])
        kinds = [ARRIVES, *ASKED] if "journeys" in self._knows else [ARRIVES]
        made = [
            play.arrive(
                chances.choice([*COMMUNES]), chances.choice(SHARINGS), kind=chances.choice(kinds)
            )
            for _ in range(count)
        ]
        times = 16 if "repeat" in self._knows and chances.random() < 0.1 else 1
        play.post(*(made * times))
        return None

    def _go(self) -> None:
        moving = [here for here in self.play.stage.parked if here.place != "worker.waits"]
        if not moving:
            return self.play.look()
        chosen = self._chances.sample(moving, self._chances.randint(1, len(moving)))
        self.play.let_go(chosen, self._fate())
        return None

    def _fate(self) -> str:
        chance = self._chances.random()
        if "system" in self._knows and chance < 0.35:
            return self._chances.choice(PASSING)
        if "final" in self._knows and chance > 0.94:
            return self._chances.choice((*FINAL, "locked_out"))
        return GOOD

    def _redeem(self) -> None:
        self.play.redeem(times=self._chances.choice([1, 1, 1, 5]))

    def _kill(self) -> None:
        chosen = self._chances.choice([*self.play.workers, *self.play.workers, self.play.web])
        self.play.kill(chosen)
        if not self.play.workers:
            self.play.start_worker()

    def _second_worker(self) -> None:
        """Beside the embedded waker it stands by, on a broker it takes its share."""
        if self.play.broker is not None and len(self.play.workers) < 2:
            self.play.start_worker()

    def _turn(self) -> None:
        """A call never outlives its own deadline: those on the way end before time passes."""
        calls = [here for here in self.play.stage.parked if here.place.startswith("partner")]
        if calls:
            self.play.let_go(calls, self._chances.choice(("lost_before", "lost_after", GOOD)))
        self.play.turn(self._chances.choice(JUMPS))
        self.play.tick()

    def _strike(self) -> None:
        if self._chances.random() < 0.2:
            self.play.leave(self._chances.choice(self.play.workers))
            return
        chosen = self._chances.choice([*self.play.workers, self.play.web])
        fate = self._chances.choice(("before", "after", "after", "deadlock"))
        self.play.strike(chosen, fate, self._chances.randrange(4))

    def _repeat(self) -> None:
        if not self.play.arrivals:
            return
        known = self._chances.choice(self.play.arrivals)
        match self._chances.randrange(3):
            case 0:
                self.play.post(known, known)
            case 1:
                self.play.post_another_body(known)
            case _:
                self.play.post(self.play.again(known))

    def _people(self) -> None:
        """Withdrawals, consents and signals, whether or not anybody waits for them."""
        play = self.play
        if not play.arrivals:
            return
        known = self._chances.choice(play.arrivals)
        match self._chances.randrange(3):
            case 0:
                play.post(play.withdraw(known))
            case 1 if known.run_id is not None:
                play.consent(known.run_id)
            case 2 if known.run_id is not None:
                play.signal(known.run_id, "nobody.waits", "early:1", times=2)

    def _repair(self) -> None:
        runs = self.play.runs()
        if runs:
            run = self._chances.choice([run for run in runs if run["status"] == "stuck"] or runs)
            self.play.operate(run["id"], self._chances.choice(REPAIRS))

    def _cancel(self) -> None:
        runs = self.play.runs()
        if runs:
            self.play.operate(self._chances.choice(runs)["id"], "cancel")

    def _broker(self) -> None:
        broker = self.play.broker
        match self._chances.randrange(4):
            case 0:
                self.play.note("wipe")
                broker.wipe()
            case 1:
                broker.shuffle()
            case 2:
                broker.double()
            case _:
                self.play.relay(forgets=True)


class FailedSeedError(AssertionError):
    """A seed broke an invariant; says how to see it again and what was done."""

    def __init__(self, seed: int, play: Play, cause: BaseException) -> None:
        runs = [
            f"{run['id']} {run['journey']} {run['status']} {run['error_code']}"
            for run in play.runs()
        ]
        told = "\n  ".join([*play.story[:30], "...", *play.story[30:][-40:], *runs])
        super().__init__(
            f"seed {seed}: {type(cause).__name__}: {cause}\n"
            f"again: PARVIS_TEST_SEED={seed} pytest tests/reliability/test_seeds.py\n  {told}"
        )


def run_seed(ground: Ground, seed: int, report: Report, logs: Logs) -> None:
    """Run one seed and count it.

    Raises:
        FailedSeedError: with what is needed to see it again.
    """
    schedule = Schedule(ground, seed, logs)
    try:
        count(report, schedule.run())
    except Exception as error:
        raise FailedSeedError(seed, schedule.play, error) from error


__all__ = ["FailedSeedError", "Schedule", "run_seed"]

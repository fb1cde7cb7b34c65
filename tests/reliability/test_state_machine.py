"""R8: the same world driven by hypothesis, which looks for the shortest course that breaks something."""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.reliability.play import COMMUNES, SHARINGS, Play
from tests.reliability.schedule import JUMPS, POINTS
from tests.reliability.sizes import sized
from tests.reliability.systems import FATES, GOOD

pytestmark = [pytest.mark.postgres]
EXAMPLES, STEPS = 20, 25
LONG_EXAMPLES, LONG_STEPS = sized(1000), 50


def machine(ground, logs):
    """Return the machine's class on one prepared database."""

    class Hub(RuleBasedStateMachine):
        play = None

        @initialize(
            chances=st.randoms(use_true_random=False),
            with_broker=st.booleans(),
            places=st.frozensets(st.sampled_from(POINTS)),
        )
        def begin(self, chances, with_broker, places):
            self.play = Play(ground, chances, with_broker=with_broker, logs=logs)
            self.play.places = places
            self.play.start_worker()

        @rule(commune=st.sampled_from(sorted(COMMUNES)), sharing=st.sampled_from(SHARINGS))
        @precondition(lambda self: len(self.play.events) < 5)
        def somebody_arrives(self, commune, sharing):
            self.play.post(self.play.arrive(commune, sharing))

        @rule(index=st.integers(0, 9), fate=st.sampled_from((GOOD, GOOD, *FATES)))
        @precondition(lambda self: self._moving())
        def one_goes_on(self, index, fate):
            moving = self._moving()
            self.play.let_go([moving[index % len(moving)]], fate)

        @rule()
        @precondition(lambda self: self._moving())
        def all_go_on(self):
            self.play.let_go(self._moving(), GOOD)

        @rule()
        def workers_look(self):
            self.play.look()

        @rule()
        def timers_do_their_round(self):
            self.play.tick()

        @rule(times=st.sampled_from((1, 5)))
        @precondition(lambda self: self.play.events)
        def a_code_is_typed(self, times):
            self.play.redeem(times=times)

        @rule(index=st.integers(0, 4), kind=st.sampled_from(("same", "again", "body", "withdraw")))
        @precondition(lambda self: self.play.arrivals)
        def a_sender_speaks_again(self, index, kind):
            events = self.play.arrivals
            known = events[index % len(events)]
            match kind:
                case "same":
                    self.play.post(known, known)
                case "again":
                    self.play.post(self.play.again(known))
                case "body":
                    self.play.post_another_body(known)
                case "withdraw":
                    self.play.post(self.play.withdraw(known))

        @rule(of_web=st.booleans())
        def a_process_is_killed(self, of_web):
            self.play.kill(
                self.play.web if of_web or not self.play.workers else self.play.workers[0]
            )
            if not self.play.workers:
                self.play.start_worker()

        @rule(
            of_web=st.booleans(),
            fate=st.sampled_from(("before", "after", "deadlock")),
            skip=st.integers(0, 3),
        )
        def the_database_fails_once(self, of_web, fate, skip):
            chosen = self.play.web if of_web or not self.play.workers else self.play.workers[0]
            self.play.strike(chosen, fate, skip)

        @rule(by=st.sampled_from(JUMPS))
        def time_jumps(self, by):
            calls = [each for each in self._moving() if each.place.startswith("partner")]
            if calls:
                self.play.let_go(calls, "lost_after")
            self.play.turn(by)
            self.play.tick()

        @invariant()
        def everything_holds(self):
            if self.play is not None:
                self.play.check()

        def teardown(self):
            if self.play is not None:
                try:
                    self.play.finish()
                finally:
                    self.play.end()
                    ground.cables.turn(timedelta())

        def _moving(self):
            return [each for each in self.play.stage.parked if each.place != "worker.waits"]

    return Hub


@pytest.mark.timeout(120)
def test_no_course_of_events_breaks_an_invariant(ground, logs):
    _explore(ground, logs, examples=EXAMPLES, steps=STEPS)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_no_course_of_events_breaks_an_invariant_for_long(ground, logs):
    _explore(ground, logs, examples=LONG_EXAMPLES, steps=LONG_STEPS)


def _explore(ground, logs, *, examples, steps):
    run_state_machine_as_test(
        machine(ground, logs),
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            print_blob=True,
            phases=(Phase.explicit, Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        ),
    )

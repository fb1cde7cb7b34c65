"""What waits for others goes on apart: once at a time, and again after a failure."""

import gevent
from gevent.event import Event

from orchestrator.runtime.upkeep import Apart
from schemas.errors import StoreUnavailableError


def test_a_long_one_holds_nobody_up_and_is_not_begun_twice():
    begun, may_end = [], Event()

    def act():
        begun.append(1)
        may_end.wait()
        return 1

    chore = Apart("something.done", act)
    chore()
    gevent.sleep(0)
    chore()
    gevent.sleep(0)
    assert len(begun) == 1

    may_end.set()
    gevent.sleep(0)
    chore()
    gevent.sleep(0)
    assert len(begun) == 2


def test_a_failure_puts_it_off_to_the_next_time():
    outcomes = [StoreUnavailableError(), None]

    def act():
        error = outcomes.pop(0)
        if error:
            raise error
        return 0

    chore = Apart("something.done", act)
    for _ in range(2):
        chore()
        gevent.sleep(0)

    assert outcomes == []

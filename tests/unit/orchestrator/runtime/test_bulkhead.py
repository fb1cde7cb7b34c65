import gevent
import pytest

from orchestrator.runtime.bulkhead import LONGEST_WAIT_SECONDS, Bulkhead, share_of
from schemas.errors import PartnerBusyError


def hold(bulkhead, profile, seconds):
    with bulkhead.room(profile, "op"):
        gevent.sleep(seconds)


def crowd(bulkhead, profile, count, seconds=1.0):
    """As many callers as asked, each in a greenlet of its own; those refused end at once."""
    callers = [gevent.spawn(hold, bulkhead, profile, seconds) for _ in range(count)]
    for caller in callers:
        caller._report_error = lambda *_error: None
    gevent.sleep(0.01)
    return callers


@pytest.mark.parametrize(
    ("greenlets", "systems", "share"),
    [(64, 1, 55), (64, 2, 42), (64, 3, 32), (64, 5, 21), (400, 1, 349), (8, 1, 6), (2, 9, 2)],
)
def test_a_system_gets_twice_its_fair_part_and_never_all(greenlets, systems, share):
    assert share_of(greenlets, systems=systems) == share


def test_a_system_that_hangs_holds_its_share_and_leaves_the_rest_to_the_others():
    bulkhead = Bulkhead(64)
    for profile in "abcd":
        hold(bulkhead, profile, 0)
    held = crowd(bulkhead, "sick", 64, seconds=2.0)
    gevent.sleep(0.4)
    assert sum(not caller.dead for caller in held) == share_of(64, systems=5)
    with bulkhead.room("a", "op"):
        pass
    gevent.killall(held)


def test_who_finds_no_room_waits_a_moment_for_it():
    bulkhead = Bulkhead(8)
    crowd(bulkhead, "p", 6, seconds=0.1)
    with bulkhead.room("p", "op"):
        pass


def test_many_who_find_no_room_get_moments_of_their_own_at_the_pace_of_the_system():
    now = 0.0
    bulkhead = Bulkhead(8, monotonic=lambda: now)
    for _ in range(6):
        bulkhead.room("p", "op")
    now, waits = 3.0, []
    for _ in range(100):
        with pytest.raises(PartnerBusyError) as refused:
            bulkhead.room("p", "op")
        waits.append(round(refused.value.retry_after, 3))
    assert waits[:4] == [3.0, 3.5, 4.0, 4.5]  # three seconds without a place, six places
    assert waits == sorted(waits)
    assert waits[-1] == LONGEST_WAIT_SECONDS


def test_after_a_quiet_hour_a_hanging_system_holds_no_more_than_its_share():
    now = 0.0
    bulkhead = Bulkhead(64, monotonic=lambda: now)
    systems = ("a", "b", "c", "d", "hangs")
    for system in systems:
        with bulkhead.room(system, "op"):
            pass
    now = 3600.0
    for _ in range(share_of(64, systems=5)):
        now += 0.001
        bulkhead.room("hangs", "op")
        for system in systems[:4]:
            with bulkhead.room(system, "op"):
                pass

    now += 0.5
    with pytest.raises(PartnerBusyError):
        bulkhead.room("hangs", "op")


def test_moments_of_a_quick_system_are_shared_by_a_few():
    now = 0.1
    bulkhead = Bulkhead(64, monotonic=lambda: now)
    for _ in range(64 - 64 // 8 - 1):
        bulkhead.room("p", "op")
    now, slots = 0.7, []
    for _ in range(200):
        with pytest.raises(PartnerBusyError) as refused:
            bulkhead.room("p", "op")
        slots.append(round(now + refused.value.retry_after, 3))

    assert slots == sorted(slots)
    assert set(slots) == {2.75 + 0.25 * number for number in range(10)}


def test_a_caller_killed_while_it_waits_leaves_no_place_behind():
    bulkhead = Bulkhead(8)
    held = crowd(bulkhead, "p", 6, seconds=0.1)
    waiting = crowd(bulkhead, "p", 1)
    gevent.killall(waiting)
    gevent.joinall(held)
    again = crowd(bulkhead, "p", 6, seconds=0.1)
    assert not any(caller.dead for caller in again)
    gevent.joinall(again)


def test_a_system_that_asks_to_be_spared_is_called_by_fewer_and_slowly_by_more():
    bulkhead = Bulkhead(8)
    for _ in range(3):
        bulkhead.spare("p")
    held = crowd(bulkhead, "p", 4, seconds=0.6)
    gevent.sleep(0.3)
    assert sum(not caller.dead for caller in held) == 1
    gevent.joinall(held)
    for _ in range(60):
        hold(bulkhead, "p", 0)
    held = crowd(bulkhead, "p", 6, seconds=0.3)
    assert not any(caller.dead for caller in held)
    gevent.joinall(held)


def test_a_failed_call_gives_its_place_back():
    bulkhead = Bulkhead(2)
    for _ in range(10):
        with pytest.raises(ValueError, match="x"), bulkhead.room("p", "op"):
            raise ValueError("x")
    with bulkhead.room("p", "op"):
        pass


def test_a_crowd_at_a_quick_system_waits_its_turn_and_nobody_is_sent_away():
    bulkhead = Bulkhead(64)
    callers = crowd(bulkhead, "p", 150, seconds=0.02)
    gevent.joinall(callers)
    assert [caller.exception for caller in callers if caller.exception] == []


def test_nobody_waits_at_a_system_that_hangs():
    bulkhead = Bulkhead(8)
    held = crowd(bulkhead, "p", 6, seconds=5)
    gevent.sleep(0.3)
    late = crowd(bulkhead, "p", 20, seconds=5)
    assert all(caller.dead for caller in late)
    gevent.killall(held)


def test_a_system_nobody_called_for_long_is_not_taken_for_one_that_hangs():
    bulkhead = Bulkhead(8)
    hold(bulkhead, "p", 0)
    gevent.sleep(0.5)
    callers = crowd(bulkhead, "p", 12, seconds=0.05)
    gevent.joinall(callers)
    assert [caller.exception for caller in callers if caller.exception] == []

import gevent
import pytest

from orchestrator.runtime.pacing import LONGEST_PLACE_SECONDS, SOON_SECONDS, Pacer
from orchestrator.services.ports.pacing import Turns
from schemas import clock
from schemas.errors import PartnerBusyError, StoreUnavailableError


class Paces:
    """Gives what the test says; remembers how many turns were wanted at once."""

    def __init__(self, *turns, after=None):
        self.turns, self.wanted, self.after = list(turns), [], after

    def take(self, profile, *, rate, wanted, soon):
        self.wanted.append(wanted)
        if self.after is not None:
            self.after()
        turns = self.turns.pop(0)
        if isinstance(turns, Exception):
            raise turns
        return turns


def given(count, *, first_in=0.0, place_in=1.0):
    return Turns(given=count, first_in=first_in, place_in=place_in)


def pacer(paces, rate=10):
    return Pacer(paces=paces, limit=lambda profile: rate if profile == "slow" else None)


def test_a_system_without_a_limit_is_asked_at_once_and_without_a_statement():
    paces = Paces()
    pacer(paces).wait_turn("fast", "create")
    assert paces.wanted == []


def test_a_call_waits_for_its_turn_when_it_comes_soon():
    begun = clock.monotonic()
    pacer(Paces(given(1, first_in=0.1))).wait_turn("slow", "create")
    assert clock.monotonic() - begun >= 0.09


def test_a_call_without_a_turn_comes_again_at_its_place():
    with pytest.raises(PartnerBusyError) as refused:
        pacer(Paces(given(0, place_in=42.0))).wait_turn("slow", "create")
    assert 30 < refused.value.retry_after <= 42


def test_calls_that_wait_together_take_their_turns_in_one_statement_and_in_order():
    paces = Paces(given(1), given(2, place_in=5.0), after=lambda: gevent.sleep(0.05))
    door, told = pacer(paces), []

    def call(name):
        try:
            door.wait_turn("slow", "create")
        except PartnerBusyError as busy:
            told.append((name, round(busy.retry_after, 1)))
        else:
            told.append((name, None))

    gevent.joinall([gevent.spawn(call, name) for name in "abcde"], raise_error=True)
    assert paces.wanted == [1, 4]
    assert [name for name, later in told if later is None] == ["a", "b", "c"]
    (first, second) = [later for _, later in told if later]
    assert second - first == pytest.approx(0.1, abs=0.09)


def test_a_place_far_away_is_spread_so_that_nobody_sleeps_through_a_change_of_the_limit():
    places = set()
    for _ in range(20):
        with pytest.raises(PartnerBusyError) as refused:
            pacer(Paces(given(0, place_in=1e6))).wait_turn("slow", "create")
        places.add(refused.value.retry_after)
    assert len(places) > 1
    assert all(LONGEST_PLACE_SECONDS / 2 <= at <= LONGEST_PLACE_SECONDS for at in places)


def test_a_place_is_never_at_once():
    with pytest.raises(PartnerBusyError) as refused:
        pacer(Paces(given(0, place_in=0.0))).wait_turn("slow", "create")
    assert refused.value.retry_after == SOON_SECONDS


def test_a_statement_that_fails_fails_its_own_call_and_the_others_ask_again():
    paces = Paces(given(1), StoreUnavailableError(), given(2), after=lambda: gevent.sleep(0.02))
    door = pacer(paces)
    calls = [gevent.spawn(door.wait_turn, "slow", "create") for _ in range(4)]
    gevent.joinall(calls)
    assert paces.wanted == [1, 3, 2]
    assert [type(call.exception) for call in calls].count(StoreUnavailableError) == 1
    assert [call.successful() for call in calls].count(True) == 3

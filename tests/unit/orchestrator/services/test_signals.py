from datetime import timedelta

import pytest

from orchestrator.engine.journey import End, Journey, Require, Wait
from orchestrator.services.ports.signals import HandSignal, Heard, Signalled
from orchestrator.services.signals import Signals, SignalsByHand
from schemas import ids
from schemas.errors import ReasonMissingError, RunStateError, RunUnknownError

DAY, OVER = timedelta(days=1), End("expired")
JOURNEY = Journey(
    name="test",
    version=1,
    starts_on=("lease.signed.v1",),
    key=lambda *_: "",
    steps=(
        Wait("payment.settled", timeout=DAY, otherwise=OVER),
        Require(purpose="p", timeout=DAY, otherwise=OVER),
    ),
)


class Rows:
    def __init__(self, *, version=1, is_over=False):
        self.found = Signalled(journey="test", version=version, is_over=is_over)
        self.given = []

    def signalled(self, run_id):
        return self.found

    def signal(self, run_id, name, *, dedup, payload=None):
        self.given.append(name)


def signals(rows):
    return Signals(rows=rows, journeys=lambda _name, version: JOURNEY if version == 1 else None)


@pytest.mark.parametrize("name", ["payment.settled", "consent.given", "lease.signed.v1"])
def test_a_run_is_told_what_it_may_hear_however_early(name):
    rows = Rows()
    signals(rows).give(ids.uuid7(), name, dedup="1")
    assert rows.given == [name]


def test_what_no_step_waits_for_is_refused_and_changes_nothing():
    rows = Rows()
    with pytest.raises(RunStateError, match=r"n.attend « booking\.confirmed »"):
        signals(rows).give(ids.uuid7(), "booking.confirmed", dedup="1")
    assert rows.given == []


def test_a_run_that_is_over_or_unknown_hears_nothing():
    over, unknown = Rows(is_over=True), Rows()
    unknown.found = None
    with pytest.raises(RunStateError):
        signals(over).give(ids.uuid7(), "payment.settled", dedup="1")
    with pytest.raises(RunUnknownError):
        signals(unknown).give(ids.uuid7(), "payment.settled", dedup="1")
    assert over.given == unknown.given == []


def test_a_run_of_a_version_unknown_here_keeps_its_signals_for_who_knows_it():
    rows = Rows(version=7)
    signals(rows).give(ids.uuid7(), "payment.settled", dedup="1")
    assert rows.given == ["payment.settled"]


class Hands:
    """Remembers what people gave; ``first`` is what was given first under the key."""

    def __init__(self, *, first=None, is_over=False):
        self.first, self.is_over, self.given = first, is_over, []

    def give(self, run_id, given):
        if self.is_over:
            return None
        self.given.append(given)
        name = self.first or given.name
        return Heard(name=name, status="ready", is_new=self.first is None, is_reason_kept=True)


def by_hand(rows, hands):
    known = signals(rows).journeys
    return SignalsByHand(rows=rows, hands=hands, journeys=known)


def given(name="payment.settled", *, dedup="1", reason="virement  vu\nau guichet"):
    return HandSignal(name=name, dedup=dedup, actor="cli:anne", reason=reason)


def test_what_a_person_gives_reaches_the_run_with_its_actor_and_a_tidy_reason():
    hands = Hands()
    heard = by_hand(Rows(), hands).give(ids.uuid7(), given())
    assert (heard.status, heard.is_new) == ("ready", True)
    (kept,) = hands.given
    assert (kept.actor, kept.reason) == ("cli:anne", "virement vu au guichet")


@pytest.mark.parametrize(
    ("rows", "asked", "fault", "said"),
    [
        (Rows(), given("booking.confirmed"), RunStateError, "n.attend « booking.confirmed »"),
        (Rows(is_over=True), given(), RunStateError, "terminée"),
        (Rows(version=7), given(), RunStateError, "ne connaît pas le parcours test version 7"),
        (Rows(), given(reason="x"), ReasonMissingError, "pourquoi"),
        (Rows(), given(reason="voir ana@example.org"), ReasonMissingError, "ni adresse"),
        (Rows(), given(dedup=""), RunStateError, "clé"),
        (Rows(), given(dedup="ana@example.org"), RunStateError, "clé"),
        (Rows(), given(dedup="x" * 81), RunStateError, "80"),
    ],
)
def test_what_a_person_may_not_give_is_refused_and_changes_nothing(rows, asked, fault, said):
    hands = Hands()
    with pytest.raises(fault, match=said):
        by_hand(rows, hands).give(ids.uuid7(), asked)
    assert hands.given == []


def test_a_person_is_told_that_there_is_no_such_run():
    unknown, hands = Rows(), Hands()
    unknown.found = None
    with pytest.raises(RunUnknownError):
        by_hand(unknown, hands).give(ids.uuid7(), given())
    assert hands.given == []


def test_a_run_that_ends_meanwhile_and_a_key_of_another_signal_are_told():
    with pytest.raises(RunStateError, match="terminée"):
        by_hand(Rows(), Hands(is_over=True)).give(ids.uuid7(), given())
    with pytest.raises(RunStateError, match=r"déjà servi à donner « consent\.given »"):
        by_hand(Rows(), Hands(first="consent.given")).give(ids.uuid7(), given())


def test_the_same_signal_again_under_its_key_is_not_new():
    heard = by_hand(Rows(), Hands(first="payment.settled")).give(ids.uuid7(), given())
    assert not heard.is_new

from datetime import timedelta

import pytest

from orchestrator.engine.journey import End, Journey, Require, Wait
from orchestrator.services.ports.signals import Signalled
from orchestrator.services.signals import Signals
from schemas import ids
from schemas.errors import RunStateError, RunUnknownError

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

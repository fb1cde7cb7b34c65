from datetime import UTC, datetime, timedelta

import pytest

from orchestrator.engine.retry import RetryPolicy
from orchestrator.engine.verdict import PAUSE, described, verdict
from schemas.errors import (
    PartnerContractBrokenError,
    PartnerMisconfiguredError,
    PartnerRejectedError,
    PartnerThrottledError,
    PartnerUnavailableError,
)

NOW = datetime(2026, 11, 22, tzinfo=UTC)
POLICY = RetryPolicy.read("1s x1; 10s x1; then dead-letter")


def after(error, failures=0, policy=POLICY):
    return verdict(error, failures=failures, policy=policy, now=NOW, jitter=1.0)


def test_a_short_delay_keeps_the_run_in_hand():
    decided = after(PartnerUnavailableError("koha", "preregister"))
    assert (decided.to, decided.outcome, decided.delay) == ("ready", "error", 1.0)


def test_a_longer_delay_parks_the_run():
    decided = after(PartnerUnavailableError("koha", "preregister"), failures=1)
    assert (decided.to, decided.wake_at) == ("waiting_timer", NOW + timedelta(seconds=10))


def test_used_up_tries_put_the_run_aside_for_a_person():
    decided = after(PartnerUnavailableError("koha", "preregister"), failures=2)
    assert (decided.to, decided.error_code) == ("stuck", "retries_exhausted")


def test_retry_after_is_a_minimum():
    decided = after(PartnerUnavailableError("koha", "preregister", retry_after=90))
    assert decided.wake_at == NOW + timedelta(seconds=90)


def test_an_unknown_outcome_is_logged_as_such():
    assert after(PartnerUnavailableError("k", "o", outcome_unknown=True)).outcome == "unknown"


def test_a_throttled_try_is_not_counted_and_waits_for_its_system():
    decided = after(PartnerThrottledError("koha", "preregister", retry_after=7))
    assert (decided.to, decided.outcome) == ("waiting_timer", "deferred")
    assert (decided.waiting_for, decided.wake_at) == ("system:koha", NOW + timedelta(seconds=7))


def test_refused_credentials_pause_and_are_not_counted():
    decided = after(PartnerMisconfiguredError("koha", "preregister"), failures=99)
    assert (decided.to, decided.outcome) == ("waiting_timer", "deferred")
    assert decided.wake_at == NOW + PAUSE


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (PartnerRejectedError("k", "o"), "rejected"),
        (PartnerContractBrokenError("k", "o"), "contract_broken"),
    ],
)
def test_a_final_refusal_makes_the_run_stuck_with_its_reason(error, code):
    decided = after(error)
    assert (decided.to, decided.error_code) == ("stuck", code)


def test_a_bug_is_tried_three_times_more_then_put_aside():
    assert [after(KeyError("x"), failures=n).to for n in range(4)] == [
        "ready",
        "ready",
        "ready",
        "stuck",
    ]


def test_the_text_of_a_bug_is_never_kept():
    assert described(KeyError("Camille Durand")) == {"class": "KeyError"}

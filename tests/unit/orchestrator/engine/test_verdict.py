from datetime import UTC, datetime, timedelta

import pytest

from orchestrator.engine.retry import Cascade, RetryPolicy
from orchestrator.engine.verdict import NET, described, verdict
from schemas.errors import (
    PartnerAwaitedError,
    PartnerBusyError,
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


def test_a_failure_behind_an_open_breaker_counts_and_its_run_may_be_woken_earlier():
    error = PartnerUnavailableError("koha", "preregister")
    error.is_shut = True
    decided = after(error, failures=1)
    assert (decided.outcome, decided.waiting_for) == ("error", "system:koha")
    assert decided.wake_at == NOW + timedelta(seconds=10)


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
    assert (decided.waiting_for, decided.wake_at) == ("system:koha", NOW + NET)


def test_what_a_system_asks_for_is_a_minimum_whatever_the_jitter():
    error = PartnerThrottledError("koha", "preregister", retry_after=10)
    decided = verdict(error, failures=0, policy=POLICY, now=NOW, jitter=0.9)
    assert decided.wake_at == NOW + timedelta(seconds=10)


def test_a_run_that_finds_the_breaker_open_waits_for_its_system_and_uses_up_no_try():
    decided = after(PartnerAwaitedError("koha", "preregister"), failures=99)
    assert (decided.to, decided.outcome) == ("waiting_timer", "deferred")
    assert (decided.waiting_for, decided.wake_at) == ("system:koha", NOW + NET)


def test_a_run_that_finds_no_room_waits_by_itself_and_not_for_the_system():
    decided = after(PartnerBusyError("koha", "preregister", retry_after=3), failures=99)
    assert (decided.to, decided.outcome) == ("waiting_timer", "deferred")
    assert (decided.waiting_for, decided.wake_at) == (None, NOW + timedelta(seconds=3))


def test_tries_used_up_without_knowing_the_outcome_are_told_apart():
    error = PartnerUnavailableError("koha", "preregister", outcome_unknown=True)
    assert after(error, failures=2).error_code == "outcome_unknown"


def test_a_policy_that_ends_with_a_person_asks_one():
    policy = RetryPolicy.read("1s x1; then wait-for-a-person")
    decided = after(PartnerUnavailableError("koha", "preregister"), failures=1, policy=policy)
    assert (decided.to, decided.error_code) == ("waiting_human", "retries_exhausted")


def test_the_patience_is_that_of_the_system_and_operation_that_failed():
    cascade = Cascade(
        hub=POLICY,
        profiles={"koha": RetryPolicy.read("1h x1; then dead-letter")},
        operations={("koha", "activate"): RetryPolicy.read("2h x1; then dead-letter")},
    )
    waits = [
        after(PartnerUnavailableError(profile, operation), policy=cascade)
        for profile, operation in (("sms", "send"), ("koha", "lookup"), ("koha", "activate"))
    ]
    assert waits[0].delay == 1.0
    assert [each.wake_at - NOW for each in waits[1:]] == [timedelta(hours=1), timedelta(hours=2)]


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

"""What every connector makes of a system that misbehaves: one error, and what happens next."""

import time
from dataclasses import replace

import pytest

from connectors.kit import catalogue
from schemas.errors import (
    PartnerAlreadyDoneError,
    PartnerContractBrokenError,
    PartnerMisconfiguredError,
    PartnerThrottledError,
    PartnerUnavailableError,
    ParvisError,
    Recovery,
)
from tests.contract.connectors.rigs import (
    FAST,
    READ_TIMEOUT_SECONDS,
    all_cases,
    effect_cases,
    identify,
    networked,
    over_http,
)

pytestmark = [pytest.mark.enable_socket, pytest.mark.filterwarnings("ignore::UserWarning")]
EVERYONE = sorted(catalogue())
each_call = pytest.mark.parametrize(("name", "case"), all_cases(EVERYONE), ids=identify)
each_effect = pytest.mark.parametrize(("name", "case"), effect_cases(networked()), ids=identify)
each_local_effect = pytest.mark.parametrize(("name", "case"), effect_cases(EVERYONE), ids=identify)
each_http_effect = pytest.mark.parametrize(
    ("name", "case"), effect_cases(over_http()), ids=identify
)
each_http_call = pytest.mark.parametrize(("name", "case"), all_cases(over_http()), ids=identify)


def failure(rig, command):
    """The error of a call, which must be one of ours."""
    with pytest.raises(ParvisError) as raised:
        rig.call(command)
    return raised.value


def settled(rig, command):
    """A receipt, or the error that says it was done before."""
    try:
        return rig.call(command).__class__.__name__
    except PartnerAlreadyDoneError:
        return "Receipt"


@each_call
def test_an_operation_gives_a_receipt(rig, case):
    receipt = rig.call(rig.command(case))
    assert type(receipt).__name__ in {"Receipt", "ErasureReceipt"}


@each_local_effect
def test_the_same_operation_twice_has_one_effect(rig, case):
    command = rig.command(case)
    before = len(rig.effects())
    rig.call(command)
    once = len(rig.effects())
    assert once == before + 1
    again = rig.command(case, may_repeat=True) if case.after is None else _repeated(command)
    settled(rig, again)
    assert len(rig.effects()) == once


@each_local_effect
def test_the_same_operation_again_after_the_periodic_ones_has_one_effect(rig, case):
    command = rig.command(case)
    rig.call(command)
    once = len(rig.effects())
    for operation, _pace in rig.manifest.periodic:
        rig.profile.call(operation, replace(command, operation=operation), [])
    settled(rig, _repeated(command))
    assert len(rig.effects()) == once


def _repeated(command):
    return replace(command, may_repeat=True)


@each_effect
def test_a_lost_answer_is_an_unknown_outcome_and_the_repetition_has_no_second_effect(rig, case):
    command = rig.command(case)
    before = len(rig.effects())
    rig.arm("reset_after", operation=case.effect, times=1)
    error = failure(rig, command)
    assert isinstance(error, PartnerUnavailableError)
    assert error.outcome_unknown
    assert len(rig.effects()) == before + 1
    assert settled(rig, _repeated(command)) in {"Receipt", "ErasureReceipt"}
    assert len(rig.effects()) == before + 1


@each_effect
def test_a_request_cut_before_it_was_read_is_tried_again_and_applied_once(rig, case):
    command = rig.command(case)
    before = len(rig.effects())
    rig.arm("reset_before", operation=case.effect, times=1)
    assert failure(rig, command).recovery is Recovery.RETRY
    assert len(rig.effects()) == before
    settled(rig, _repeated(command))
    assert len(rig.effects()) == before + 1


@each_effect
def test_an_answer_that_is_too_late_is_an_unknown_outcome_within_the_limit(rig, case):
    command = rig.command(case)
    rig.arm("latency", operation=case.effect, ms=1500, times=1)
    started = time.monotonic()
    error = failure(rig, command)
    assert time.monotonic() - started < 1.4
    assert error.recovery is Recovery.RETRY
    assert error.outcome_unknown


@each_http_effect
def test_an_answer_that_drips_is_cut_at_the_total_deadline(rig, case):
    command = rig.command(case)
    rig.arm("slow_drip", operation=case.effect, bytes_per_s=20)
    started = time.monotonic()
    assert failure(rig, command).recovery is Recovery.RETRY
    assert READ_TIMEOUT_SECONDS < time.monotonic() - started < 6


@each_effect
@pytest.mark.parametrize("code", [500, 503])
def test_a_system_out_of_order_is_tried_again(rig, case, code):
    command = rig.command(case)
    rig.arm("status", operation=case.effect, code=code)
    error = failure(rig, command)
    assert type(error) is PartnerUnavailableError
    assert error.recovery is Recovery.RETRY


@each_effect
def test_a_refusal_for_good_is_a_dead_letter(rig, case):
    command = rig.command(case)
    rig.arm("status", operation=case.effect, code=422)
    assert failure(rig, command).recovery is Recovery.DEAD_LETTER


@each_http_effect
def test_a_bad_request_is_a_dead_letter(rig, case):
    command = rig.command(case)
    rig.arm("status", operation=case.effect, code=400)
    assert failure(rig, command).recovery is Recovery.DEAD_LETTER


@each_http_effect
def test_a_system_that_asks_to_slow_down_says_for_how_long(rig, case):
    command = rig.command(case)
    rig.arm("status", operation=case.effect, code=429, retry_after=37)
    error = failure(rig, command)
    assert isinstance(error, PartnerThrottledError)
    assert error.retry_after == 37
    assert not error.outcome_unknown


@each_http_effect
def test_a_maintenance_that_says_for_how_long_is_believed(rig, case):
    command = rig.command(case)
    rig.arm("status", operation=case.effect, code=503, retry_after=120)
    assert failure(rig, command).retry_after == 120


@each_effect
def test_credentials_refused_pause_the_profile(rig, case):
    command = rig.command(case)
    rig.arm("auth_revoked")
    error = failure(rig, command)
    assert isinstance(error, PartnerMisconfiguredError)
    assert error.recovery is Recovery.PAUSE


@each_http_effect
def test_a_forbidden_call_pauses_the_profile(rig, case):
    command = rig.command(case)
    rig.arm("status", operation=case.effect, code=403)
    assert failure(rig, command).recovery is Recovery.PAUSE


@each_http_effect
def test_a_redirection_is_not_followed_and_pauses_the_profile(rig, case):
    command = rig.command(case)
    rig.arm("status", operation=case.effect, code=302)
    before = rig.requests_received()
    assert failure(rig, command).recovery is Recovery.PAUSE
    assert rig.requests_received() <= before + 4


@each_http_call
def test_an_html_page_in_a_success_is_an_outage(rig, case):
    command = rig.command(case)
    rig.arm("html_200")
    assert failure(rig, command).recovery is Recovery.RETRY


@each_http_effect
def test_an_empty_success_is_a_broken_contract_or_a_plain_success_without_a_body(rig, case):
    command = rig.command(case)
    rig.arm("empty_200", operation=case.effect)
    try:
        rig.call(command)
    except ParvisError as error:
        assert isinstance(error, PartnerContractBrokenError)  # noqa: PT017
    else:
        assert case.effect.startswith(("delete", "update"))


@each_http_call
@pytest.mark.parametrize("size", [0, 1, 17])
def test_a_truncated_answer_is_never_half_a_success(rig, case, size):
    command = rig.command(case)
    rig.arm("truncate", bytes=size)
    try:
        receipt = rig.call(command)
    except ParvisError as error:
        assert error.recovery in {Recovery.RETRY, Recovery.DEAD_LETTER}  # noqa: PT017
    else:
        assert case.effect is not None
        assert case.effect.startswith(("delete", "update"))
        assert receipt is not None


@each_http_call
def test_latin_1_declared_as_utf_8_stores_no_mojibake(rig, case):
    command = rig.command(case)
    rig.arm("charset", actual="latin-1", declared="utf-8")
    try:
        receipt = rig.call(command)
    except ParvisError as error:
        assert isinstance(error, PartnerContractBrokenError)  # noqa: PT017
    else:
        assert "�" not in repr(receipt)
        assert "Ã" not in repr(receipt)


@each_http_call
def test_a_member_more_is_tolerated(rig, case):
    command = rig.command(case)
    rig.arm("drift", kind="add", pointer="/nouveau", value="x")
    assert rig.call(command) is not None


@each_http_call
def test_lost_sessions_cost_one_login_and_nothing_else(rig, case):
    command = rig.command(case)
    rig.server.app._mock.lose_sessions()
    assert rig.call(command) is not None


@each_effect
def test_a_system_that_is_down_is_tried_again_and_nothing_is_unknown(rig, case):
    command = rig.command(case)
    rig.arm("down")
    error = failure(rig, command)
    assert type(error) is PartnerUnavailableError
    assert not error.outcome_unknown


@each_effect
def test_a_system_that_comes_back_is_used_again(rig, case):
    command = rig.command(case)
    rig.arm("down")
    failure(rig, command)
    rig.clear()
    assert settled(rig, _repeated(command)) in {"Receipt", "ErasureReceipt"}


@each_effect
def test_an_internal_address_is_refused_to_a_profile_that_may_not(rig, case):
    command = rig.command(case)
    before = rig.requests_received()
    settings = {**rig.settings, "allow_private": False}
    if "base_url" in settings:
        settings["base_url"] = settings["base_url"].replace("http:", "https:")
    rig._profile = rig.open(**settings)
    error = failure(rig, command)
    assert isinstance(error, PartnerMisconfiguredError)
    assert rig.requests_received() == before


@each_call
def test_every_call_is_recorded_with_its_moments_in_order(rig, case):
    command = rig.command(case)
    rig.call(command)
    assert rig.log
    for each in rig.log:
        assert each.profile == "profil_essai"
        assert each.operation == case.operation
        assert each.idempotency_key == command.key
        assert each.outcome == "ok" or each.status in {400, 401, 404, 409}
        moments = [each.asked_at, each.sent_at, each.answered_at, each.ended_at]
        seen = [moment for moment in moments if moment is not None]
        assert seen == sorted(seen)
        assert all(moment.tzinfo is not None for moment in seen)


@each_effect
def test_every_failed_call_is_recorded_too(rig, case):
    command = rig.command(case)
    rig.arm("reset_after", operation=case.effect, times=1)
    failure(rig, command)
    assert rig.log[-1].outcome == "cut"
    assert rig.log[-1].sent_at is not None
    assert rig.log[-1].answered_at is None


def test_the_limits_of_this_suite_are_short():
    assert FAST["read_timeout"] == f"{int(READ_TIMEOUT_SECONDS * 1000)}ms"

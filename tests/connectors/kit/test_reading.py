from datetime import timedelta
from email.utils import format_datetime

import pytest

from connectors.kit import seconds
from connectors.kit.redaction import Redactor
from connectors.kit.statuses import error_class, retry_after
from schemas import clock
from schemas.errors import (
    PartnerAlreadyDoneError,
    PartnerContractBrokenError,
    PartnerMisconfiguredError,
    PartnerRejectedError,
    PartnerThrottledError,
    PartnerUnavailableError,
)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (200, None),
        (201, None),
        (204, None),
        (101, PartnerContractBrokenError),
        (301, PartnerMisconfiguredError),
        (304, PartnerContractBrokenError),
        (400, PartnerRejectedError),
        (401, PartnerMisconfiguredError),
        (403, PartnerMisconfiguredError),
        (404, PartnerRejectedError),
        (407, PartnerMisconfiguredError),
        (408, PartnerUnavailableError),
        (409, PartnerRejectedError),
        (422, PartnerRejectedError),
        (429, PartnerThrottledError),
        (500, PartnerUnavailableError),
        (502, PartnerUnavailableError),
        (599, PartnerUnavailableError),
    ],
)
def test_each_status_means_one_thing(status, kind):
    assert error_class(status, {}) is kind


def test_a_system_may_mean_something_else():
    assert error_class(409, {409: PartnerAlreadyDoneError}) is PartnerAlreadyDoneError


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (None, None),
        ("37", 37),
        (" 5 ", 5),
        ("999999999999", 86_400),
        ("soon", None),
        ("-3", None),
        ("٣", None),
        ("", None),
    ],
)
def test_retry_after_is_read_in_seconds(value, wanted):
    assert retry_after(value) == wanted


def test_retry_after_is_read_as_a_date():
    moment = clock.utcnow() + timedelta(seconds=90)
    assert retry_after(format_datetime(moment, usegmt=True)) == pytest.approx(90, abs=2)
    assert retry_after(format_datetime(clock.utcnow() - timedelta(hours=1), usegmt=True)) == 0


@pytest.mark.parametrize(
    ("text", "wanted"), [("15min", 900), ("3050ms", 3.05), ("2h", 7200), ("1d", 86_400)]
)
def test_a_duration_is_read(text, wanted):
    assert seconds(text) == pytest.approx(wanted)


@pytest.mark.parametrize("text", ["", "0s", "-1s", "1.5s", "10", "s", "1 s", "9999999s"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match="duration"):
        seconds(text)


@pytest.mark.parametrize(
    "text",
    [
        '{"access_token": "abc", "expires_in": 3600}',
        '{"Password":"p\\"ss", "x": 1}',
        '{"token": 123456}',
        '{"client_secret": "cut in its midd',
        "grant_type=client_credentials&client_secret=abc%2B",
        "password=hunter2",
    ],
)
def test_members_that_open_doors_are_hidden_by_their_name(text):
    shown = Redactor([]).text(text)
    for word in ("abc", 'p\\"ss', "123456", "midd", "hunter2"):
        assert word not in shown
    assert "[secret]" in shown


def test_a_learnt_token_is_hidden_wherever_it_is():
    redactor = Redactor([])
    redactor.learn("jeton-0123456789")
    assert "0123456789" not in redactor.text('{"note": "jeton-0123456789"}')


def test_what_a_person_said_is_kept():
    text = '{"surname": "Exemple", "email": "camille@example.org"}'
    assert Redactor(["un-secret"]).text(text) == text


def test_a_header_nobody_listed_is_hidden():
    shown = Redactor([]).headers(
        {"Authorization": "Bearer x", "Content-Type": "text/plain", "X-Odd": "1"}
    )
    assert shown == {"Authorization": "[secret]", "Content-Type": "text/plain", "X-Odd": "[secret]"}


def test_a_recorded_body_is_cut():
    assert len(Redactor([]).text("a" * 100_000)) == 65_536

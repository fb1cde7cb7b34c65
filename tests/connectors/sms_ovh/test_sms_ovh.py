"""What is peculiar to the gateway: its signature, its clock, its half refusals, its tags."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import responses

from connectors.kit import Outgoing, open_profile
from connectors.sms_ovh import SmsOvh
from schemas import clock
from schemas.commands import Command
from schemas.errors import (
    PartnerContractBrokenError,
    PartnerMisconfiguredError,
    PartnerRejectedError,
)
from tests.contract.connectors.rigs import Case, HttpRig

pytestmark = pytest.mark.enable_socket
TO = "+33639980042"
MESSAGE = {
    "to": TO,
    "text": "Votre code : K7M2PQ",
    "subject": None,
    "sender": None,
    "reference": "PV-7Q2M9XKD",
}
SEND = Case(operation="send", purpose="access_code.delivery", data=MESSAGE)


def with_mock(**settings):
    rig = HttpRig("sms_ovh")
    rig.contract["mock"]["settings"].update(settings)
    return rig.running()


@pytest.fixture
def gateway():
    with HttpRig("sms_ovh").running() as rig:
        yield rig


def texts(rig):
    return [message.as_seen() for message in rig.server.app._mock._messages.values()]


def body_of(rig):
    return json.loads(rig.log[-1].request["body"])


def test_the_signature_is_the_one_the_document_gives_for_its_example(monkeypatch):
    secrets = {
        "application_key": "key",
        "application_secret": "appsecret0000",
        "consumer_key": "consumerkey000",
    }
    connector = SmsOvh({"service_name": "sms-xx00000-1"}, secrets)
    moment = datetime.fromtimestamp(1795341600, UTC)
    monkeypatch.setattr(clock, "utcnow", lambda: moment)
    url = "https://eu.api.ovh.com/1.0/sms/sms-xx00000-1/jobs"
    outgoing = Outgoing("POST", url, target="/1.0", body=b'{"message":"Bonjour"}')
    connector._sign(outgoing, 0)
    assert outgoing.headers["X-Ovh-Signature"] == "$1$bab8f208e49587cf011bfe26fff956e9e3776aac"
    assert outgoing.headers["X-Ovh-Timestamp"] == "1795341600"


def test_the_gateways_clock_is_measured_once(gateway):
    gateway.call(gateway.command(SEND))
    gateway.call(gateway.command(SEND, key="0192-run:4"))
    measured = [
        each for each in gateway.server.app.rig.journal.page() if each["operation"] == "time"
    ]
    assert len(measured) == 1


def test_a_gateway_whose_clock_is_an_hour_away_is_signed_with_its_own(gateway):
    gateway.server.app.rig.clock.turn(datetime.now(UTC) + timedelta(hours=1))
    assert gateway.call(gateway.command(SEND)).external_ref


def test_a_clock_that_drifted_since_is_measured_again_and_the_text_is_sent_once(gateway):
    gateway.call(gateway.command(SEND))
    gateway.server.app.rig.clock.turn(datetime.now(UTC) + timedelta(hours=2))
    gateway.call(gateway.command(SEND, key="0192-run:4"))
    assert len(texts(gateway)) == 2


def test_the_message_is_one_part_in_the_gsm_alphabet_without_a_stop_clause(gateway):
    receipt = gateway.call(gateway.command(SEND))
    (seen,) = texts(gateway)
    assert receipt.external_ref == str(seen["id"])
    assert receipt.data == {"segments": 1}
    assert seen["text"] == MESSAGE["text"]
    assert seen["tag"] == "PV-7Q2M9XKD"
    assert body_of(gateway)["coding"] == "7bit"
    assert body_of(gateway)["noStopClause"] is True


def test_a_text_outside_the_gsm_alphabet_says_so(gateway):
    command = gateway.command(
        Case(operation="send", purpose="booking", data={**MESSAGE, "text": "Fête à la médiathèque"})
    )
    gateway.call(command)
    assert body_of(gateway)["coding"] == "8bit"


@pytest.mark.parametrize("purpose", ["library.news", "recommendation", "unheard.of"])
def test_what_is_not_a_service_message_carries_the_stop_clause(gateway, purpose):
    gateway.call(replace(gateway.command(SEND), purpose=purpose))
    assert body_of(gateway)["noStopClause"] is False
    assert "STOP" in texts(gateway)[0]["text"]


def test_without_a_sender_the_person_may_answer(gateway):
    profile = gateway.open(sender=None)
    profile.call("send", gateway.command(SEND), gateway.log)
    assert body_of(gateway)["senderForResponse"] is True
    assert "sender" not in body_of(gateway)


def test_a_number_refused_inside_a_success_is_a_refusal():
    with with_mock(invalid_receivers=[TO]) as rig:
        with pytest.raises(PartnerRejectedError) as raised:
            rig.call(rig.command(SEND))
        assert str(raised.value) == "invalid_receiver"


def test_an_account_without_credit_pauses():
    with with_mock(services={"sms-xx00000-1": {"credits": 0, "senders": ["VILLE"]}}) as rig:
        with pytest.raises(PartnerMisconfiguredError):
            rig.call(rig.command(SEND))
        from schemas.receipts import ProbeLevel

        assert not rig.profile.probe(ProbeLevel.TRANSACTION).is_up


def test_a_sender_that_is_not_validated_pauses_and_shows_in_the_probe():
    services = {"sms-xx00000-1": {"credits": 9, "senders": {"VILLE": "waitingValidation"}}}
    with with_mock(services=services) as rig:
        with pytest.raises(PartnerMisconfiguredError):
            rig.call(rig.command(SEND))
        from schemas.receipts import ProbeLevel

        assert not rig.profile.probe(ProbeLevel.TRANSACTION).is_up


def test_a_wrong_secret_pauses(gateway):
    secrets = {**gateway.secrets, "application_secret": "not the secret"}
    profile = open_profile("sms_ovh", "profil_essai", gateway.settings, secrets)
    with pytest.raises(PartnerMisconfiguredError) as raised:
        profile.call("send", gateway.command(SEND), [])
    assert str(raised.value).startswith("invalid_signature")
    profile.close()


def test_a_repetition_finds_a_text_that_still_waits():
    with with_mock(unverified={"pending_s": 600}) as rig:
        first = rig.call(rig.command(SEND))
        again = rig.call(rig.command(SEND, may_repeat=True))
        assert again.external_ref == first.external_ref
        assert len(texts(rig)) == 1


def test_a_repetition_finds_a_text_that_left(gateway):
    first = gateway.call(gateway.command(SEND))
    again = gateway.call(gateway.command(SEND, may_repeat=True))
    assert again == replace(first, data={"segments": 1})


def test_a_text_of_the_same_tag_to_another_number_is_not_ours(gateway):
    other = replace(gateway.command(SEND), data={**MESSAGE, "to": "+33639980043"})
    gateway.call(other)
    gateway.call(gateway.command(SEND, may_repeat=True))
    assert len(texts(gateway)) == 2


@pytest.mark.parametrize("reference", [None, "", "une-reference-bien-trop-longue"])
def test_without_a_fitting_reference_the_tag_is_the_same_for_every_try(gateway, reference):
    command = gateway.command(SEND)
    command = replace(command, data={**MESSAGE, "reference": reference})
    gateway.call(command)
    gateway.call(replace(command, may_repeat=True))
    (seen,) = texts(gateway)
    assert len(seen["tag"]) == 20


@pytest.mark.parametrize(
    "report",
    [
        {"ids": [], "invalidReceivers": []},
        {"ids": [1, 2], "invalidReceivers": []},
        {"invalidReceivers": []},
        {"ids": [1]},
        {"ids": "1", "invalidReceivers": []},
        [],
    ],
    ids=range(6),
)
def test_a_report_that_says_nothing_clear_is_a_broken_contract(report):
    secrets = dict.fromkeys(
        ("application_key", "application_secret", "consumer_key"), "un secret bien long"
    )
    profile = open_profile("sms_ovh", "profil_essai", {"service_name": "sms-xx00000-1"}, secrets)
    command = Command(key="run:3", operation="send", data=MESSAGE, pseudonym="Z", purpose="booking")
    with responses.RequestsMock(target="connectors.kit.adapter.LeanAdapter.send") as mocked:
        mocked.get("https://eu.api.ovh.com/1.0/auth/time", json=1795341600)
        mocked.post("https://eu.api.ovh.com/1.0/sms/sms-xx00000-1/jobs", json=report)
        with pytest.raises(PartnerContractBrokenError):
            profile.call("send", command, [])
    profile.close()

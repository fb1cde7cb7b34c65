"""What is peculiar to Koha: its session, its conflicts, its purge, its versions."""

import json
from dataclasses import replace

import pytest

from schemas import clock
from schemas.commands import Command
from schemas.errors import (
    PartnerAlreadyDoneError,
    PartnerMisconfiguredError,
    PartnerRejectedError,
)
from tests.contract.connectors.rigs import PERSON, Case, HttpRig

pytestmark = pytest.mark.enable_socket
PREREGISTER = Case(operation="preregister")
CANCEL = Case(operation="cancel_preregistration", after="preregister")
ACTIVATE = Case(operation="activate", after="preregister")


@pytest.fixture
def koha():
    with HttpRig("koha").running() as rig:
        yield rig


def with_mock(**settings):
    rig = HttpRig("koha")
    rig.contract["mock"]["settings"].update(settings)
    return rig.running()


def patrons(rig):
    return list(rig.server.app._mock._state.patrons)


def requests_named(rig, operation):
    return [each for each in rig.server.app.rig.journal.page() if each["operation"] == operation]


def refused(rig, command, error):
    with pytest.raises(error) as raised:
        rig.call(command)
    return str(raised.value)


def test_the_record_is_provisional_dated_and_bears_our_reference(koha):
    receipt = koha.call(koha.command(PREREGISTER))
    (patron,) = patrons(koha)
    assert receipt.external_ref == str(patron["patron_id"])
    assert receipt.data == {"state": "created"}
    assert patron["category_id"] == "PREINS"
    assert patron["statistics_1"] == PERSON["our_ref"]
    assert patron["expiry_date"] == "2027-02-20"
    assert patron["surname"] == PERSON["family_name"]
    assert patron["mobile"] == PERSON["phone"]


def test_what_is_unknown_is_not_sent(koha):
    command = koha.command(Case(operation="preregister", data={"email": None, "phone": None}))
    koha.call(command)
    body = json.loads(koha.log[-1].request["body"])
    assert "email" not in body
    assert "mobile" not in body


def test_the_token_is_asked_once_for_many_calls(koha):
    for number in range(3):
        koha.call(koha.command(Case(operation="lookup", data={"our_ref": f"PV-0000000{number}"})))
    assert len(requests_named(koha, "token")) == 1


def test_the_token_is_renewed_before_it_ends(koha, monkeypatch):
    koha.call(koha.command(Case(operation="lookup")))
    now = clock.monotonic()
    monkeypatch.setattr(clock, "monotonic", lambda: now + 0.8 * 3600 - 5)
    koha.call(koha.command(Case(operation="lookup")))
    assert len(requests_named(koha, "token")) == 1
    monkeypatch.setattr(clock, "monotonic", lambda: now + 0.8 * 3600 + 5)
    koha.call(koha.command(Case(operation="lookup")))
    assert len(requests_named(koha, "token")) == 2


def test_a_lost_session_costs_one_login_and_the_record_is_created_once(koha):
    koha.call(koha.command(Case(operation="lookup")))
    koha.server.app._mock.lose_sessions()
    koha.call(koha.command(PREREGISTER))
    assert len(requests_named(koha, "token")) == 2
    assert len(koha.effects()) == 1


def test_a_session_refused_right_after_a_login_pauses_and_logs_in_no_third_time(koha):
    koha.arm("status", code=401, operation="add_patron")
    assert refused(koha, koha.command(PREREGISTER), PartnerMisconfiguredError).startswith(
        "session_refused"
    )
    assert len(requests_named(koha, "token")) == 2


def test_a_grant_that_is_switched_off_pauses():
    with with_mock(preferences={"RESTOAuth2ClientCredentials": False}) as rig:
        assert refused(rig, rig.command(PREREGISTER), PartnerMisconfiguredError).startswith(
            "client_refused"
        )


def test_a_right_that_is_missing_pauses():
    with with_mock(permissions=["circulate"]) as rig:
        refused(rig, rig.command(PREREGISTER), PartnerMisconfiguredError)


@pytest.mark.parametrize("member", ["library_id", "provisional_category"])
def test_a_binding_koha_does_not_know_pauses_instead_of_losing_the_message(koha, member):
    command = koha.command(PREREGISTER)
    wrong = replace(command, binding={**command.binding, member: "ABSENT"})
    assert refused(koha, wrong, PartnerMisconfiguredError).startswith("binding_refused")


def test_a_record_that_matches_somebody_else_waits_for_the_desk_and_is_not_adopted():
    person = {
        "surname": PERSON["family_name"],
        "firstname": PERSON["given_name"],
        "library_id": "ALC",
        "category_id": "ADULTE",
    }
    with with_mock(patrons=[person]) as rig:
        assert refused(rig, rig.command(PREREGISTER), PartnerRejectedError).startswith("duplicate")
        assert len(patrons(rig)) == 1
        assert len(requests_named(rig, "add_patron")) == 1  # a conflict is never retried


def test_a_conflict_with_our_own_record_is_a_success_with_its_number(koha):
    first = koha.call(koha.command(PREREGISTER))
    with pytest.raises(PartnerAlreadyDoneError) as raised:
        koha.call(koha.command(PREREGISTER))
    assert raised.value.external_ref == first.external_ref
    assert len(patrons(koha)) == 1


def test_a_repetition_looks_first_and_posts_nothing(koha):
    koha.call(koha.command(PREREGISTER))
    posted = len(requests_named(koha, "add_patron"))
    again = koha.call(koha.command(PREREGISTER, may_repeat=True))
    assert again.data == {"state": "created"}
    assert len(requests_named(koha, "add_patron")) == posted


def test_a_reference_borne_twice_waits_for_a_person():
    rows = [
        {
            "surname": name,
            "library_id": "ALC",
            "category_id": "PREINS",
            "statistics_1": PERSON["our_ref"],
        }
        for name in ("Un", "Deux")
    ]
    with with_mock(patrons=rows) as rig:
        command = rig.command(PREREGISTER, may_repeat=True)
        assert refused(rig, command, PartnerRejectedError) == "several_records"


def test_a_reference_that_only_looks_alike_is_not_ours():
    row = {
        "surname": "Un",
        "library_id": "ALC",
        "category_id": "PREINS",
        "statistics_1": PERSON["our_ref"].lower(),
    }
    with with_mock(patrons=[row]) as rig:
        receipt = rig.call(rig.command(Case(operation="lookup")))
        assert receipt.data == {"found": False, "matches": 0}


def test_a_mandatory_attribute_is_a_refusal_by_its_code():
    with with_mock(attribute_types={"QUARTIER": {"mandatory": True}}) as rig:
        assert refused(rig, rig.command(PREREGISTER), PartnerRejectedError) == "attribute_required"


def test_a_schema_refusal_names_the_member_and_not_the_value(koha):
    command = koha.command(Case(operation="preregister", data={"expires_on": "demain"}))
    assert refused(koha, command, PartnerRejectedError) == "schema_refused: expiry_date"


@pytest.mark.parametrize("version", ["22.11", "23.05", "24.11"])
def test_every_version_gets_only_the_keys_it_knows(version):
    with with_mock(version=version) as rig:
        rig.call(rig.command(ACTIVATE))
        (patron,) = patrons(rig)
        assert patron["category_id"] == "ADULTE"


def test_a_koha_that_knows_no_such_field_for_our_reference_pauses(koha):
    koha.arm(
        "drift",
        operation="describe",
        kind="drop",
        pointer="/definitions/patron/properties/statistics_1",
    )
    assert refused(koha, koha.command(PREREGISTER), PartnerMisconfiguredError).startswith(
        "field_missing"
    )


def test_activation_keeps_the_whole_record_and_changes_its_category(koha):
    command = koha.command(ACTIVATE)
    state = koha.server.app._mock._state
    (patron,) = patrons(koha)
    patron = {**patron, "opac_notes": "note du guichet"}
    state.patrons.put(patron["patron_id"], patron)
    koha.call(command)
    (after,) = patrons(koha)
    assert after["category_id"] == "ADULTE"
    assert after["opac_notes"] == "note du guichet"
    assert after["expiry_date"] > patron["expiry_date"]
    assert after["cardnumber"] == patron["cardnumber"]


def test_an_activation_repeated_changes_nothing_more(koha):
    command = koha.command(ACTIVATE)
    koha.call(command)
    effects = len(koha.effects())
    koha.call(replace(command, may_repeat=True))
    assert len(koha.effects()) == effects


def test_a_category_the_desk_gave_meanwhile_is_left_alone(koha):
    command = koha.command(ACTIVATE)
    state = koha.server.app._mock._state
    (patron,) = patrons(koha)
    state.patrons.put(patron["patron_id"], {**patron, "category_id": "JEUNE"})
    assert koha.call(command).data == {"state": "activated"}
    assert patrons(koha)[0]["category_id"] == "JEUNE"


def test_a_record_koha_purged_is_expired_at_activation(koha):
    command = koha.command(ACTIVATE)
    koha.server.app._mock._state.patrons.remove(int(command.data["external_ref"]))
    assert refused(koha, command, PartnerRejectedError) == "expired"


def test_a_404_that_is_not_kohas_own_is_a_setting_to_mend_and_not_an_expiry(koha):
    command = koha.command(ACTIVATE)
    koha.arm("status", code=404, operation="get_patron", body="<html>nginx</html>")
    assert refused(koha, command, PartnerMisconfiguredError).startswith("route_missing")


def test_a_record_that_is_not_ours_is_never_touched(koha):
    other = koha.call(koha.command(PREREGISTER))
    for operation in ("activate", "cancel_preregistration", "erase"):
        command = Command(
            key="run:9",
            operation=operation,
            data={**PERSON, "our_ref": "PV-00000001", "external_ref": other.external_ref},
            pseudonym="ZX",
            purpose="library.preregistration",
            binding=koha.contract["binding"],
        )
        assert refused(koha, command, PartnerRejectedError) == "another_record"
    assert patrons(koha)[0]["category_id"] == "PREINS"


def test_a_cancellation_is_allowed_only_while_provisional(koha):
    koha.call(koha.command(ACTIVATE))
    command = replace(koha.command(Case(operation="cancel_preregistration")), may_repeat=True)
    assert refused(koha, command, PartnerRejectedError) == "no_longer_provisional"
    assert len(patrons(koha)) == 1


def test_an_active_member_is_the_librarys_to_erase(koha):
    koha.call(koha.command(ACTIVATE))
    receipt = koha.call(koha.command(Case(operation="erase")))
    assert receipt.state == "kept"
    assert receipt.reason.endswith(".")


def test_a_cancellation_without_a_number_finds_the_record_and_one_of_nothing_is_done(koha):
    koha.call(koha.command(PREREGISTER))
    koha.call(koha.command(Case(operation="cancel_preregistration")))
    assert patrons(koha) == []
    receipt = koha.call(koha.command(Case(operation="cancel_preregistration")))
    assert receipt.data == {"state": "cancelled"}


def test_a_record_with_loans_is_kept_by_the_library(koha):
    command = koha.command(CANCEL)
    koha.arm("status", code=409, operation="delete_patron")
    assert refused(koha, command, PartnerRejectedError).startswith("kept_by_library")


def test_a_card_is_found_exactly(koha):
    rows = [
        {"surname": "Un", "library_id": "ALC", "category_id": "ADULTE", "cardnumber": card}
        for card in ("12", "3125")
    ]
    with with_mock(patrons=rows) as rig:
        receipt = rig.call(rig.command(Case(operation="lookup", data={"card_number": "12"})))
        assert receipt.data["matches"] == 1
        assert receipt.data["is_provisional"] is False


def test_a_number_retyped_by_an_update_is_a_broken_contract(koha):
    from schemas.errors import PartnerContractBrokenError

    koha.arm("drift", operation="add_patron", kind="retype", pointer="/patron_id")
    refused(koha, koha.command(PREREGISTER), PartnerContractBrokenError)


def test_a_membership_lasts_what_the_binding_says(koha):
    command = koha.command(ACTIVATE)
    koha.call(replace(command, binding={**command.binding, "membership_days": 10}))
    from datetime import timedelta

    assert (
        patrons(koha)[0]["expiry_date"] == (clock.utcnow() + timedelta(days=10)).date().isoformat()
    )


READER = {
    "surname": "Exemple",
    "library_id": "ALC",
    "category_id": "ADULTE",
    "cardnumber": "21300000000017",
}
CARD = {"card_number": "21300000000017", "password": "mot-de-passe-1"}


def with_reader(**more):
    return with_mock(patrons=[{**READER, "password": "mot-de-passe-1", **more}])


def proof(rig, **data):
    return rig.call(rig.command(Case(operation="authenticate", data={**CARD, **data})))


def test_a_card_and_its_password_prove_the_record():
    with with_reader() as rig:
        receipt = proof(rig)

        assert receipt.data == {"is_proved": True, "is_expired": False}
        assert receipt.external_ref == str(patrons(rig)[0]["patron_id"])


@pytest.mark.parametrize("wrong", [{"password": "autre"}, {"card_number": "21300000000018"}])
def test_a_wrong_card_or_password_is_one_answer_and_one_request(wrong):
    with with_reader() as rig:
        receipt = proof(rig, **wrong)

        assert (receipt.external_ref, receipt.data["is_proved"]) == (None, False)
        assert len(requests_named(rig, "validate_password")) == 1


def test_a_locked_account_is_answered_like_a_wrong_password():
    with with_reader() as rig:
        for _ in range(5):
            proof(rig, password="autre")

        assert proof(rig).data == {"is_proved": False, "is_expired": False}


def test_an_expired_password_is_told_apart():
    with with_reader(password_expiration_date="2020-01-01") as rig:
        assert proof(rig).data == {"is_proved": False, "is_expired": True}


@pytest.mark.parametrize("code", [403, 404])
def test_a_library_that_cannot_be_asked_is_no_fault_of_the_profile(code):
    with with_reader() as rig:
        rig.arm("status", code=code, operation="validate_password")
        command = rig.command(Case(operation="authenticate", data=CARD))

        assert refused(rig, command, PartnerRejectedError) == f"not_offered: HTTP {code}"


def test_the_password_of_a_reader_is_in_no_exchange():
    with with_reader() as rig:
        proof(rig)
        proof(rig, password="12")

        assert "mot-de-passe-1" not in repr(rig.log)
        assert '"password": "12"' not in repr(rig.log)

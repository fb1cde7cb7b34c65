import pytest

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


def whole(koha, **changes):
    """What a careful caller sends: the record read, its read-only members dropped, changed."""
    record = koha.call("GET", "/patrons/1").json
    del record["restricted"], record["anonymized"]
    return {**record, **changes}


def test_a_record_is_replaced_as_a_whole(koha):
    koha.add(email="i@example.org", statistics_1="PV-1")
    reply = koha.call("PUT", "/patrons/1", whole(koha, category_id="ADULTE"))
    assert (reply.status, reply.json["category_id"]) == (200, "ADULTE")
    assert (reply.json["email"], reply.json["userid"]) == ("i@example.org", "ines.sauvaire")
    entry = koha.client.journal()[-1]
    assert (entry["operation"], entry["reference"]) == ("update_patron", "PV-1")
    assert entry["effect"] == {"kind": "patron.updated", "id": 1}


def test_a_partial_replacement_loses_what_it_does_not_say(koha):
    koha.add(email="i@example.org")
    some = {"surname": "Sauvaire", "library_id": "ALC", "category_id": "ADULTE"}
    assert koha.call("PUT", "/patrons/1", some).json["email"] is None


def test_a_replacement_without_a_required_member_is_refused(koha):
    koha.add()
    reply = koha.call("PUT", "/patrons/1", {"surname": "x", "library_id": "ALC"})
    assert reply.json["errors"][0]["path"] == "/body/category_id"


def test_read_only_members_must_be_dropped_before_writing(koha):
    record = koha.add().json
    reply = koha.call("PUT", "/patrons/1", record)
    assert {each["path"] for each in reply.json["errors"]} == {
        "/body/restricted",
        "/body/anonymized",
    }


def test_an_empty_mandatory_value_is_named(koha):
    koha.add()
    reply = koha.call("PUT", "/patrons/1", whole(koha, surname=" "))
    assert (reply.status, reply.json) == (
        400,
        {"error": "Missing mandatory parameter(s)", "parameters": ["surname"]},
    )
    assert koha.add(surname="").status == 400


def test_an_impossible_value_is_named(koha):
    koha.add()
    reply = koha.call("PUT", "/patrons/1", whole(koha, check_previous_checkout="maybe"))
    assert (reply.status, reply.json) == (
        400,
        {"error": "Invalid parameter(s)", "parameters": ["check_previous_checkout"]},
    )
    assert koha.add(privacy=7).json == {"error": "Given privacy does not exist"}


def test_a_replacement_may_not_take_a_key_of_another(koha):
    koha.add(cardnumber="1")
    koha.add(firstname="Léo", cardnumber="2")
    reply = koha.call("PUT", "/patrons/1", whole(koha, cardnumber="2"))
    assert (reply.status, reply.json["conflict"]) == (409, "cardnumber")
    assert koha.call("PUT", "/patrons/1", whole(koha, library_id="X")).status == 400


def test_a_replacement_that_changes_nothing_has_no_effect(koha):
    koha.add()
    assert koha.call("PUT", "/patrons/1", whole(koha)).status == 200
    assert koha.client.journal()[-1]["effect"] is None


def test_an_old_version_answers_204_to_a_replacement_that_changes_nothing(start_koha):
    koha = start_koha(unverified={"no_changes": 204})
    koha.add()
    reply = koha.call("PUT", "/patrons/1", whole(koha))
    assert (reply.status, reply.body) == (204, b"")
    assert koha.call("PUT", "/patrons/1", whole(koha, email="i@example.org")).status == 200


def test_attributes_are_replaced_only_when_they_are_sent(koha):
    koha.add(extended_attributes=[{"type": "QUARTIER", "value": "1"}])
    koha.call("PUT", "/patrons/1", whole(koha, email="i@example.org"))
    embed = {"x-koha-embed": "extended_attributes"}
    shown = koha.call("GET", "/patrons/1", headers=embed).json["extended_attributes"]
    assert [each["value"] for each in shown] == ["1"]
    new = [{"type": "QUARTIER", "value": "2"}]
    assert koha.call("PUT", "/patrons/1", whole(koha, extended_attributes=new)).status == 200
    assert koha.client.journal()[-1]["effect"] is not None
    shown = koha.call("GET", "/patrons/1", headers=embed).json["extended_attributes"]
    assert [each["value"] for each in shown] == ["2"]


def test_a_patron_is_deleted_once(koha):
    koha.add(statistics_1="PV-1")
    reply = koha.call("DELETE", "/patrons/1")
    assert (reply.status, reply.body) == (204, b"")
    assert koha.client.journal()[-1]["reference"] == "PV-1"
    assert koha.call("DELETE", "/patrons/1").status == 404
    assert koha.add(statistics_1="PV-1").json["patron_id"] == 2


def test_a_patron_with_loans_cannot_be_deleted(start_koha):
    loan = {"checkout_id": 1, "patron_id": 1, "item_id": 11, "due_date": "2030-01-01T00:00:00Z"}
    koha = start_koha(checkouts=[loan])
    koha.add()
    reply = koha.call("DELETE", "/patrons/1")
    assert (reply.status, reply.json["error_code"]) == (409, "has_checkouts")


def test_a_protected_patron_cannot_be_deleted(koha):
    koha.add(protected=True)
    assert koha.call("DELETE", "/patrons/1").status == 400

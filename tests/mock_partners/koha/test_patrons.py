import threading
from datetime import UTC, datetime, timedelta

import pytest

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])
REFUSED = [
    "title",
    "other_name",
    "initials",
    "street_number",
    "street_type",
    "address",
    "address2",
    "city",
    "state",
    "postal_code",
    "country",
    "email",
    "phone",
    "mobile",
    "fax",
    "secondary_email",
    "secondary_phone",
    "altaddress_city",
    "altcontact_surname",
    "staff_notes",
    "relationship_type",
    "gender",
    "opac_notes",
    "statistics_1",
    "statistics_2",
    "sms_number",
    "overdrive_auth_token",
    "preferred_name",
    "middle_name",
    "pronouns",
]


def test_a_patron_is_created_with_what_the_library_adds(koha):
    reply = koha.add(statistics_1="PV-7K3M9QXA", expiry_date="2027-02-20", email="i@example.org")
    assert reply.status == 201
    assert reply.headers["location"] == "/api/v1/patrons/1"
    today = datetime.now(UTC).date()
    found = reply.json
    assert found["patron_id"] == 1
    assert (found["surname"], found["firstname"]) == ("Sauvaire", "Inès")
    assert (found["statistics_1"], found["expiry_date"]) == ("PV-7K3M9QXA", "2027-02-20")
    assert found["date_enrolled"] in {today.isoformat(), (today - timedelta(days=1)).isoformat()}
    assert found["cardnumber"] is None
    assert found["userid"] == "ines.sauvaire"
    assert (found["privacy"], found["lang"], found["restricted"]) == (1, "default", False)
    assert koha.call("GET", "/patrons/1").json == found


def test_a_creation_is_journalled_with_our_reference_and_key(koha):
    patron = {"surname": "Nègre", "library_id": "ALC", "category_id": "PREINS"}
    headers = {"Idempotency-Key": "run-1:preregister"}
    koha.call("POST", "/patrons", {**patron, "statistics_1": "PV-1"}, headers=headers)
    koha.call("POST", "/patrons", {**patron, "firstname": "Léo", "opac_notes": "PV-2"})
    first, second = koha.client.journal()[1:]
    assert (first["operation"], first["status"]) == ("add_patron", 201)
    assert (first["idempotency_key"], first["reference"]) == ("run-1:preregister", "PV-1")
    assert first["effect"] == {"kind": "patron.created", "id": 1}
    assert (second["reference"], second["effect"]["id"]) == ("PV-2", 2)


def test_the_same_idempotency_key_protects_nobody_here(koha):
    koha = type(koha)(koha.client)
    koha.client.call("POST", "/_mock/reset")
    koha = type(koha)(koha.client)
    for name in ("Léo", "Zoé"):
        patron = {
            "surname": "Nègre",
            "firstname": name,
            "library_id": "ALC",
            "category_id": "PREINS",
        }
        assert koha.call("POST", "/patrons", patron, headers={"Idempotency-Key": "k"}).status == 201
    assert len(koha.client.effects()) == 2


@pytest.mark.parametrize("name", ["surname", "library_id", "category_id"])
def test_a_required_member_that_is_missing_is_named(koha, name):
    patron = {"surname": "Nègre", "library_id": "ALC", "category_id": "PREINS"}
    del patron[name]
    reply = koha.call("POST", "/patrons", patron)
    assert (reply.status, reply.json) == (
        400,
        {"errors": [{"message": "Missing property.", "path": f"/body/{name}"}], "status": 400},
    )


def test_one_unknown_key_is_a_400(koha):
    reply = koha.add(birthdate="2000-01-01")
    assert reply.status == 400
    assert reply.json["errors"] == [
        {"message": "Properties not allowed: birthdate.", "path": "/body"}
    ]
    assert koha.client.effects() == []


def test_the_other_shape_of_a_schema_refusal(start_koha):
    koha = start_koha(unverified={"schema_refusal": "error"})
    reply = koha.add(nonsense=1)
    assert reply.status == 400
    assert "nonsense" in reply.json["error"]


@pytest.mark.parametrize(
    ("member", "value", "says"),
    [
        ("surname", None, "Expected string - got null."),
        ("surname", 3, "Expected string - got integer."),
        ("email", [], "Expected string/null - got array."),
        ("email", {}, "Expected string/null - got object."),
        ("privacy", "1", "Expected integer - got string."),
        ("privacy", True, "Expected integer - got boolean."),
        ("privacy", 1.5, "Expected integer - got number."),
        ("autorenew_checkouts", 1, "Expected boolean - got integer."),
        ("expiry_date", "20/02/2027", "Does not match date format."),
        ("expiry_date", "2027-02-30", "Does not match date format."),
        ("last_seen", "2027-02-20", "Does not match date-time format."),
        ("restricted", False, "Read-only."),
        ("anonymized", False, "Read-only."),
    ],
)
def test_a_member_of_the_wrong_kind_is_refused(koha, member, value, says):
    reply = koha.add(**{member: value})
    assert reply.status == 400
    assert reply.json["errors"] == [{"message": says, "path": f"/body/{member}"}]


@pytest.mark.parametrize("body", [None, [], "text", 3])
def test_a_body_that_is_no_object_is_refused(koha, body):
    reply = koha.call("POST", "/patrons", body)
    assert reply.status == 400
    assert reply.json["errors"][0]["path"] == "/body"


def test_a_body_that_is_not_declared_as_json_is_not_read(koha):
    headers = {"Authorization": f"Bearer {koha.token}", "Content-Type": "text/plain"}
    body = '{"surname": "x", "library_id": "ALC", "category_id": "PREINS"}'
    reply = koha.client.call("POST", "/api/v1/patrons", body=body, headers=headers)
    assert reply.status == 400


def test_every_text_of_the_document_is_accepted(koha):
    texts = dict.fromkeys(REFUSED, "x")
    reply = koha.add(**texts)
    assert reply.status == 201
    assert {name: reply.json[name] for name in REFUSED} == texts


@pytest.mark.parametrize("name", ["preferred_name", "pronouns", "protected"])
def test_an_older_version_does_not_know_the_recent_members(start_koha, name):
    koha = start_koha(version="23.11")
    reply = koha.add(**{name: True if name == "protected" else "x"})
    assert reply.json["errors"][0]["message"] == f"Properties not allowed: {name}."
    assert name not in koha.add().json


@pytest.mark.parametrize("name", ["library_id", "category_id"])
def test_a_foreign_key_that_does_not_exist_is_a_400(koha, name):
    reply = koha.add(**{name: "NOWHERE"})
    assert (reply.status, reply.json) == (400, {"error": f"Given {name} does not exist"})


@pytest.mark.parametrize("name", ["cardnumber", "userid"])
def test_a_taken_key_is_a_409_that_names_it(koha, name):
    koha.add(**{name: "AbC12"})
    reply = koha.add(firstname="Léo", **{name: "abc12"})
    assert reply.status == 409
    assert reply.json["conflict"] == name
    assert isinstance(reply.json["error"], str)


def test_a_person_who_matches_is_a_409_without_a_conflict_key(koha):
    koha.add()
    reply = koha.add(surname="SAUVAIRE", firstname="ines")
    assert (reply.status, reply.json) == (
        409,
        {"error": "A patron record matching these details already exists"},
    )
    assert len(koha.client.effects()) == 1


def test_the_matching_rule_is_the_librarys(start_koha):
    koha = start_koha(preferences={"PatronDuplicateMatchingAddFields": "email"})
    assert [koha.add().status, koha.add().status] == [201, 201]
    assert koha.add(email="i@example.org").status == 201
    assert koha.add(email="I@example.org", firstname="Zoé").status == 409


def test_without_a_matching_rule_namesakes_are_created(start_koha):
    koha = start_koha(preferences={"PatronDuplicateMatchingAddFields": ""})
    assert [koha.add().json["userid"] for _ in range(3)] == [
        "ines.sauvaire",
        "ines.sauvaire1",
        "ines.sauvaire2",
    ]


def test_another_birth_date_is_another_person(koha):
    koha.add(date_of_birth="2001-01-01")
    assert koha.add(date_of_birth="2002-01-01").status == 201


def test_a_hundred_identical_creations_at_once_make_one_patron(koha, connect, library_of):
    answers = []

    def add():
        client = library_of.__new__(library_of)
        client.client, client.token = connect(koha.client.server.url), koha.token
        answers.append(client.add(statistics_1="PV-1").status)

    threads = [threading.Thread(target=add) for _ in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [201] + [409] * 99
    assert len(koha.client.effects()) == 1


def test_card_numbers_are_drawn_where_the_library_wants_it(start_koha):
    koha = start_koha(preferences={"autoMemberNum": True})
    assert koha.add(cardnumber="41").json["cardnumber"] == "41"
    assert koha.add(firstname="Léo").json["cardnumber"] == "42"


def test_a_number_of_our_own_is_kept_unless_taken(koha):
    assert koha.add(patron_id=900).json["patron_id"] == 900
    reply = koha.add(patron_id=900, firstname="Léo")
    assert (reply.status, reply.json["conflict"]) == (409, "PRIMARY")
    assert koha.add(firstname="Zoé").json["patron_id"] == 901


@pytest.mark.parametrize(
    ("attributes", "says"),
    [
        ([{"type": "NOPE", "value": "x"}], "Tried to use an invalid attribute type. type=NOPE"),
        (
            [{"type": "QUARTIER", "value": "1"}, {"type": "QUARTIER", "value": "2"}],
            "Tried to add more than one non-repeatable attributes. type=QUARTIER",
        ),
    ],
)
def test_extended_attributes_follow_the_librarys_types(koha, attributes, says):
    reply = koha.add(extended_attributes=attributes)
    assert (reply.status, reply.json) == (400, {"error": says})


def test_a_mandatory_attribute_is_wanted(start_koha):
    koha = start_koha(attribute_types={"QUARTIER": {"mandatory": True}})
    assert koha.add().json == {"error": "Missing mandatory extended attribute (type=QUARTIER)"}
    assert koha.add(extended_attributes=[{"type": "QUARTIER", "value": "1"}]).status == 201


def test_attributes_are_shown_on_request_only(koha):
    wanted = [{"type": "LANGUE", "value": "ar"}, {"type": "LANGUE", "value": "fr"}]
    assert "extended_attributes" not in koha.add(extended_attributes=wanted).json
    headers = {"x-koha-embed": "extended_attributes,checkouts+count,library"}
    found = koha.call("GET", "/patrons/1", headers=headers).json
    assert [(each["type"], each["value"]) for each in found["extended_attributes"]] == [
        ("LANGUE", "ar"),
        ("LANGUE", "fr"),
    ]
    assert found["checkouts_count"] == 0
    assert found["library"] == {"library_id": "ALC", "name": "L'Alcazar"}
    refused = koha.call("GET", "/patrons/1", headers={"x-koha-embed": "secrets"})
    assert refused.status == 400


def test_a_patron_who_is_not_there_is_told_three_ways(koha):
    assert koha.call("GET", "/patrons/9").json == {"error": "Patron not found."}
    patron = {"surname": "x", "library_id": "ALC", "category_id": "PREINS"}
    reply = koha.call("PUT", "/patrons/9", patron)
    assert (reply.status, reply.json) == (404, {"error": "Patron not found"})
    reply = koha.call("DELETE", "/patrons/9")
    assert (reply.status, reply.json) == (404, {"error": "Patron not found"})


def test_a_cut_answer_leaves_a_record_that_bears_our_reference(koha):
    koha.client.arm("reset_after", operation="add_patron", times=1)
    with pytest.raises(ConnectionResetError):
        koha.add(statistics_1="PV-9")
    koha.client.close()
    found = koha.call("GET", "/patrons", statistics_1="PV-9", _match="exact").json
    assert [each["patron_id"] for each in found] == [1]
    assert len(koha.client.effects()) == 1


def test_the_records_are_shown_on_the_control_plane(koha):
    koha.add()
    shown = koha.client.call("GET", "/_mock/patrons").json["patrons"]
    assert [each["surname"] for each in shown] == ["Sauvaire"]


def test_seeded_patrons_are_there_again_after_a_reset(start_koha):
    seeded = {"surname": "Nègre", "library_id": "ALC", "category_id": "ADULTE", "cardnumber": "77"}
    koha = start_koha(patrons=[seeded], first_patron_id=50)
    koha.call("DELETE", "/patrons/50")
    koha.client.call("POST", "/_mock/reset")
    koha = type(koha)(koha.client)
    assert koha.call("GET", "/patrons/50").json["cardnumber"] == "77"

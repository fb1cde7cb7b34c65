import pytest

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


@pytest.fixture
def reader(koha):
    koha.add()
    return koha


def hold(koha, headers=None, **members):
    body = {"patron_id": 1, "pickup_library_id": "ALC", "biblio_id": 2, **members}
    return koha.call("POST", "/holds", {k: v for k, v in body.items() if v != ""}, headers=headers)


def test_a_hold_is_placed(reader):
    reply = hold(reader, notes="merci", expiration_date="2030-01-01")
    assert reply.status == 201
    placed = reply.json
    assert (placed["hold_id"], placed["biblio_id"], placed["priority"]) == (1, 2, 1)
    assert (placed["notes"], placed["expiration_date"]) == ("merci", "2030-01-01")
    assert reader.client.effects()[-1] == {"kind": "hold.placed", "id": 1}
    assert [each["hold_id"] for each in reader.call("GET", "/holds", patron_id=1).json] == [1]


def test_a_hold_on_an_item_knows_its_record(reader):
    assert hold(reader, biblio_id="", item_id=21).json["biblio_id"] == 2


@pytest.mark.parametrize(
    ("members", "status", "says"),
    [
        ({"biblio_id": ""}, 400, "At least one of biblio_id, item_id should be given"),
        ({"patron_id": 9}, 400, "patron_id not found"),
        ({"biblio_id": 9}, 404, "biblio_id not found."),
        ({"biblio_id": "", "item_id": 9}, 404, "item_id not found."),
        ({"item_id": 11}, 400, "Item 11 doesn't belong to biblio 2"),
        ({"pickup_library_id": "X"}, 400, "The supplied pickup location is not valid"),
    ],
)
def test_a_hold_that_cannot_be(reader, members, status, says):
    reply = hold(reader, **members)
    assert (reply.status, reply.json) == (status, {"error": says})


@pytest.mark.parametrize("missing", ["patron_id", "pickup_library_id"])
def test_a_hold_needs_a_patron_and_a_place(reader, missing):
    assert hold(reader, **{missing: ""}).json["errors"][0]["path"] == f"/body/{missing}"


def test_an_unknown_member_of_a_hold_is_refused(reader):
    assert hold(reader, wish="soon").status == 400


def test_the_same_title_is_held_once(reader):
    hold(reader)
    reply = hold(reader)
    assert (reply.status, reply.json) == (
        403,
        {"error": "Hold cannot be placed. Reason: itemAlreadyOnHold"},
    )


def test_too_many_holds_unless_overridden(start_koha):
    for may_override, status in ((False, 403), (True, 201)):
        preferences = {"maxreserves": 1, "AllowHoldPolicyOverride": may_override}
        koha = start_koha(preferences=preferences)
        koha.add()
        hold(koha)
        reply = hold(koha, biblio_id=1)
        assert reply.json == {"error": "Hold cannot be placed. Reason: tooManyReserves"}
        assert hold(koha, {"x-koha-override": "any"}, biblio_id=1).status == status


def test_a_hold_is_cancelled(reader):
    hold(reader)
    assert reader.call("DELETE", "/holds/1").status == 204
    reply = reader.call("DELETE", "/holds/1")
    assert (reply.status, reply.json) == (404, {"error": "Hold not found."})


def test_a_cancellation_request_is_no_cancellation(reader):
    hold(reader)
    headers = {"x-koha-override": "cancellation-request-flow"}
    assert reader.call("DELETE", "/holds/1", headers=headers).status == 202
    (kept,) = reader.call("GET", "/holds").json
    assert kept["cancellation_requested"] is True


def test_a_hold_is_suspended_and_resumed(reader):
    hold(reader)
    reply = reader.call("POST", "/holds/1/suspension", {"end_date": "2030-01-01"})
    assert (reply.status, reply.json) == (201, {"end_date": "2030-01-01"})
    assert reader.call("POST", "/holds/1/suspension", {"end_date": "soon"}).status == 400
    assert reader.call("POST", "/holds/1/suspension").status == 201
    assert reader.call("DELETE", "/holds/1/suspension").status == 204
    assert reader.call("POST", "/holds/9/suspension", {}).status == 404
    assert reader.call("DELETE", "/holds/9/suspension").status == 404


def test_deleting_a_patron_cancels_the_holds(reader):
    hold(reader)
    reader.call("DELETE", "/patrons/1")
    assert reader.call("GET", "/holds").json == []


@pytest.fixture
def borrower(start_koha):
    loan = {"checkout_id": 3, "patron_id": 1, "item_id": 21, "due_date": "2030-01-01T22:59:00Z"}
    koha = start_koha(checkouts=[loan])
    koha.add()
    return koha


@pytest.mark.parametrize("route", ["renewal", "renewals"])
def test_a_loan_is_renewed_until_the_limit(borrower, route):
    reply = borrower.call("POST", f"/checkouts/3/{route}")
    assert (reply.status, reply.json["renewals_count"]) == (201, 1)
    assert reply.json["due_date"].startswith("2030-01-22")
    borrower.call("POST", f"/checkouts/3/{route}")
    reply = borrower.call("POST", f"/checkouts/3/{route}")
    assert (reply.status, reply.json) == (403, {"error": "Renewal not authorized (too_many)"})


def test_whether_a_loan_may_be_renewed(borrower):
    assert borrower.call("GET", "/checkouts/3/allows_renewal").json == {
        "allows_renewal": True,
        "max_renewals": 2,
        "current_renewals": 0,
        "unseen_renewals": 0,
        "error": None,
    }
    hold(borrower, item_id=21)
    answer = borrower.call("GET", "/checkouts/3/allows_renewal").json
    assert (answer["allows_renewal"], answer["error"]) == (False, "on_reserve")


def test_loans_are_listed_and_read(borrower):
    assert [each["item_id"] for each in borrower.call("GET", "/checkouts").json] == [21]
    assert borrower.call("GET", "/checkouts/3").json["item_id"] == 21


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/checkouts/9"),
        ("POST", "/checkouts/9/renewal"),
        ("GET", "/checkouts/9/allows_renewal"),
    ],
)
def test_an_unknown_loan_is_not_found(borrower, method, path):
    assert borrower.call(method, path).status == 404


def test_a_club_holds_for_its_members(reader):
    body = {"biblio_id": 2, "pickup_library_id": "ALC"}
    assert reader.call("POST", "/clubs/5/holds", body).status == 201
    assert reader.call("POST", "/clubs/6/holds", body).status == 404
    assert reader.call("POST", "/clubs/5/holds", {**body, "biblio_id": 9}).status == 404
    assert reader.call("POST", "/clubs/5/holds", {**body, "pickup_library_id": "X"}).status == 400
    assert reader.call("POST", "/clubs/5/holds", {}).status == 400


def test_an_article_request_is_cancelled_once(reader):
    path = "/article_requests/7"
    assert reader.call("DELETE", path, cancellation_reason="AUTRE", notes="x").status == 204
    assert reader.call("DELETE", path).status == 404


def test_an_unknown_filter_of_a_list_is_refused(reader):
    assert reader.call("GET", "/holds", wish="x").status == 400

import pytest

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


@pytest.fixture
def reader(koha):
    koha.add()
    return koha


def book(koha, start="10:00", end="11:00", **members):
    body = {
        "biblio_id": 1,
        "item_id": 11,
        "patron_id": 1,
        "pickup_library_id": "ALC",
        "start_date": f"2030-01-07T{start}:00Z",
        "end_date": f"2030-01-07T{end}:00+00:00",
        **members,
    }
    return koha.call("POST", "/bookings", body)


def test_a_room_is_booked(reader):
    reply = book(reader)
    assert (reply.status, reply.headers["location"]) == (201, "/api/v1/bookings/1")
    assert (reply.json["booking_id"], reply.json["status"]) == (1, "new")
    assert reader.client.effects()[-1] == {"kind": "booking.created", "id": 1}
    assert reader.call("GET", "/bookings/1").json == reply.json


@pytest.mark.parametrize(
    ("begins", "ends"),
    [("10:30", "10:45"), ("09:00", "10:01"), ("10:59", "12:00"), ("09:00", "12:00")],
)
def test_an_overlap_is_a_conflict(reader, begins, ends):
    book(reader)
    reply = book(reader, begins, ends)
    assert (reply.status, reply.json) == (409, {"error": "Booking would conflict"})


def test_an_overlap_may_be_answered_400(start_koha):
    koha = start_koha(unverified={"booking_clash_status": 400})
    koha.add()
    book(koha)
    assert book(koha).status == 400


def test_one_booking_may_follow_another(reader):
    book(reader)
    assert book(reader, "11:00", "12:00").status == 201


def test_without_an_item_any_free_one_is_taken(reader):
    taken = [book(reader, item_id=None).json["item_id"] for _ in range(2)]
    assert taken == [11, 12]
    assert book(reader, item_id=None).status == 409


def test_a_cancelled_booking_frees_the_room(reader):
    book(reader)
    reply = reader.call("PATCH", "/bookings/1", {"status": "cancelled"})
    assert (reply.status, reply.json["status"]) == (200, "cancelled")
    assert book(reader).status == 201


@pytest.mark.parametrize(
    ("members", "says"),
    [
        ({"biblio_id": 9}, "Given biblio_id does not exist"),
        ({"item_id": 21}, "Given item_id does not exist"),
        ({"patron_id": 9}, "Given patron_id does not exist"),
        ({"pickup_library_id": "X"}, "Given pickup_library_id does not exist"),
        ({"end_date": "2030-01-07T09:00:00Z"}, "Invalid parameter(s)"),
    ],
)
def test_a_booking_that_cannot_be(reader, members, says):
    reply = book(reader, **members)
    assert (reply.status, reply.json["error"]) == (400, says)


@pytest.mark.parametrize(
    "missing", ["biblio_id", "item_id", "patron_id", "pickup_library_id", "start_date", "end_date"]
)
def test_a_required_member_of_a_booking(reader, missing):
    whole = book(reader).json
    body = {
        name: whole[name]
        for name in (
            "biblio_id",
            "item_id",
            "patron_id",
            "pickup_library_id",
            "start_date",
            "end_date",
        )
        if name != missing
    }
    assert reader.call("POST", "/bookings", body).json["errors"][0]["path"] == f"/body/{missing}"


def test_the_states_of_a_booking_are_those_of_the_settings(start_koha):
    koha = start_koha(unverified={"booking_statuses": ["new", "gone"]})
    koha.add()
    assert book(koha, status="completed").json["errors"][0]["path"] == "/body/status"
    assert book(koha, status=None).status == 201


def test_a_booking_is_replaced_and_deleted(reader):
    whole = book(reader).json
    reply = reader.call("PUT", "/bookings/1", {**whole, "item_id": 12})
    assert (reply.status, reply.json["item_id"]) == (200, 12)
    assert reader.call("PUT", "/bookings/1", {"item_id": 12}).status == 400
    assert reader.call("DELETE", "/bookings/1").status == 204
    for method, body in (("GET", None), ("DELETE", None), ("PUT", whole), ("PATCH", {})):
        assert reader.call(method, "/bookings/1", body).status == 404


def test_a_change_that_changes_nothing_has_no_effect(reader):
    book(reader)
    assert reader.call("PATCH", "/bookings/1", {"item_id": 11}).status == 200
    assert len(reader.client.effects()) == 2


def test_bookings_are_listed_with_what_they_refer_to(reader):
    book(reader)
    headers = {"x-koha-embed": "biblio,item,patron,pickup_library"}
    (found,) = reader.call("GET", "/bookings", headers=headers, item_id=11, _match="exact").json
    assert found["biblio"]["title"] == "Salle d'étude"
    assert found["item"]["item_id"] == 11
    assert found["patron"]["surname"] == "Sauvaire"
    assert found["pickup_library"]["name"] == "L'Alcazar"
    assert reader.call("GET", "/bookings", headers={"x-koha-embed": "walls"}).status == 400
    assert reader.call("GET", "/bookings", room=1).status == 400


def test_the_right_to_manage_bookings_is_wanted(start_koha):
    koha = start_koha(permissions=["borrowers"])
    reply = koha.call("GET", "/bookings")
    assert reply.json["required_permissions"] == {"circulate": "manage_bookings"}

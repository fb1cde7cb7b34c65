import pytest

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])
RIGHT = "a-good-password"


@pytest.fixture
def reader(koha):
    koha.add(cardnumber="77", userid="ines")
    assert (
        koha.call("POST", "/patrons/1/password", {"password": RIGHT, "password_2": RIGHT}).status
        == 200
    )
    return koha


def check(koha, password=RIGHT, **who):
    return koha.call("POST", "/auth/password/validation", {"password": password, **who})


def test_setting_a_password_answers_an_empty_text(koha):
    koha.add()
    reply = koha.call("POST", "/patrons/1/password", {"password": RIGHT, "password_2": RIGHT})
    assert (reply.status, reply.json) == (200, "")
    assert koha.client.journal()[-1]["effect"] == {"kind": "password.set", "id": 1}


@pytest.mark.parametrize(
    ("first", "second", "says"),
    [
        (RIGHT, "another-password", "Passwords don't match"),
        ("short", "short", "Password length (5) is shorter than required (8)"),
        (" " + RIGHT, " " + RIGHT, "Password contains leading/trailing whitespace character(s)"),
    ],
)
def test_a_bad_new_password_is_refused(koha, first, second, says):
    koha.add()
    reply = koha.call("POST", "/patrons/1/password", {"password": first, "password_2": second})
    assert (reply.status, reply.json) == (400, {"error": says})


@pytest.mark.parametrize("missing", ["password", "password_2"])
def test_both_passwords_are_required(koha, missing):
    koha.add()
    body = {"password": RIGHT, "password_2": RIGHT}
    del body[missing]
    reply = koha.call("POST", "/patrons/1/password", body)
    assert reply.json["errors"][0]["path"] == f"/body/{missing}"


def test_the_password_of_nobody_is_not_found(koha):
    reply = koha.call("POST", "/patrons/9/password", {"password": RIGHT, "password_2": RIGHT})
    assert (reply.status, reply.json) == (404, {"error": "Patron not found."})


@pytest.mark.parametrize("who", [{"identifier": "77"}, {"identifier": "ines"}, {"userid": "ines"}])
def test_a_good_password_is_a_201(reader, who):
    reply = check(reader, **who)
    assert (reply.status, reply.json) == (
        201,
        {"cardnumber": "77", "patron_id": 1, "userid": "ines"},
    )


@pytest.mark.parametrize(
    ("password", "who"),
    [
        ("wrong", {"identifier": "77"}),
        (RIGHT, {"identifier": "unknown"}),
        (RIGHT, {"userid": "77"}),
        (RIGHT, {}),
    ],
)
def test_a_failed_validation_never_says_why(reader, password, who):
    reply = check(reader, password, **who)
    assert (reply.status, reply.json) == (400, {"error": "Validation failed"})


def test_only_one_identifier_may_be_given(reader):
    assert check(reader, identifier="77", userid="ines").json == {
        "error": "Bad request. Only one identifier attribute can be passed."
    }


def test_an_unknown_member_of_the_validation_is_refused(reader):
    assert check(reader, card="77").json["errors"][0]["message"] == "Properties not allowed: card."


def test_after_five_failures_even_the_right_password_fails(reader):
    for _ in range(5):
        assert check(reader, "wrong", identifier="77").status == 400
    reply = check(reader, identifier="77")
    assert (reply.status, reply.json) == (400, {"error": "Validation failed"})
    assert reader.call("GET", "/patrons/1").json["login_attempts"] == 5


def test_a_success_forgets_the_failures_before_it(reader):
    for _ in range(2):
        for _ in range(4):
            check(reader, "wrong", identifier="77")
        assert check(reader, identifier="77").status == 201


def test_a_new_password_unlocks(reader):
    for _ in range(5):
        check(reader, "wrong", identifier="77")
    reader.call("POST", "/patrons/1/password", {"password": RIGHT, "password_2": RIGHT})
    assert check(reader, identifier="77").status == 201


def test_without_a_limit_nobody_is_locked(start_koha):
    koha = start_koha(preferences={"FailedLoginAttempts": 0})
    koha.add(cardnumber="77")
    koha.call("POST", "/patrons/1/password", {"password": RIGHT, "password_2": RIGHT})
    for _ in range(10):
        check(koha, "wrong", identifier="77")
    assert check(koha, identifier="77").status == 201


def test_an_expired_password_is_told_only_to_who_knows_it(start_koha):
    seeded = {
        "surname": "Nègre",
        "library_id": "ALC",
        "category_id": "ADULTE",
        "cardnumber": "77",
        "password": RIGHT,
        "password_expiration_date": "2020-01-01",
    }
    koha = start_koha(patrons=[seeded])
    assert check(koha, identifier="77").json == {"error": "Password expired"}
    assert check(koha, "wrong", identifier="77").json == {"error": "Validation failed"}


def test_a_patron_without_password_validates_nothing(koha):
    koha.add(cardnumber="77")
    assert check(koha, "", identifier="77").status == 400


def test_our_own_credentials_are_checked_first(reader):
    body = {"identifier": "77", "password": RIGHT}
    assert reader.client.call("POST", "/api/v1/auth/password/validation", body).status == 401


def test_the_caller_needs_the_right_over_borrowers(start_koha):
    koha = start_koha(permissions=["circulate"])
    assert check(koha, identifier="77").json["required_permissions"] == {"borrowers": "1"}

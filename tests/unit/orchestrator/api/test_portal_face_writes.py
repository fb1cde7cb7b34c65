"""What applications do for citizens: bodies, keys, recent sign-ins, somebody else's things."""

import pytest

from orchestrator.services.access_codes import Redemption
from schemas.errors import ConflictError
from tests.fakes.portal import ACCOUNT, LOGIN, PortalHub, ago, citizen_token
from tests.fakes.tokens import ISSUER, LEFT_OUT

REDEEM = "/v1/access-codes/redeem"
CODE = {"code": "ABCDE-FGHJK"}
DELETIONS = [f"/v1/me/accounts/{ACCOUNT}", f"/v1/me/logins/{LOGIN}"]


@pytest.fixture
def hub():
    return PortalHub()


def keyed(key="k1"):
    return {"Idempotency-Key": f'"{key}"'}


# --- access codes ---------------------------------------------------------------------------------


def test_a_code_is_used_up_for_the_citizen_of_the_token(hub):
    answer = hub.post(REDEEM, CODE)
    assert (answer.status, answer.json) == (200, {"status": "redeemed"})
    ((citizen, what, code, network),) = hub.citizens.done
    assert (citizen.login_id, what, code) == (LOGIN, "redeem", "ABCDE-FGHJK")
    assert network == f"login {LOGIN}"


@pytest.mark.parametrize("outcome", [Redemption.REFUSED, Redemption.UNREADABLE])
def test_a_code_that_opens_nothing_points_at_itself(hub, outcome):
    hub.citizens.outcome = outcome
    answer = hub.post(REDEEM, CODE)
    assert (answer.status, answer.slug, answer.pointers) == (422, "invalid-data", ["#/code"])
    english = hub.post(REDEEM, CODE, headers={"Accept-Language": "en"}).json
    assert english["errors"][0]["detail"] != "This value is not accepted."


def test_too_many_wrong_codes_are_told_to_wait(hub):
    hub.citizens.outcome = Redemption.TOO_MANY_TRIES
    answer = hub.post(REDEEM, CODE)
    assert (answer.status, answer.slug, answer["Retry-After"]) == (429, "rate-limited", "3600")


@pytest.mark.parametrize("outcome", [Redemption.NOT_YET, Redemption.ALREADY_THERE])
def test_a_good_code_that_does_nothing_now_is_a_conflict_that_says_why(hub, outcome):
    hub.citizens.outcome = outcome
    answer = hub.post(REDEEM, CODE)
    assert (answer.status, answer.slug) == (409, "conflict")
    assert ("Retry-After" in dict(answer.headers)) is (outcome is Redemption.NOT_YET)
    english = hub.post(REDEEM, CODE, headers={"Accept-Language": "en"}).json["detail"]
    assert english not in (answer.json["detail"], "This value is not accepted.")


def test_a_service_that_wants_a_better_proof_says_so_and_the_code_stays_good(hub):
    hub.citizens.outcome = Redemption.NOT_PROVED_ENOUGH
    answer = hub.post(REDEEM, CODE)
    assert (answer.status, answer.slug) == (403, "proof-needed")
    hub.citizens.outcome = Redemption.REDEEMED
    assert hub.post(REDEEM, CODE).status == 200, "the refusal is not kept for a repeat"


# --- bodies ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "status", "slug"),
    [
        (b"", 400, "malformed"),
        (b"{", 400, "malformed"),
        (b"\xff", 400, "malformed"),
        (b'{"code":"a","code":"b"}', 400, "malformed"),
        (b'{"code":NaN}', 400, "malformed"),
        (b"[" * 50 + b"]" * 50, 400, "malformed"),
        (b"null", 422, "invalid-data"),
        (b"[]", 422, "invalid-data"),
        (b"{}", 422, "invalid-data"),
        (b'{"code":null}', 422, "invalid-data"),
        (b'{"code":7}', 422, "invalid-data"),
        (b'{"code":' + b"9" * 30 + b"}", 422, "invalid-data"),
        (b'{"code":""}', 422, "invalid-data"),
        (b'{"code":"\\ud800"}', 422, "invalid-data"),
        (b'{"code":"\\u0000"}', 422, "invalid-data"),
        (b'{"code":"' + b"x" * 41 + b'"}', 422, "invalid-data"),
        (b'{"code":"ABCDE-FGHJK","sub":"x"}', 422, "invalid-data"),
        (b'{"code":"' + b"x" * 5000 + b'"}', 413, "too-large"),
    ],
    ids=repr,
)
def test_a_body_that_is_not_what_the_document_says_is_a_problem(hub, body, status, slug):
    answer = hub.send("POST", REDEEM, body=body, headers={"Content-Type": "application/json"})
    assert (answer.status, answer.slug) == (status, slug)
    assert hub.citizens.done == []


@pytest.mark.parametrize("media_type", ["", "text/plain", "application/x-www-form-urlencoded"])
def test_another_media_type_is_415_and_says_what_is_read(hub, media_type):
    answer = hub.post(REDEEM, CODE, headers={"Content-Type": media_type})
    assert (answer.status, answer.slug) == (415, "unsupported-media-type")
    assert answer["Accept-Post"] == "application/json"


def test_a_body_is_not_looked_at_before_the_token(hub):
    answer = hub.send("POST", REDEEM, token="x.y.z", body=b"{" * 100_000)
    assert (answer.status, answer.slug) == (401, "not-authenticated")


# --- idempotency ----------------------------------------------------------------------------------


def test_the_same_key_has_one_effect_and_the_same_answer(hub):
    first = hub.post(REDEEM, CODE, headers=keyed())
    again = hub.post(REDEEM, CODE, headers=keyed())
    assert (again.status, again.body) == (first.status, first.body)
    assert again["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in dict(first.headers)
    assert len(hub.citizens.done) == 1


def test_the_same_key_with_another_content_is_refused(hub):
    hub.post(REDEEM, CODE, headers=keyed())
    answer = hub.post(REDEEM, {"code": "ABCDE-FGHJM"}, headers=keyed())
    assert (answer.status, answer.slug) == (422, "idempotency-key-reused")


def test_a_key_of_one_citizen_tells_another_nothing(hub):
    from dataclasses import replace
    from uuid import uuid4

    from tests.fakes.portal import CITIZEN

    hub.citizens.known[ISSUER, "another"] = replace(CITIZEN, citizen_id=uuid4())
    hub.post(REDEEM, CODE, headers=keyed())
    other = hub.post(REDEEM, CODE, headers=keyed(), token=citizen_token(sub="another"))
    assert "Idempotent-Replayed" not in dict(other.headers)
    assert len(hub.citizens.done) == 2


def test_a_refused_write_may_be_sent_again_under_its_key(hub):
    hub.citizens.outcome = Redemption.REFUSED
    assert hub.post(REDEEM, CODE, headers=keyed()).status == 422
    hub.citizens.outcome = Redemption.REDEEMED
    assert hub.post(REDEEM, CODE, headers=keyed()).status == 200


def test_a_write_whose_first_has_not_ended_is_told_to_wait(hub):
    inner = []

    def redeem(citizen, code, *, network):
        inner.append(hub.post(REDEEM, CODE, headers=keyed()))
        return Redemption.REDEEMED

    hub.citizens.redeem = redeem
    assert hub.post(REDEEM, CODE, headers=keyed()).status == 200
    assert (inner[0].status, inner[0].slug) == (409, "idempotency-key-in-flight")
    assert inner[0]["Retry-After"] == "5"


@pytest.mark.parametrize("key", ["", '"', "a b", '"é"', "x" * 200])
def test_a_key_of_another_form_is_malformed(hub, key):
    answer = hub.post(REDEEM, CODE, headers={"Idempotency-Key": key})
    assert (answer.status, answer.slug) == (400, "malformed")
    assert "Idempotency-Key" in answer.json["detail"]
    assert hub.citizens.done == []


# --- deletions ------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", DELETIONS)
def test_who_proved_who_they_are_just_now_may_leave(hub, path):
    answer = hub.delete(path)
    assert (answer.status, answer.body) == (204, b"")
    names = {name for name, _ in answer.headers}
    assert names.isdisjoint({"Content-Length", "Content-Type"})
    assert len(hub.citizens.done) == 1


@pytest.mark.parametrize("path", DELETIONS)
@pytest.mark.parametrize(("seconds", "status"), [(0, 204), (290, 204), (302, 403), (86_400, 403)])
def test_a_sign_in_is_recent_for_five_minutes(hub, path, seconds, status):
    token = citizen_token(auth_time=ago(seconds=seconds))
    assert hub.delete(path, token=token).status == status


@pytest.mark.parametrize("path", DELETIONS)
@pytest.mark.parametrize("auth_time", [LEFT_OUT, None, "now", True, 0], ids=repr)
def test_without_a_recent_sign_in_the_answer_says_what_is_needed(hub, path, auth_time):
    answer = hub.delete(path, token=citizen_token(auth_time=auth_time))
    assert (answer.status, answer.slug, answer.json["max_age"]) == (403, "not-permitted", 300)
    challenge = 'Bearer error="insufficient_user_authentication", max_age="300"'
    assert answer["WWW-Authenticate"] == challenge
    assert "cinq minutes" in answer.json["detail"]
    assert hub.citizens.done == []


def test_a_login_is_not_taken_away_while_nobody_can_tell_which_one_proved_it(hub):
    hub.citizens.way = None
    answer = hub.delete(DELETIONS[1])
    assert (answer.status, answer.slug) == (403, "not-permitted")
    assert hub.delete(DELETIONS[0]).status == 204


def test_a_refusal_of_the_use_case_is_told_with_its_words(hub):
    hub.citizens.raising = ConflictError("C'est votre seule façon de vous connecter : …")
    answer = hub.delete(DELETIONS[1])
    assert (answer.slug, answer.json["detail"][:10]) == ("conflict", "C'est votr")


@pytest.mark.parametrize("family", ["accounts", "logins"])
@pytest.mark.parametrize(
    "thing",
    [
        "0197f2c4-7d1e-7c3a-9b40-2f6d1a5e8cff",
        "x",
        "..",
        "%00",
        "0197F2C4-7D1E-7C3A-9B40-2F6D1A5E8C10",
    ],
)
def test_what_is_somebody_elses_or_nothing_is_not_there(hub, family, thing):
    answer = hub.delete(f"/v1/me/{family}/{thing}")
    assert (answer.status, answer.slug) == (404, "not-found")
    assert hub.citizens.done == []


def test_a_deletion_again_under_its_key_is_answered_alike(hub):
    first, again = (hub.delete(DELETIONS[0], headers=keyed()) for _ in range(2))
    assert (first.status, again.status) == (204, 204)
    assert again["Idempotent-Replayed"] == "true"
    assert len(hub.citizens.done) == 1

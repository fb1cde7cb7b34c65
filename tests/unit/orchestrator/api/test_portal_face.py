"""What applications are answered: tokens, clients, rights, people, reads."""

from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from orchestrator.api import openapi
from orchestrator.services.ports.api_clients import ClientKind
from schemas.errors import StoreUnavailableError
from schemas.logins import Level
from tests.fakes.portal import CITIZEN, PortalHub, application_token, citizen_token
from tests.fakes.tokens import HUB, ISSUER, LEFT_OUT, SUBJECT, header, private_key

OF_CITIZENS = ["/v1/me", "/v1/me/accounts", "/v1/me/logins"]
OF_APPLICATIONS = ["/v1/services", "/v1/services/lib_centre"]


@pytest.fixture
def hub():
    return PortalHub()


def reason(hub, *args, **options):
    """Send a request and return why it was refused, as the log has it."""
    with capture_logs() as logs:
        answer = hub.send(*args, **options)
    ((log),) = [log for log in logs if log["event"] == "request refused"]
    return answer, log["reason"]


# --- reads ----------------------------------------------------------------------------------------


def test_an_application_reads_the_services_of_the_city(hub):
    answer = hub.get("/v1/services", token=application_token())
    assert answer.status == 200
    assert answer.json == {
        "services": [
            {
                "id": "lib_centre",
                "kind": "library",
                "name": "Nom de lib_centre",
                "territory": "centre",
                "communes": ["13001", "13055"],
                "place": None,
                "min_level": 1,
            }
        ]
    }


def test_an_application_reads_one_service(hub):
    answer = hub.get("/v1/services/lib_centre", token=application_token())
    assert answer.json["id"] == "lib_centre"


@pytest.mark.parametrize("name", ["nothing", "text_messages", "LIB_CENTRE", "%00", "é", "x" * 100])
def test_a_service_the_city_does_not_offer_is_not_there(hub, name):
    answer = hub.get(f"/v1/services/{name}", token=application_token())
    assert (answer.status, answer.slug) == (404, "not-found")


def test_a_citizens_token_tells_how_sure_we_are_and_where_the_citizen_belongs(hub):
    assert hub.get("/v1/me").json == {
        "level": 1,
        "state": "active",
        "language": "fr",
        "services": ["lib_centre"],
    }


def test_a_citizens_accounts_and_logins_are_read_without_any_subject(hub):
    accounts, logins = hub.get("/v1/me/accounts"), hub.get("/v1/me/logins")
    assert accounts.json["accounts"][0].keys() == {
        *("id", "service", "name", "state", "level", "method", "opened_at"),
    }
    assert logins.json["logins"][0].keys() == {
        *("id", "alias", "method", "level", "since", "last_used_at"),
    }
    for answer in (accounts, logins, hub.get("/v1/me")):
        assert SUBJECT not in answer.body.decode()
        assert str(CITIZEN.citizen_id) not in answer.body.decode()


@pytest.mark.parametrize(
    ("alias", "acr", "of_login", "level"),
    [
        (None, None, 3, 1),
        (None, "eidas2", 3, 1),
        ("google", "eidas2", 3, 1),
        ("france-connect", "eidas1", 3, 2),
        ("france-connect", "eidas2", 3, 3),
        ("france-connect-plus", "eidas3", 3, 3),
        ("france-connect", "eidas2", 2, 2),
        (["france-connect"], "eidas2", 3, 1),
    ],
    ids=repr,
)
def test_the_level_is_the_lesser_of_the_sign_in_and_the_login(hub, alias, acr, of_login, level):
    hub.citizens.known[ISSUER, SUBJECT] = replace(CITIZEN, level=Level(of_login))
    notes = {"idp_alias": alias, "fc_acr": acr}
    token = citizen_token(**{name: value for name, value in notes.items() if value is not None})
    assert hub.get("/v1/me", token=token).json["level"] == level


@pytest.mark.parametrize(
    ("alias", "acr", "of_login"),
    [
        ("france-connect", "eidas2", 0),
        ("france-connect", "eidas9", 3),
        ("france-connect", None, 3),
        ("france-connect", ["eidas2"], 3),
    ],
    ids=repr,
)
@pytest.mark.parametrize("path", OF_CITIZENS)
def test_a_sign_in_that_proved_nothing_reads_nothing(hub, path, alias, acr, of_login):
    hub.citizens.known[ISSUER, SUBJECT] = replace(CITIZEN, level=Level(of_login))
    notes = {"idp_alias": alias, "fc_acr": acr}
    token = citizen_token(**{name: value for name, value in notes.items() if value is not None})

    answer, why = reason(hub, "GET", path, token=token)

    assert (answer.status, answer.slug, why) == (403, "proof-needed", "unproved")
    assert str(CITIZEN.citizen_id) not in answer.body.decode()


@pytest.mark.parametrize("said", [True, "true"])
def test_a_contact_that_the_realm_vouches_for_is_proved(hub, said):
    assert hub.get("/v1/me", token=citizen_token(email_verified=said)).json["level"] == 1


@pytest.mark.parametrize("said", [False, "false", None, 1.5])
def test_a_contact_that_the_realm_denies_opens_nothing(hub, said):
    assert hub.get("/v1/me", token=citizen_token(email_verified=said)).slug == "proof-needed"


# --- tokens ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [*OF_CITIZENS, *OF_APPLICATIONS])
def test_without_a_token_nothing_is_read(hub, path):
    answer, why = reason(hub, "GET", path, headers={"Authorization": None})
    assert (answer.status, answer.slug, why) == (401, "not-authenticated", "missing")
    assert answer["WWW-Authenticate"] == 'Bearer error="invalid_request"'
    assert answer.json["request_id"] == answer["Parvis-Request-Id"]
    assert answer["Parvis-Should-Retry"] == "false"


@pytest.mark.parametrize(
    ("bend", "why"),
    [
        ({"header": header(alg="RS512")}, "algorithm"),
        ({"header": header(kid="k9")}, "unknown_key"),
        ({"key": private_key("mallory")}, "signature"),
        ({"iss": ISSUER + "-staff"}, "issuer"),
        ({"aud": "account"}, "audience"),
        ({"exp": 1}, "expired"),
        ({"iat": 1}, "lifetime"),
        ({"typ": "ID"}, "token_type"),
    ],
    ids=lambda one: one if isinstance(one, str) else "-".join(one),
)
def test_a_token_that_is_not_trusted_is_401_and_its_reason_stays_with_us(hub, bend, why):
    token = citizen_token(**bend)
    answer, logged = reason(hub, "GET", "/v1/me", token=token)
    assert (answer.status, answer.slug, logged) == (401, "not-authenticated", why)
    assert answer["WWW-Authenticate"] == 'Bearer error="invalid_token"'
    assert why not in answer.body.decode()


def test_a_refusal_is_in_the_language_asked_for(hub):
    french = hub.get("/v1/me", token="x.y.z").json
    english = hub.get("/v1/me", token="x.y.z", headers={"Accept-Language": "en"}).json
    assert french["title"] == "Connectez-vous pour continuer"
    assert english["title"] == "Sign in to go on"


def test_a_token_of_the_staff_realm_opens_nothing(hub):
    token = citizen_token(iss=ISSUER + "-staff")
    assert {hub.get(path, token=token).status for path in OF_CITIZENS} == {401}


def test_a_token_in_the_address_is_not_read(hub):
    target = f"/v1/me?access_token={citizen_token()}"
    assert hub.get(target, headers={"Authorization": None}).status == 401


def test_while_no_key_was_ever_had_a_good_token_is_told_to_come_back(hub):
    hub.realm.is_away = True
    answer = hub.get("/v1/me")
    assert (answer.status, answer.slug, answer["Retry-After"]) == (503, "unavailable", "30")
    assert hub.get("/v1/me", token="x.y.z").status == 401


def test_while_the_realm_is_away_tokens_go_on(hub):
    assert hub.get("/v1/me").status == 200
    hub.realm.is_away = True
    hub.elapsed += 100_000
    assert hub.get("/v1/me").status == 200
    assert hub.get("/v1/me", token=citizen_token(header=header(kid="k9"))).status == 401


def test_keys_change_without_a_failed_call(hub):
    old = citizen_token()
    assert hub.get("/v1/me", token=old).status == 200
    hub.realm.names = ["k2", "k1"]
    hub.elapsed += 61
    new = citizen_token(header=header(kid="k2"), key=private_key("k2"))
    assert [hub.get("/v1/me", token=token).status for token in (old, new, old, new)] == [200] * 4
    assert hub.realm.asked == 2


# --- clients and rights ---------------------------------------------------------------------------


@pytest.mark.parametrize("client", ["kiosk", LEFT_OUT, "", None, "PORTAL-LOGIN", 7])
def test_a_client_without_a_row_has_no_access(hub, client):
    answer, why = reason(hub, "GET", "/v1/me", token=citizen_token(azp=client))
    assert (answer.status, answer.slug, why) == (403, "not-permitted", "client")
    assert answer["WWW-Authenticate"] == 'Bearer error="insufficient_scope"'


def test_a_disabled_client_is_refused_within_a_second(hub):
    from schemas import clock

    assert hub.get("/v1/me").status == 200
    hub.clients.change("portal-login", disabled_at=clock.utcnow())
    hub.elapsed += 1
    answer, why = reason(hub, "GET", "/v1/me")
    assert (answer.status, why) == (403, "client")


@pytest.mark.parametrize("client_id", ["portal", "", 7, ["portal-login"], True])
def test_a_client_id_must_be_the_one_the_token_was_given_to(hub, client_id):
    answer, why = reason(hub, "GET", "/v1/me", token=citizen_token(client_id=client_id))
    assert (answer.status, why) == (403, "client_id")
    assert hub.get("/v1/me", token=citizen_token(client_id="portal-login")).status == 200


@pytest.mark.parametrize("path", OF_CITIZENS)
def test_an_applications_own_token_opens_nothing_of_a_citizen(hub, path):
    answer, why = reason(hub, "GET", path, token=application_token(sub=SUBJECT))
    assert (answer.status, answer.slug, why) == (403, "not-permitted", "kind")


@pytest.mark.parametrize("path", OF_APPLICATIONS)
def test_a_citizens_token_opens_no_catalogue(hub, path):
    roles = {"resource_access": {HUB: {"roles": ["catalogue:read"]}}}
    answer, why = reason(hub, "GET", path, token=citizen_token(**roles))
    assert (answer.status, why) == (403, "kind")


@pytest.mark.parametrize("path", OF_APPLICATIONS)
def test_the_catalogue_needs_the_role_and_the_scope(hub, path):
    answer, why = reason(hub, "GET", path, token=application_token(roles=[]))
    assert (answer.status, why) == (403, "role")
    hub.clients.change("portal", scopes=frozenset())
    hub.elapsed += 1
    answer, why = reason(hub, "GET", path, token=application_token())
    assert (answer.status, answer.slug, why) == (403, "not-permitted", "scope")


def test_a_client_that_only_reads_for_citizens_cannot_act_for_them(hub):
    hub.clients.change("portal-login", scopes=frozenset({"me:read"}))
    assert hub.get("/v1/me").status == 200
    for send in (
        lambda: hub.post("/v1/access-codes/redeem", {"code": "ABCDE-FGHJK"}),
        lambda: hub.delete(f"/v1/me/accounts/{CITIZEN.citizen_id}"),
        lambda: hub.delete(f"/v1/me/logins/{CITIZEN.login_id}"),
    ):
        assert send().status == 403
    assert hub.citizens.done == []


def test_a_person_who_never_signed_in_is_sent_to_sign_in_and_nobody_is_made(hub):
    answer, why = reason(hub, "GET", "/v1/me", token=citizen_token(sub="unknown"))
    assert (answer.status, answer.slug, why) == (403, "login-first", "unknown_citizen")
    assert answer["WWW-Authenticate"] == 'Bearer error="insufficient_scope"'
    for nobody in (LEFT_OUT, None, "", 7, "x" * 300):
        assert hub.get("/v1/me", token=citizen_token(sub=nobody)).slug == "login-first"
    assert list(hub.citizens.known) == [(ISSUER, SUBJECT)]


# --- quota, methods, addresses --------------------------------------------------------------------


def test_each_client_has_its_quota_and_is_told_what_is_left():
    hub = PortalHub(quota=2)
    hub.clients.put("kiosk", ClientKind.CITIZEN)
    assert "r=1;" in hub.get("/v1/me")["RateLimit"]
    assert hub.get("/v1/me")["RateLimit-Policy"].startswith('"default";q=2;w=60')
    refused = hub.get("/v1/me")
    assert (refused.status, refused.slug) == (429, "rate-limited")
    assert int(refused["Retry-After"]) >= 1
    assert hub.get("/v1/me", token=citizen_token(azp="kiosk")).status == 200
    assert hub.get("/v1/services", token=application_token()).status == 200


def test_a_token_that_is_not_trusted_takes_nothing_from_a_quota():
    hub = PortalHub(quota=1)
    for _ in range(5):
        assert hub.get("/v1/me", token=citizen_token(exp=1)).status == 401
    assert hub.get("/v1/me").status == 200


@pytest.mark.parametrize("method", ["PUT", "PATCH", "OPTIONS", "HEAD", "TRACE", "X"])
@pytest.mark.parametrize("path", ["/v1/me", "/v1/services/x", "/v1/access-codes/redeem"])
def test_another_method_is_405(hub, method, path):
    answer = hub.send(method, path)
    assert answer.status == 405
    assert answer["Allow"]


@pytest.mark.parametrize("path", ["/v1/me/", "/v1/me/nothing", "/v1/services/", "/v1/services/a/b"])
def test_other_addresses_are_not_there(hub, path):
    assert (hub.get(path).status, hub.get(path).slug) == (404, "not-found")


def test_a_database_that_is_away_is_said_so(hub):
    hub.citizens.find = _raising(StoreUnavailableError())
    answer = hub.get("/v1/me")
    assert (answer.status, answer.slug, answer["Retry-After"]) == (503, "unavailable", "5")


def test_a_bug_says_its_request_id_and_nothing_else(hub):
    hub.citizens.space = _raising(KeyError(SUBJECT))
    with capture_logs() as logs:
        answer = hub.get("/v1/me")
    assert (answer.status, answer.slug) == (500, "internal")
    assert SUBJECT not in answer.body.decode() + str(logs)


def test_nothing_of_a_token_or_a_person_is_logged(hub):
    tokens = [citizen_token(), citizen_token(sub="unknown"), citizen_token(exp=1)]
    with capture_logs() as logs:
        for token in tokens:
            hub.get("/v1/me", token=token)
            hub.post("/v1/access-codes/redeem", {"code": "ABCDE-FGHJK"}, token=token)
    text = str(logs)
    assert SUBJECT not in text
    assert "ABCDE" not in text
    assert not any(part in text for token in tokens for part in token.split("."))


def test_every_address_of_this_face_is_in_the_document(hub):
    paths = openapi.document()["paths"]
    assert hub.app._faces[1] is hub.face
    for path, methods in hub.face.routes.items():
        assert {method.upper() for method in paths[path]} == set(methods), path


def _raising(error):
    def raise_it(*_args, **_more):
        raise error

    return raise_it

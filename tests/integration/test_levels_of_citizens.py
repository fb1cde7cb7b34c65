"""What a sign-in proves decides what it opens: nothing, a space, a service that wants more.

Whoever proves too little is sent to a better proof and comes back to what they did.
"""

from html import unescape

import pytest

from tests.integration.test_citizen_space import Citizen, announced_code
from tests.integration.test_sign_in import franceconnect, local

pytestmark = pytest.mark.postgres
PROOF = "/mon-espace/identite?vers=/mon-espace/code&niveau="


@pytest.fixture
def citizen(database, vault, hub_keys):
    return Citizen(database, vault, hub_keys)


@pytest.fixture
def code(database, hub_keys):
    return announced_code(database, hub_keys)


def test_who_proved_nothing_leaves_the_realm_too_and_learns_what_to_do(citizen):
    answered = citizen.sign_in(local(1, email_verified="false"), onward="/mon-espace/code")

    assert "parvis_session" not in str(answered.headers.getlist("Set-Cookie"))
    assert answered.headers["Refresh"].startswith("0; url=https://idp.test/realms/parvis/logout")
    ending = citizen.database.one("SELECT id FROM saml_request WHERE purpose = 'logout'")["id"]
    back = citizen.get(f"/saml/sls?SAMLResponse={ending}")
    assert back.headers["Location"] == "/connexion/preuve?vers=/mon-espace/code"
    page = citizen.get(back.headers["Location"]).text
    assert "Il manque une preuve" in page
    assert "/connexion/depart?avec=compte&amp;vers=/mon-espace/code" in page
    assert citizen.get("/mon-espace").status_code == 303


def wants(database, level):
    database.run(
        "INSERT INTO service(id, kind, name, min_level) VALUES ('library_a', 'library', 'Centre', %s)",
        (level,),
    )


@pytest.mark.parametrize(
    ("wanted", "place", "outcome"),
    [(1, None, "/mon-espace?code=ajoute"), (2, None, PROOF), (2, 2, "?code="), (3, 2, PROOF)],
)
def test_a_code_joins_a_service_only_at_the_level_it_wants(
    citizen, code, database, wanted, place, outcome
):
    citizen.sign_in(local(1))
    wants(database, wanted)
    if place is not None:
        database.run(
            "INSERT INTO account(id, citizen_id, service_id, preregistration_id, level, method)"
            " SELECT gen_random_uuid(), s.citizen_id, 'library_a', p.id, %s, 'card'"
            " FROM web_session s, preregistration p WHERE s.ended_at IS NULL",
            (place,),
        )

    answered = citizen.press("/mon-espace/code", "/mon-espace/code", code=code)

    assert outcome in answered.headers["Location"]
    used = database.one("SELECT redeemed_at FROM access_code")["redeemed_at"]
    assert (used is None) is (outcome == PROOF), "a code that joins nothing stays good"


def test_whoever_proves_more_comes_back_to_the_code_and_it_is_still_good(citizen, code, database):
    citizen.sign_in(franceconnect(1), way="franceconnect")
    database.run("UPDATE web_session SET level = 1")
    wants(database, 2)
    sent = citizen.press("/mon-espace/code", "/mon-espace/code", code=code).headers["Location"]
    assert sent == f"{PROOF}2"
    onward = citizen.press(sent, sent)
    assert "logout" in onward.headers["Refresh"]
    departed = citizen.get(sent.replace("identite?", "identite/suite?"))
    raised = citizen.answer(departed.headers["Location"], franceconnect(1))
    assert raised.headers["Location"] == "/mon-espace/code"

    joined = citizen.press("/mon-espace/code", "/mon-espace/code", code=code)

    assert joined.headers["Location"] == "/mon-espace?code=ajoute"


def test_a_code_alone_joins_no_service_that_wants_more_than_a_contact(citizen, code, database):
    wants(database, 2)

    told = citizen.press("/code", "/code", code=code)

    assert (told.status_code, "demande une identité confirmée" in told.text) == (422, True)
    assert database.one("SELECT redeemed_at FROM access_code")["redeemed_at"] is None
    database.run("UPDATE service SET min_level = 1")
    assert citizen.press("/code", "/code", code=code).headers["Location"] == "/code/active"


@pytest.mark.parametrize(
    ("level", "asked", "said"),
    [
        (1, "3", "connexion renforcée"),
        (2, "3", "connexion renforcée"),
        (3, "3", "rien d’autre"),
        (3, "4", "pièce d’identité"),
        (2, "9", "rien d’autre"),
    ],
)
def test_the_page_of_a_proof_says_which_is_wanted(citizen, level, asked, said):
    citizen.sign_in(franceconnect(1), way="franceconnect")
    citizen.database.run("UPDATE web_session SET level = %s", (level,))

    page = unescape(citizen.get(f"{PROOF}{asked}").text)

    assert said in page


def test_a_step_up_to_more_than_what_comes_changes_nothing(citizen):
    citizen.sign_in(franceconnect(1), way="franceconnect")

    departed = citizen.get("/mon-espace/identite/suite?vers=/mon-espace/code&niveau=3")
    refused = citizen.answer(departed.headers["Location"], franceconnect(1))

    assert refused.status_code == 403
    live = citizen.database.all("SELECT level FROM web_session WHERE ended_at IS NULL")
    assert [row["level"] for row in live] == [2]


def test_a_contact_alone_is_raised_by_franceconnect_in_the_middle_of_an_act(citizen):
    citizen.sign_in(franceconnect(1), way="franceconnect")
    citizen.database.run("UPDATE web_session SET level = 1")
    page = "/mon-espace/identite?vers=/mon-espace/code"
    assert "FranceConnect la confirme" in citizen.get(page).text

    away = citizen.press(page, page)
    assert "logout" in away.headers["Refresh"], "the realm is left first"
    departed = citizen.get("/mon-espace/identite/suite?vers=/mon-espace/code")
    raised = citizen.answer(departed.headers["Location"], franceconnect(1))

    assert raised.headers["Location"] == "/mon-espace/code"
    live = citizen.database.all("SELECT level FROM web_session WHERE ended_at IS NULL")
    assert [row["level"] for row in live] == [2]
    assert "Votre identité est confirmée" in citizen.get("/mon-espace/identite").text


def test_who_never_showed_franceconnect_is_told_to_link_it(citizen):
    citizen.sign_in(local(1))

    page = citizen.get(f"{PROOF}2").text

    assert "Reliez FranceConnect" in page
    assert 'action="/mon-espace/relier?vers=/mon-espace/code"' in page
    away = citizen.press(f"{PROOF}2", "/mon-espace/relier?vers=/mon-espace/code")
    assert "logout" in away.headers["Refresh"]
    departed = citizen.get("/mon-espace/relier/suite?vers=/mon-espace/code")
    linked = citizen.answer(departed.headers["Location"], franceconnect(1))
    assert linked.headers["Location"] == "/mon-espace/code"


def test_a_login_that_proves_nothing_is_not_linked_and_the_space_stays_open(citizen):
    citizen.sign_in(franceconnect(1), way="franceconnect")
    departed = citizen.get("/mon-espace/relier/suite")
    citizen.answer(departed.headers["Location"], local(2, email_verified="false"))

    page = unescape(citizen.get("/connexion/preuve?vers=/mon-espace?relie=").text)

    assert "votre espace reste ouvert" in page
    assert "/connexion/depart" not in page
    assert citizen.get("/mon-espace").status_code == 200
    assert citizen.database.one("SELECT count(*) AS n FROM login WHERE alias = 'realm'")["n"] == 0


@pytest.mark.parametrize("onward", ["https://evil.example.org", "//evil.example.org", "/\\evil"])
def test_a_proof_leads_back_to_our_own_pages_only(citizen, onward):
    citizen.sign_in(franceconnect(1), way="franceconnect")
    citizen.database.run("UPDATE web_session SET level = 1")

    departed = citizen.get(f"/mon-espace/identite/suite?vers={onward}")

    back = citizen.answer(departed.headers["Location"], franceconnect(1))
    assert back.headers["Location"] == "/"


def test_a_proof_is_asked_of_somebody_with_a_session_by_a_button_of_ours(citizen):
    page = "/mon-espace/identite"
    assert citizen.get(page).headers["Location"] == f"/connexion?vers={page}"
    assert citizen.get(f"{page}/suite").headers["Location"] == f"/connexion?vers={page}"
    citizen.sign_in(local(1))
    assert citizen.client.post(page).headers["Location"] == f"/connexion?vers={page}"


# --- whoever was in before ------------------------------------------------------------------------


def test_a_code_ends_the_persons_other_sessions_and_nobody_elses(
    citizen, code, database, vault, hub_keys
):
    elsewhere, stranger = (Citizen(database, vault, hub_keys) for _ in range(2))
    elsewhere.sign_in(franceconnect(1), way="franceconnect")
    stranger.sign_in(local(2))
    citizen.sign_in(franceconnect(1), way="franceconnect")

    wrong = citizen.press("/mon-espace/code", "/mon-espace/code", code="ABCDEFGHJK")
    assert (wrong.status_code, elsewhere.get("/mon-espace").status_code) == (422, 200)
    citizen.press("/mon-espace/code", "/mon-espace/code", code=code)

    assert citizen.get("/mon-espace").status_code == 200
    assert elsewhere.get("/mon-espace").headers["Location"] == "/connexion?vers=/mon-espace"
    assert stranger.get("/mon-espace").status_code == 200


@pytest.mark.parametrize("way", ["link", "unlink"])
def test_a_login_added_or_taken_away_ends_the_persons_other_sessions(
    citizen, database, vault, hub_keys, way
):
    citizen.sign_in(franceconnect(1), way="franceconnect")
    if way == "unlink":
        link(citizen, local(2))
    elsewhere = Citizen(database, vault, hub_keys)
    elsewhere.sign_in(franceconnect(1), way="franceconnect")
    assert elsewhere.get("/mon-espace").status_code == 200

    if way == "link":
        link(citizen, local(2))
    else:
        take_away(citizen, "france-connect")

    assert citizen.get("/mon-espace").status_code == 200
    assert elsewhere.get("/mon-espace").headers["Location"] == "/connexion?vers=/mon-espace"


def link(citizen, said):
    departed = citizen.get("/mon-espace/relier/suite")
    assert citizen.answer(departed.headers["Location"], said).status_code == 303


def take_away(citizen, alias):
    """What linked the other login has just proved who this is."""
    found = "SELECT id FROM login WHERE alias = %s AND valid_to IS NULL"
    page = f"/mon-espace/connexions/{citizen.database.one(found, (alias,))['id']}"
    assert citizen.press(page, f"{page}/retrait").headers["Location"] == "/mon-espace?retire="

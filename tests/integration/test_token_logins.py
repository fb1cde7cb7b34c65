"""Whose a token is: subjects of the realm found among the logins, links that no longer stand."""

import pytest

from identity.linking import LOCAL, LoginKey
from identity.names import REALM_SAML, REALM_TOKEN
from orchestrator.store.logins import Bond, Sealing, add_login
from orchestrator.store.person_keys import new_key
from orchestrator.store.token_logins import TokenLogins
from schemas import ids
from schemas.logins import Level
from tests.fakes.tokens import ISSUER, SUBJECT

pytestmark = pytest.mark.postgres
FRANCECONNECT = "france-connect"


@pytest.fixture
def logins(database, hub_keys):
    return TokenLogins(database=database, keys=hub_keys)


@pytest.fixture
def person(database, vault, hub_keys):
    """Make a citizen with an account of the realm's and the ways into it: (alias, level) each."""

    def make(*ways, state="active", account=SUBJECT, citizen_id=None):
        new = citizen_id is None
        citizen_id = citizen_id or ids.uuid7()
        with database.transaction() as connection:
            if new:
                connection.execute(
                    "INSERT INTO citizen(id, state) VALUES (%s, %s)", (citizen_id, state)
                )
            data_key = new_key(connection, vault, citizen_id)
            sealing = Sealing(vault=vault, keys=hub_keys, data_key=data_key)
            for alias, level in ((REALM_SAML, 0), (REALM_TOKEN, 0), *ways):
                subject = account if alias == REALM_TOKEN else f"{account} {alias}"
                key = LoginKey(issuer=ISSUER, alias=alias, subject=subject)
                bond = Bond(
                    citizen_id=citizen_id, level=Level(level), method="first_login", account=account
                )
                add_login(connection, sealing, key, bond)
        return citizen_id

    return make


def close(database, alias):
    database.run(
        "UPDATE login SET valid_to = parvis_now(), closed_reason = 'unlinked' WHERE alias = %s",
        (alias,),
    )


def test_a_subject_is_found_by_the_realms_own_login(logins, person):
    citizen_id = person((LOCAL, 1))
    found = logins.find(ISSUER, SUBJECT, provider=None)
    assert (found.citizen_id, found.level, found.proved_at) == (citizen_id, Level(1), None)


def test_another_subject_or_realm_is_nobody(logins, person):
    person((LOCAL, 1))
    for issuer, subject in (
        (ISSUER, SUBJECT.upper()),
        (ISSUER + "-staff", SUBJECT),
        (ISSUER, "x"),
        (ISSUER, ""),
    ):
        assert logins.find(issuer, subject, provider=None) is None


def test_a_name_of_signing_in_is_no_subject_of_tokens(logins, person):
    person((LOCAL, 1), (FRANCECONNECT, 2))
    for alias in (REALM_SAML, LOCAL, FRANCECONNECT):
        assert logins.find(ISSUER, f"{SUBJECT} {alias}", provider=None) is None


def test_the_level_is_that_of_the_link_the_person_came_through(logins, person):
    plus = "france-connect-plus"
    person((LOCAL, 1), (FRANCECONNECT, 2), (plus, 3))
    levels = {
        provider: logins.find(ISSUER, SUBJECT, provider=provider).level
        for provider in (LOCAL, FRANCECONNECT, plus)
    }
    assert levels == {LOCAL: 1, FRANCECONNECT: 2, plus: 3}


def test_without_a_word_of_the_way_it_is_the_realms_own_or_the_only_one(logins, person):
    person((LOCAL, 1), (FRANCECONNECT, 2))
    person((FRANCECONNECT, 2), account="one-way")
    person((FRANCECONNECT, 2), ("google", 1), account="two-ways")
    ways = [
        logins.find(ISSUER, account, provider=None).idp_alias
        for account in (SUBJECT, "one-way", "two-ways")
    ]
    assert ways == [LOCAL, FRANCECONNECT, None]


def test_a_provider_that_is_no_link_of_the_citizen_opens_nothing(logins, person):
    person((LOCAL, 1))
    assert logins.find(ISSUER, SUBJECT, provider="google") is None


def test_a_link_of_another_account_of_the_realm_vouches_for_nothing(logins, person):
    citizen_id = person((LOCAL, 1))
    person((FRANCECONNECT, 2), account="another-account", citizen_id=citizen_id)
    assert logins.find(ISSUER, SUBJECT, provider=FRANCECONNECT) is None
    assert logins.find(ISSUER, "another-account", provider=FRANCECONNECT).citizen_id == citizen_id


def test_a_token_through_a_link_that_was_taken_away_opens_nothing(logins, person, database):
    person((LOCAL, 1), (FRANCECONNECT, 2))
    assert logins.find(ISSUER, SUBJECT, provider=FRANCECONNECT)
    close(database, FRANCECONNECT)
    assert logins.find(ISSUER, SUBJECT, provider=FRANCECONNECT) is None
    assert logins.find(ISSUER, SUBJECT, provider=None)
    close(database, LOCAL)
    assert logins.find(ISSUER, SUBJECT, provider=None) is None


def test_a_closed_login_is_nobodys(logins, person, database):
    person((LOCAL, 1))
    close(database, REALM_TOKEN)
    assert logins.find(ISSUER, SUBJECT, provider=None) is None


def test_a_citizen_who_is_not_there_is_nobody(logins, person):
    for state in ("announced", "closed", "erased"):
        person((LOCAL, 1), state=state, account=state)
        assert logins.find(ISSUER, state, provider=None) is None


def test_a_citizen_who_was_merged_into_another_is_nobody(logins, person, database):
    merged, survivor = person((LOCAL, 1)), person(account="another-account")
    database.run("UPDATE citizen SET merged_into = %s WHERE id = %s", (survivor, merged))
    assert logins.find(ISSUER, SUBJECT, provider=None) is None

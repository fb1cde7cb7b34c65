"""A login taken away and what the realm is told of it, on its bad days."""

from datetime import timedelta

import pytest

from orchestrator.services.ports.citizen_space import Unlinking
from orchestrator.services.ports.realm_effects import Link
from orchestrator.services.realm_effects import RealmEffects
from orchestrator.store.citizen_space import CitizenSpaceTable
from orchestrator.store.realm_effects import RealmEffectTable, forget_effects
from schemas.errors import (
    ConflictError,
    IdentityContractBrokenError,
    IdentityRefusedError,
    IdentityUnavailableError,
)
from schemas.logins import SamlPurpose
from tests.integration.test_sign_in import Desk, franceconnect, local

pytestmark = pytest.mark.postgres


class FakeAccounts:
    """The realm's accounts, failing as often as told."""

    def __init__(self):
        self.told, self.failures = [], []

    def take_away(self, link):
        if self.failures:
            raise self.failures.pop(0)
        self.told.append(link)


@pytest.fixture
def desk(database, vault, hub_keys):
    return Desk(database, vault, hub_keys)


@pytest.fixture
def both(desk):
    """Somebody with FranceConnect and an account of their own."""
    session = desk.session(franceconnect(1))
    return desk.use.session(
        desk.sign_in(local(2, email_verified="true"), SamlPurpose.LINK, session=session).cookie
    )


@pytest.fixture
def accounts():
    return FakeAccounts()


@pytest.fixture
def rows(database, vault):
    return RealmEffectTable(database=database, vault=vault)


@pytest.fixture
def effects(rows, accounts, desk):
    return RealmEffects(rows=rows, issuer=desk.realm.issuer, accounts=lambda: accounts)


@pytest.fixture
def take_away(desk, vault, both):
    space = CitizenSpaceTable(database=desk.database, vault=vault)

    def take(alias="france-connect", *, proved_by="realm"):
        found = "SELECT id FROM login WHERE alias = %s AND valid_to IS NULL ORDER BY id LIMIT 1"
        space.unlink(
            Unlinking(
                citizen_id=both.citizen_id,
                login_id=desk.database.one(found, (alias,))["id"],
                session_id=both.id,
                proved_by=proved_by,
            )
        )

    return take


def later(desk, wait):
    """Let time pass for everything that waits."""
    desk.database.run("UPDATE realm_effect SET next_at = next_at - %s", (wait,))


def test_the_realm_is_told_once_which_link_goes_and_at_which_accounts(effects, accounts, take_away):
    take_away()

    assert effects.carry_out() == 1
    assert effects.carry_out() == 0
    assert accounts.told == [
        Link(alias="france-connect", subject="sub-1", accounts=("user-1", "user-2"))
    ]


def test_the_row_that_waits_names_nobody(desk, take_away):
    take_away()

    (row,) = desk.database.all("SELECT * FROM realm_effect")
    assert not {"user-1", "sub-1", "G-1"} & {str(value) for value in row.values()}


def test_a_refused_unlink_asks_nothing_of_the_realm(effects, take_away):
    with pytest.raises(ConflictError):
        take_away("realm", proved_by="realm")

    assert effects.carry_out() == 0


def test_a_realm_that_is_away_is_told_once_it_is_back(desk, effects, accounts, rows, take_away):
    take_away()
    accounts.failures = [IdentityUnavailableError(), IdentityUnavailableError()]

    assert effects.carry_out() == 0
    assert effects.carry_out() == 0, "it is not due yet"
    later(desk, timedelta(seconds=1))
    assert effects.carry_out() == 0
    later(desk, timedelta(seconds=1))
    assert effects.carry_out() == 1
    assert rows.open() == []


def test_a_process_killed_in_between_leaves_it_to_the_next_one(desk, effects, rows, take_away):
    take_away()
    assert rows.claim(desk.realm.issuer), "and then it is gone"

    assert effects.carry_out() == 0, "another process may still be at it"
    later(desk, timedelta(minutes=2))
    assert effects.carry_out() == 1


def test_a_refused_account_pauses_with_a_sentence_and_goes_on_once_it_is_mended(
    desk, effects, accounts, rows, take_away
):
    take_away()
    accounts.failures = [IdentityRefusedError("403 : il manque un rôle")]

    effects.carry_out()

    (waiting,) = rows.open()
    assert (waiting.status, waiting.fault) == ("paused", "403 : il manque un rôle")
    later(desk, timedelta(minutes=15))
    assert effects.carry_out() == 1


def test_what_is_no_realm_is_left_to_a_person_in_the_end(desk, effects, accounts, rows, take_away):
    take_away()
    tries = effects.policy.tries
    accounts.failures = [IdentityContractBrokenError("une page") for _ in range(tries)]

    for _ in range(tries):
        effects.carry_out()
        later(desk, timedelta(hours=2))

    (stuck,) = rows.open()
    assert (stuck.status, stuck.failures) == ("stuck", tries)
    assert effects.carry_out() == 0
    assert rows.resume() == 1
    assert effects.carry_out() == 1


def test_a_login_that_came_back_meanwhile_is_left_alone(desk, effects, accounts, both, take_away):
    take_away()
    session = desk.session(local(2, email_verified="true"))
    desk.sign_in(franceconnect(1), SamlPurpose.LINK, session=session)

    assert effects.carry_out() == 1
    assert accounts.told == []


def test_of_an_erased_person_nothing_is_told(desk, effects, accounts, take_away):
    take_away()
    desk.database.run("DELETE FROM data_key")

    assert effects.carry_out() == 1
    assert accounts.told == []


def test_without_a_realm_everything_waits(rows, accounts, take_away):
    take_away()

    assert RealmEffects(rows=rows, issuer=None, accounts=lambda: accounts).carry_out() == 0
    assert len(rows.open()) == 1


def test_what_was_told_is_forgotten_a_month_later(desk, effects, take_away):
    take_away()
    effects.carry_out()
    assert forget_effects(desk.database) == 0
    desk.database.run("UPDATE realm_effect SET ended_at = parvis_now() - interval '31 days'")

    assert forget_effects(desk.database) == 1

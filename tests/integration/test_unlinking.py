"""A login taken away: what hung on it is worth less, and it does not come back by itself."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from orchestrator.services.ports.citizen_space import Unlinking
from orchestrator.services.ports.sign_in import Outcome
from orchestrator.store.citizen_space import CitizenSpaceTable
from schemas.errors import ConflictError
from schemas.logins import Level, SamlPurpose
from tests.integration.test_sign_in import Desk, franceconnect, local

pytestmark = pytest.mark.postgres


@pytest.fixture
def desk(database, vault, hub_keys):
    return Desk(database, vault, hub_keys)


@pytest.fixture
def space(database, vault):
    return CitizenSpaceTable(database=database, vault=vault)


def login_of(desk, alias):
    return desk.database.one(
        "SELECT id FROM login WHERE alias = %s AND valid_to IS NULL ORDER BY id LIMIT 1", (alias,)
    )["id"]


def take_away(desk, space, session, alias, *, proved_by):
    space.unlink(
        Unlinking(
            citizen_id=session.citizen_id,
            login_id=login_of(desk, alias),
            session_id=session.id,
            proved_by=proved_by,
        )
    )


@pytest.fixture
def both(desk):
    """Somebody with FranceConnect and an account of their own."""
    session = desk.session(franceconnect(1))
    return desk.use.session(desk.sign_in(local(2), SamlPurpose.LINK, session=session).cookie)


@pytest.mark.parametrize("number", [1, 3], ids=["the same subject", "another account of theirs"])
def test_franceconnect_taken_away_does_not_come_back_by_equal_fields(desk, space, both, number):
    take_away(desk, space, both, "france-connect", proved_by="realm")

    arrived = desk.sign_in(franceconnect(number))

    assert arrived.outcome is Outcome.SIGNED_IN
    assert desk.use.session(arrived.cookie).citizen_id != both.citizen_id
    assert desk.count("identity_case", "rule = 'near_match'") == 1, "an agent may join them again"


def test_what_it_vouched_for_is_vouched_for_no_longer(desk, space, both):
    take_away(desk, space, both, "france-connect", proved_by="realm")

    assert desk.count("civil_status", "closed_at IS NULL AND level > 0") == 0
    assert desk.session(local(2)).citizen_id == both.citizen_id


def test_another_login_that_says_the_same_vouches_for_it_again(desk, space, both):
    plus = franceconnect(3, acr="eidas2", alias="france-connect-plus")
    session = desk.use.session(desk.sign_in(plus, SamlPurpose.LINK, session=both).cookie)
    take_away(desk, space, session, "france-connect", proved_by="france-connect-plus")

    again = desk.session(plus)

    assert again.citizen_id == both.citizen_id
    levels = desk.database.all("SELECT DISTINCT level FROM civil_status WHERE closed_at IS NULL")
    assert levels == [{"level": Level.STRONG}]


def test_a_login_is_not_taken_away_on_its_own_word(desk, space, both):
    with pytest.raises(ConflictError):
        take_away(desk, space, both, "realm", proved_by="realm")


def test_two_tabs_take_both_logins_away_at_once_and_one_stays(desk, space, both):
    orders = [("realm", "france-connect"), ("france-connect", "realm")]
    logins = {alias: login_of(desk, alias) for alias, _ in orders}

    def take(order):
        alias, proved_by = order
        try:
            space.unlink(
                Unlinking(
                    citizen_id=both.citizen_id,
                    login_id=logins[alias],
                    session_id=both.id,
                    proved_by=proved_by,
                )
            )
        except ConflictError:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(take, orders)) == [False, True]
    assert desk.count("login", "valid_to IS NULL AND alias IN ('realm', 'france-connect')") == 1

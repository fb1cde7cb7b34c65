"""What became of the ways somebody signs in is shown to them in Mon espace: theirs, and an agent's acts."""

import pytest

from orchestrator.services.ports.citizen_space import Change, Unlinking
from orchestrator.services.ports.merges import Merging, Proof
from orchestrator.store.citizen_space import CitizenSpaceTable
from orchestrator.store.merges import MergeTable
from schemas.logins import SamlPurpose
from tests.integration.test_citizen_space import Citizen
from tests.integration.test_sign_in import Desk, franceconnect, local

pytestmark = pytest.mark.postgres
OWN = local(2, email_verified="true")
NEWS = "La façon de vous connecter a changé ces derniers jours."
LIST = "Dernières opérations sur vos connexions"


@pytest.fixture
def desk(database, vault, hub_keys):
    return Desk(database, vault, hub_keys)


@pytest.fixture
def space(database, vault):
    return CitizenSpaceTable(database=database, vault=vault)


@pytest.fixture
def both(desk):
    """Somebody with FranceConnect and an account of their own."""
    session = desk.session(franceconnect(1))
    return desk.use.session(desk.sign_in(OWN, SamlPurpose.LINK, session=session).cookie)


def take_away(desk, space, session, alias="france-connect"):
    found = "SELECT id FROM login WHERE alias = %s AND valid_to IS NULL"
    space.unlink(
        Unlinking(
            citizen_id=session.citizen_id,
            login_id=desk.database.one(found, (alias,))["id"],
            session_id=session.id,
            proved_by="realm",
        )
    )


def told(space, session):
    return [(one.change, one.alias) for one in space.login_changes(session.citizen_id)]


def test_a_first_login_is_no_news(desk, space):
    assert told(space, desk.session(franceconnect(1))) == []


def test_a_login_added_and_one_taken_away_are_told_newest_first(desk, space, both):
    take_away(desk, space, both)

    assert told(space, both) == [
        (Change.TAKEN_AWAY, "france-connect"),
        (Change.ADDED, "realm"),
    ]


def test_an_agents_acts_are_told_to_both_people(desk, space, database, vault):
    one, other = desk.session(franceconnect(1)), desk.session(local(7, email_verified="true"))
    merges = MergeTable(database=database, vault=vault)
    merging = Merging(
        survivor_id=one.citizen_id,
        merged_id=other.citizen_id,
        proofs=(Proof.CARD, Proof.DOCUMENT),
        actor="cli:agent",
        case_id=None,
    )

    merge_id = merges.merge(merging)
    assert told(space, one) == [(Change.JOINED, None)]

    merges.undo(merge_id, actor="cli:agent")
    assert told(space, one) == [(Change.PARTED, None), (Change.JOINED, None)]
    assert told(space, other) == [(Change.PARTED, None)]


def test_what_is_older_than_a_year_is_not_told(desk, space, both):
    desk.database.run("UPDATE login SET valid_from = valid_from - interval '13 months'")

    assert told(space, both) == []


def test_mon_espace_says_it_at_the_next_sign_in_and_lists_it(database, vault, hub_keys, desk, both):
    citizen = Citizen(database, vault, hub_keys)
    citizen.sign_in(OWN)

    page = citizen.get("/mon-espace").text
    assert NEWS in page
    assert page.index(LIST) < page.index("Connexion ajoutée")

    database.run("UPDATE login SET valid_from = valid_from - interval '8 days'")
    page = citizen.get("/mon-espace").text
    assert NEWS not in page
    assert LIST in page


def test_mon_espace_of_who_changed_nothing_says_nothing(database, vault, hub_keys):
    citizen = Citizen(database, vault, hub_keys)
    citizen.sign_in(OWN)

    page = citizen.get("/mon-espace").text

    assert NEWS not in page
    assert LIST not in page

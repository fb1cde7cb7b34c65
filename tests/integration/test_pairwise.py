"""Two systems and two senders lay side by side what they have of one person: nothing is the same.

Runs are real, the codes are used by one citizen who is signed in, and partners' events go on arriving.
"""

from dataclasses import replace

import pytest

from orchestrator.engine.world import ChosenLibrary
from orchestrator.journeys.library_arrival import ARRIVAL
from orchestrator.services.access_codes import Redemption, code_of, digest_of
from orchestrator.store.person_keys import JOURNAL, pseudonym_of
from orchestrator.store.redemption import SignedInRedemption
from schemas import ids
from tests.fakes.running import SERVICE, Ground, Partner
from tests.integration.test_sign_in import PERSON, Desk, franceconnect

pytestmark = pytest.mark.postgres
LIBRARY_OF = {"84129": "library_a", "83050": "library_b"}
ONE = {"family_name": "Loeuvre", "given_name": "Zoé"}
OTHER = {"family_name": "Louvre", "given_name": "Zoe Marie"}
SAID_BY_NOBODY = {None, "", "fr", True, False}


class Libraries:
    """Two libraries, each with its system."""

    def service(self, service_id):
        return replace(SERVICE, id=service_id, profile=service_id)

    def gateway_for(self, channel):
        return None


class Systems(Partner):
    """Keeps what each system was told."""

    def __init__(self):
        super().__init__()
        self.told = {name: set() for name in LIBRARY_OF.values()}

    def call(self, service, command, log_to):
        # the day it ends is everybody's who was announced that day
        data = {name: value for name, value in command.data.items() if name != "expires_on"}
        self.told[service.id] |= _values([command.key, command.pseudonym, data])
        return replace(
            super().call(service, command, log_to), external_ref=f"ref-{ids.new_pseudonym()}"
        )


class City:
    def territory_of(self, commune):
        return "t"

    def commune_name(self, code):
        return f"Commune {code}"

    def nearest_open_library(self, commune, location):
        service = LIBRARY_OF[commune]
        return ChosenLibrary(
            place_id=service, name=service, commune=commune, distance_km=1.0, service_id=service
        )

    def preregistration_of(self, source, subject):
        return None

    def pseudonym_of(self, citizen_id, service):
        return None


@pytest.fixture
def ground(database, vault, hub_keys):
    made = Ground(database, vault, hub_keys)
    made.partner, made.services, made.world = Systems(), Libraries(), City()
    made.knows(ARRIVAL)
    return made


@pytest.fixture
def citizen(database, vault, hub_keys):
    return Desk(database, vault, hub_keys).session(franceconnect(1)).citizen_id


def redeem(ground, run_id, citizen_id):
    row = ground.one("SELECT id FROM access_code WHERE run_id = %s", run_id)
    digest = digest_of(ground.keys, code_of(ground.keys, row["id"]))
    redemption = SignedInRedemption(database=ground.database, vault=ground.vault, keys=ground.keys)
    outcome = redemption.redeem(digest, citizen_id)
    ground.go()
    return outcome


def _values(of):
    """Every value in what was told, however deep."""
    if isinstance(of, dict):
        return _values(list(of.values()))
    if isinstance(of, list | tuple):
        return {value for one in of for value in _values(one)}
    return {of}


def test_what_two_systems_were_told_of_one_citizen_has_no_value_in_common(ground, citizen):
    runs = [
        ground.start(ARRIVAL, commune=commune, person=person)
        for commune, person in (("84129", ONE), ("83050", OTHER))
    ]
    for run_id in runs:
        assert redeem(ground, run_id, citizen) is Redemption.REDEEMED

    assert ground.partner.effects == {"preregister": 2, "activate": 2}
    first, second = ground.partner.told.values()
    assert len(first) > 5
    assert first & second <= SAID_BY_NOBODY
    with ground.database.transaction() as connection:
        theirs = pseudonym_of(connection, citizen, JOURNAL)
    told = " ".join(map(str, first | second))
    for ours in (str(citizen), theirs, *PERSON.values(), "sub-1", "user-1", "G-1"):
        assert ours not in told


def test_two_senders_hear_nothing_of_each_other_or_of_the_citizen(ground, citizen):
    before = ground.start(ARRIVAL, commune="84129", person=ONE)
    redeem(ground, before, citizen)
    known = ground.database.all("SELECT source, subject, our_ref, citizen_id FROM preregistration")

    after = ground.start(ARRIVAL, commune="83050", person=ONE)

    rows = ground.database.all("SELECT subject, our_ref, citizen_id FROM preregistration")
    assert len({row["citizen_id"] for row in rows}) == len({row["our_ref"] for row in rows}) == 2
    mine = ground.one("SELECT citizen_id FROM preregistration WHERE run_id = %s", after)
    assert mine["citizen_id"] != known[0]["citizen_id"] == citizen


@pytest.mark.parametrize("order", ["login first", "event first"])
def test_an_event_about_somebody_who_signs_in_joins_nobody(
    ground, order, database, vault, hub_keys
):
    desk = Desk(database, vault, hub_keys)
    same = {"family_name": PERSON["birth_name"], "given_name": PERSON["given_names"]}
    if order == "login first":
        desk.session(franceconnect(1))
    ground.start(ARRIVAL, commune="84129", person=same)
    session = desk.session(franceconnect(1))

    states = database.all("SELECT id, state FROM citizen ORDER BY state")
    assert [row["state"] for row in states] == ["active", "announced"]
    (preregistration,) = database.all("SELECT citizen_id FROM preregistration")
    assert preregistration["citizen_id"] != session.citizen_id
    assert not database.all("SELECT FROM identity_case")
    assert not database.all("SELECT FROM account")


def test_a_pseudonym_is_drawn_once_and_made_of_nothing(database, citizen):
    with database.transaction() as connection:
        first = [pseudonym_of(connection, citizen, "library_a") for _ in range(2)]
        other = pseudonym_of(connection, citizen, "library_b")
        connection.execute("DELETE FROM pseudonym WHERE service = 'library_a'")
        again = pseudonym_of(connection, citizen, "library_a")

    assert first[0] == first[1]
    assert len({first[0], other, again}) == 3
    assert all(len(one) >= 25 for one in (first[0], other, again))

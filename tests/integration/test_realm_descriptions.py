"""The description of a realm as rows: one fetch a minute over all processes, the last good one kept."""

import gevent
import pytest

from mock_partners.keycloak.descriptor import descriptor
from mock_partners.keycloak.keys import new_pair
from orchestrator.store.descriptors import DescriptorRows
from schemas.errors import IdentityUnavailableError, SamlRefusedError
from schemas.logins import Face

pytestmark = pytest.mark.postgres
GOOD = descriptor("https://idp.test/realms/parvis", [new_pair()])


class Realm:
    """What a fetch finds, and how often it was asked."""

    def __init__(self):
        self.fetches, self.fault = 0, None

    def __call__(self):
        self.fetches += 1
        if self.fault:
            raise self.fault
        return GOOD


def a_minute_later(database):
    database.run("UPDATE idp_descriptor SET tried_at = tried_at - interval '61 seconds'", ())


@pytest.fixture
def realm():
    return Realm()


@pytest.fixture
def rows(database, realm):
    database.run("DELETE FROM idp_descriptor", ())
    return DescriptorRows(database=database, face=Face.CITIZEN, fetch=realm)


def test_a_storm_of_refreshes_fetches_once(rows, realm):
    gevent.joinall([gevent.spawn(rows.refresh) for _ in range(40)], raise_error=True)

    assert realm.fetches == 1
    assert rows.current().xml == GOOD.decode()


def test_a_minute_later_it_is_fetched_again(rows, realm, database):
    rows.refresh()
    rows.refresh()
    a_minute_later(database)
    rows.refresh()

    assert realm.fetches == 2


@pytest.mark.parametrize("fault", [IdentityUnavailableError(), SamlRefusedError("doctype")])
def test_what_cannot_be_had_or_believed_changes_nothing(rows, realm, database, fault):
    known = rows.refresh()
    a_minute_later(database)
    realm.fault = fault

    assert rows.refresh().digest == known.digest
    assert realm.fetches == 2
    realm.fault = None
    a_minute_later(database)
    assert rows.refresh().fetched_at >= known.fetched_at


def test_each_face_has_its_own(rows, realm, database):
    rows.refresh()
    console = DescriptorRows(database=database, face=Face.CONSOLE, fetch=realm)

    assert console.current() is None
    assert console.refresh() is not None
    assert realm.fetches == 2

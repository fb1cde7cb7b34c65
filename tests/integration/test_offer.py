from dataclasses import replace
from pathlib import Path

import pytest

from connectors import catalogue, operations
from orchestrator.services.configuration import Configuration
from orchestrator.services.offer import LiveOffer, Offer
from orchestrator.services.open_data import SHIPPED_DATES, SOURCES, read_all
from orchestrator.services.ports.offer import Catalogued, Requirements
from orchestrator.services.purposes import NOTICES, PURPOSES
from orchestrator.store.configuration import ConfigurationRows
from orchestrator.store.consent import ConsentRows
from orchestrator.store.figures import FigureRows
from orchestrator.store.offer import OfferRowsReader, OpenDataRows
from orchestrator.store.secrets import SecretRows
from schemas.city import read_city
from schemas.errors import ConfigurationError, StoreUnavailableError
from schemas.geo import Point

pytestmark = pytest.mark.postgres
CITY = Path("parvis/demo/city.yaml").read_text(encoding="utf-8")
# commune → the library that the open data says is nearest, and the service that answers for it
STORY = {
    "13055": ("423", "lib_alcazar", "koha"),
    "84129": ("3844", "lib_sorgues", "desk_drop"),
    "13001": ("5418", "lib_deux_ormes", "koha"),
    "83050": ("3757", "lib_draguignan", "koha"),
}


@pytest.fixture(scope="module")
def open_data():
    files = {source.file: (Path("parvis/data") / source.file).read_bytes() for source in SOURCES}
    return read_all(files, source_dates=SHIPPED_DATES)[0]


@pytest.fixture
def imported(database, open_data):
    return OpenDataRows(database).import_open_data(open_data, actor="test")


@pytest.fixture
def configuration(database, vault, imported):
    connectors = {
        name: Catalogued(manifest=connector.manifest, operations=frozenset(operations(name)))
        for name, connector in catalogue().items()
    }
    secrets = SecretRows(database, vault)
    document = read_city(CITY)
    named = {key.secret for partner in document.partners for key in partner.keys if key.secret}
    for profile in document.profiles.values():
        named.update(profile.secrets.values())
    for name in named:
        secrets.put(name, "a value", actor="test")
    configuration = Configuration(
        store=ConfigurationRows(database),
        secrets=secrets,
        requirements=Requirements(connectors=connectors),
    )
    configuration.apply(CITY, actor="test")
    return configuration


@pytest.fixture
def offer(database, configuration):
    return LiveOffer(OfferRowsReader(database))


def test_what_is_imported_is_read_back_as_it_was(database, imported, open_data):
    rows = OfferRowsReader(database).load()
    assert rows.communes == tuple(sorted(open_data.communes, key=lambda row: row.code))
    assert rows.places == tuple(sorted(open_data.places, key=lambda row: row.id))
    assert rows.centroids == {row.commune: row.point for row in open_data.centroids}
    assert (imported["communes"].created, imported["places"].created) == (946, 830)


def test_importing_again_changes_nothing_and_makes_no_revision(database, imported, open_data):
    seen = (
        "SELECT (SELECT max(imported_at) FROM place) AS place, (SELECT max(imported_at) FROM commune)"
        " AS commune, (SELECT max(id) FROM config_revision) AS revision"
    )
    before = database.one(seen)
    again = OpenDataRows(database).import_open_data(open_data, actor="test")
    assert [(row.created, row.changed, row.absent) for row in again.values()] == [(0, 0, 0)] * 2
    assert database.one(seen) == before


def test_a_new_edition_changes_what_differs_and_keeps_what_it_no_longer_names(
    database, imported, open_data
):
    first, second, *others = open_data.libraries
    newer = replace(open_data, libraries=(replace(first, name="Un autre nom"), *others))
    count = OpenDataRows(database).import_open_data(newer, actor="test")["places"]
    assert (count.created, count.changed, count.absent) == (0, 1, 1)
    places = {place.id: place for place in OfferRowsReader(database).load().places}
    assert places[first.id].name == "Un autre nom"
    assert places[second.id] == second


def test_an_import_that_fails_half_way_changes_nothing(database, open_data):
    database.run("ALTER TABLE place ADD CHECK (id <> '423')")
    with pytest.raises(Exception, match="place"):
        OpenDataRows(database).import_open_data(open_data, actor="test")
    assert database.all("SELECT code FROM commune") == []


@pytest.mark.parametrize("commune", STORY)
def test_in_each_place_of_the_story_the_nearest_open_library_answers_for_itself(offer, commune):
    place, service, connector = STORY[commune]
    chosen = offer.nearest_open_library(commune, None)
    assert (chosen.place_id, chosen.service_id) == (place, service)
    assert offer.service(service).connector == connector
    assert offer.current().places[place].commune == commune
    assert offer.territory_of(commune) is not None


def test_a_library_that_is_not_bound_is_answered_for_by_its_territory(offer):
    saint_andre = (43.368, 5.343)  # north of Marseille, near another library of the city
    chosen = offer.nearest_open_library("13055", saint_andre)
    assert chosen.place_id not in {place for place, _, _ in STORY.values()}
    assert chosen.commune == "13055"
    assert chosen.service_id == "lib_alcazar"


def test_the_nearest_may_lie_across_the_border_where_nobody_answers(offer):
    """From the edge of Draguignan the next commune's library is nearer; no service of ours."""
    flayosc = (43.534, 6.399)
    chosen = offer.nearest_open_library("83050", flayosc)
    assert chosen.commune != "83050"
    assert chosen.service_id is None
    assert offer.territory_of(chosen.commune) is None


def test_a_district_and_a_commune_of_nobody(offer):
    assert offer.territory_of("13203") == "marseille"
    assert offer.territory_of("06088") is None
    assert offer.territory_of("99999") is None
    assert offer.current().commune("13203").name == "Marseille"


def test_messages_leave_by_the_gateways_of_the_city(offer):
    assert offer.gateway_for("sms").profile == "sms_city"
    assert offer.gateway_for("email").connector == "mail"
    assert offer.gateway_for("post") is None


def test_partners_come_with_their_live_keys(offer):
    partner = offer.current().partner("volt_provence")
    assert partner.allowed_events == {"utility.contract_opened.v1", "contact.withdrawn.v1"}
    assert [(key.id, key.secret_name) for key in partner.keys] == [("k1", "volt_provence_k1")]
    assert offer.current().partner("nobody") is None


def test_postal_codes_lead_to_communes_by_name(offer):
    names = [row.name for row in offer.current().communes_of("84700")]
    assert names == ["Sorgues"]
    several = offer.current().communes_of("04200")
    assert len(several) == 19
    assert [row.name for row in several] == sorted(row.name for row in several)


def test_a_retired_service_is_no_longer_offered(offer, configuration):
    configuration.amend({}, actor="test", retire=[("service", "lib_sorgues")])
    assert offer.refresh().service("lib_sorgues") is None
    assert offer.nearest_open_library("84129", None).service_id is None


class Counting:
    def __init__(self, reader):
        self._reader, self.looks, self.loads = reader, 0, 0

    def revision(self):
        self.looks += 1
        return self._reader.revision()

    def load(self):
        self.loads += 1
        return self._reader.load()


def test_the_database_is_asked_once_a_second_and_read_when_it_moved(database, configuration):
    now = [100.0]
    reader = Counting(OfferRowsReader(database))
    live = LiveOffer(reader, monotonic=lambda: now[0])
    for _ in range(50):
        live.current()
    assert (reader.looks, reader.loads) == (0, 1)
    now[0] += 1.1
    live.current()
    live.current()
    assert (reader.looks, reader.loads) == (1, 1)
    configuration.apply(CITY.replace("Volt Provence", "Volt"), actor="test")
    assert live.current().partner("volt_provence").name == "Volt Provence"
    now[0] += 1.1
    assert live.current().partner("volt_provence").name == "Volt"
    assert (reader.looks, reader.loads) == (2, 2)


def test_while_the_database_is_away_the_known_offer_goes_on(database, configuration):
    class Away(Counting):
        def revision(self):
            self.looks += 1
            raise StoreUnavailableError

    now = [0.0]
    reader = Away(OfferRowsReader(database))
    live = LiveOffer(reader, monotonic=lambda: now[0])
    first = live.current()
    now[0] += 5
    assert live.current() is first
    assert reader.looks == 1


def test_an_empty_hub_offers_nothing_and_does_not_break(database):
    offer = Offer(OfferRowsReader(database).load())
    assert offer.revision == 0
    assert offer.choose_library("13055", Point(43.3, 5.4)) is None
    assert offer.territory_of("13055") is None


def test_purposes_and_texts_are_written_once(database):
    rows = ConsentRows(database)
    assert rows.seed() == len(PURPOSES) + len(NOTICES)
    assert rows.seed() == 0
    for notice in NOTICES:
        assert rows.notice_text(notice.sha256) == notice.text
    assert rows.notice_text("0" * 64) is None


def test_a_text_reworded_without_a_new_version_is_refused_and_nothing_is_written(database):
    rows = ConsentRows(database)
    rows.seed()
    reworded = (replace(NOTICES[0], version="another"), replace(NOTICES[0], text="Autre chose."))
    with pytest.raises(ConfigurationError, match="sans changer de version"):
        rows.seed(notices=reworded)
    assert database.one("SELECT count(*) AS n FROM notice")["n"] == len(NOTICES)
    with pytest.raises(ConfigurationError, match="sans changer de version"):
        rows.seed(purposes=(replace(PURPOSES[0], retention="for ever"),))


def test_the_figures_of_a_fresh_city(database, configuration):
    figures = FigureRows(database).figures()
    assert (figures.outbox_pending, figures.runs, figures.stuck) == (0, {}, {})
    assert figures.circuits["koha_aix"] == "closed"
    assert figures.revision == OfferRowsReader(database).revision()

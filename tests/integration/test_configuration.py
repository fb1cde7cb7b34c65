from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from connectors.kit import catalogue, operations
from orchestrator.journeys import all_journeys
from orchestrator.services.configuration import Absent, Configuration
from orchestrator.services.configuration_checks import needs_of
from orchestrator.services.open_data import SHIPPED_DATES, SOURCES, read_all
from orchestrator.services.partners import Announced, Partners
from orchestrator.services.ports.offer import Catalogued, Requirements
from orchestrator.store.configuration import ConfigurationRows
from orchestrator.store.offer import OfferRowsReader, OpenDataRows
from orchestrator.store.secrets import SecretRows
from orchestrator.store.vault import Vault
from schemas.errors import ConfigurationError, ConflictError
from schemas.events import catalogue as event_types
from schemas.signatures import parse_secret

pytestmark = pytest.mark.postgres
CITY = Path("parvis/demo/city.yaml").read_text(encoding="utf-8")
SECRETS = (
    *("koha_marseille", "koha_aix", "koha_draguignan"),
    *("sms_application_key", "sms_application_secret", "sms_consumer_key"),
    *("volt_provence_k1", "clevanne_k1", "ventabrune_k1", "tournelune_k1"),
)


@pytest.fixture(scope="module")
def open_data():
    files = {source.file: (Path("parvis/data") / source.file).read_bytes() for source in SOURCES}
    return read_all(files, source_dates=SHIPPED_DATES)[0]


@pytest.fixture
def requirements():
    return Requirements(
        connectors={
            name: Catalogued(manifest=connector.manifest, operations=frozenset(operations(name)))
            for name, connector in catalogue().items()
        },
        needs=needs_of(all_journeys().values()),
        event_types=frozenset(event_types()),
    )


@pytest.fixture
def secrets(database, vault):
    return SecretRows(database, vault)


@pytest.fixture
def configuration(database, secrets, requirements, open_data):
    OpenDataRows(database).import_open_data(open_data, actor="test")
    for name in SECRETS:
        secrets.put(name, f"value of {name}", actor="test")
    return Configuration(
        store=ConfigurationRows(database), secrets=secrets, requirements=requirements
    )


def revisions(database):
    return database.one("SELECT count(*) AS n FROM config_revision")["n"]


def faults_of(configuration, text):
    with pytest.raises(ConfigurationError) as caught:
        configuration.apply(text, actor="test")
    return caught.value.faults


def test_the_demonstration_city_is_applied_once_and_a_second_time_changes_nothing(
    configuration, database
):
    before = revisions(database)
    applied = configuration.apply(CITY, actor="test")
    assert not applied.plan.change
    assert ("service", "lib_alcazar") in applied.plan.create
    again = configuration.apply(CITY, actor="test")
    assert again.plan.is_empty
    assert again.plan.sentences() == ("Aucun changement.",)
    assert again.revision == applied.revision
    assert revisions(database) == before + 1


def test_what_is_exported_applies_without_a_change(configuration):
    configuration.apply(CITY, actor="test")
    exported = configuration.export()
    assert configuration.plan(exported).is_empty
    assert yaml.safe_load(exported)["version"] == 1
    assert "value of" not in exported


def test_the_exported_city_builds_the_same_city_elsewhere(configuration, database):
    configuration.apply(CITY, actor="test")
    exported = configuration.export()
    configuration.apply("version: 1\ncity: {name: Rien}", actor="test", absent=Absent.RETIRED)
    assert configuration.store.state().entries.keys() == {("city", "city")}
    configuration.apply(exported, actor="test")
    assert configuration.export() == exported


def test_nothing_is_retired_by_silence(configuration, database):
    configuration.apply(CITY, actor="test")
    shorter = yaml.safe_load(CITY)
    shorter["partners"] = shorter["partners"][:1]
    shorter["placements"][0]["valid_until"] = "2027-12-31"
    shorter["placements"] = shorter["placements"][:1]
    plan = configuration.plan(shorter)
    assert plan.is_empty
    assert ("partner", "clevanne") in plan.keep
    assert configuration.apply(shorter, actor="test").plan.is_empty
    assert database.one("SELECT count(*) AS n FROM partner WHERE retired_at IS NULL")["n"] == 5


def test_what_is_asked_to_be_retired_is_retired_and_may_come_back(configuration, database):
    configuration.apply(CITY, actor="test")
    shorter = yaml.safe_load(CITY)
    shorter["partners"], shorter["placements"] = shorter["partners"][:1], []
    plan = configuration.apply(shorter, actor="test", absent=Absent.RETIRED).plan
    assert ("partner_key", "tournelune/k1") in plan.retire
    assert (
        database.one("SELECT status FROM placement WHERE token = 'B1STR083'")["status"]
        == "withdrawn"
    )
    assert database.one("SELECT count(*) AS n FROM partner_key WHERE retired_at IS NULL")["n"] == 1
    back = configuration.apply(CITY, actor="test").plan
    assert set(back.create) == set(plan.retire)
    assert configuration.plan(configuration.export()).is_empty


def test_a_change_is_planned_by_the_names_of_what_differs(configuration, database):
    configuration.apply(CITY, actor="test")
    changed = CITY.replace("category: ADULTE}", "category: HABITANT}").replace(
        "Clévanne Immobilier", "Clévanne"
    )
    plan = configuration.plan(changed)
    lines = plan.sentences()
    assert "~ modifier partenaire clevanne (name)" in lines
    assert "~ modifier service lib_alcazar (binding)" in lines
    configuration.apply(changed, actor="Léa")
    row = database.one("SELECT actor, changes FROM config_revision ORDER BY id DESC LIMIT 1")
    assert row["actor"] == "Léa"
    assert row["changes"]["change"]["partner/clevanne"] == ["name"]


def test_every_fault_of_the_whole_city_is_told_at_once_with_its_line(configuration, database):
    before = revisions(database)
    broken = (
        CITY.replace("connector: desk_drop", "connector: desk_dropp")
        .replace(
            "client_id: parvis\n    client_secret: {secret: koha_aix}",
            "client_idd: parvis\n    client_secret: plain",
        )
        .replace('place: "423"', 'place: "999999"')
        .replace("profile: koha_draguignan", "profile: koha_draguinan")
        .replace('communes: ["84129"]', 'communes: ["84999"]')
        .replace("[lease.signed.v1, ", "[lease.sined.v1, ")
        .replace("library_id: ORM", "library: ORM")
        .replace("{secret: koha_marseille}", "{secret: koha_paris}")
        .replace("kind: email, name", "kind: sms, name")
    )
    found = faults_of(configuration, broken)
    for said in (
        "« desk_dropp » n'existe pas. Vouliez-vous dire « desk_drop » ?",
        "clé inconnue « client_idd ». Vouliez-vous dire « client_id » ?",
        "« client_secret » est un secret",
        "le lieu 999999 n'est pas dans les données ouvertes",
        "« koha_draguinan » n'existe pas. Vouliez-vous dire « koha_draguignan » ?",
        "la commune 84999",
        "« lease.sined.v1 » n'existe pas. Vouliez-vous dire « lease.signed.v1 » ?",
        "clé inconnue « library ». Vouliez-vous dire « library_id » ?",
        "parvis secrets set koha_paris",
        "le connecteur « mail » ne fait que : email",
    ):
        assert sum(said in fault for fault in found) == 1, (said, found)
    assert sum(fault.startswith("ligne ") for fault in found) >= 9
    assert not any("plain" in fault for fault in found)
    assert revisions(database) == before
    assert database.all("SELECT id FROM territory") == []


def test_a_service_whose_journey_asks_what_its_system_cannot_do_is_refused_with_three_names(
    configuration, requirements
):
    koha = requirements.connectors["koha"]
    poorer = replace(koha, operations=koha.operations - {"activate"})
    connectors = {**requirements.connectors, "koha": poorer}
    weaker = replace(configuration, requirements=replace(requirements, connectors=connectors))
    found = faults_of(weaker, CITY)
    assert len(found) == 3
    for name in ("« koha »", "« activate »", "« library.arrival »"):
        assert all(name in fault for fault in found)


def test_missing_secrets_are_all_listed(configuration, database):
    database.run("DELETE FROM secret WHERE name LIKE 'koha%%'")
    found = faults_of(configuration, CITY)
    assert [fault.split("secrets set ")[1] for fault in found] == [
        "koha_aix ».",
        "koha_draguignan ».",
        "koha_marseille ».",
    ]


def test_secrets_sealed_under_another_master_key_count_as_missing(
    configuration, database, requirements
):
    stranger = SecretRows(database, Vault([bytes(32)]))
    other = Configuration(store=configuration.store, secrets=stranger, requirements=requirements)
    assert len(faults_of(other, CITY)) == len(SECRETS)


def test_a_fault_of_the_database_half_way_changes_nothing(configuration, database):
    """The last rows written are the placements: their table refuses one, everything goes back."""
    database.run("ALTER TABLE placement ADD CHECK (token <> 'FACV13A1')")
    before = revisions(database)
    with pytest.raises(Exception, match="placement"):
        configuration.apply(CITY, actor="test")
    assert revisions(database) == before
    assert configuration.store.state().entries == {}


def test_two_who_apply_at_once_do_not_overwrite_each_other(configuration, database):
    configuration.apply(CITY, actor="test")

    class Meanwhile:
        """The store of somebody whose colleague is quicker."""

        def __init__(self, store):
            self._store = store
            self.known_data = store.known_data
            self.write = store.write

        def state(self):
            state = self._store.state()
            configuration.apply(CITY.replace("Volt Provence", "Volt"), actor="quick")
            return state

    slow = replace(configuration, store=Meanwhile(configuration.store))
    with pytest.raises(ConflictError):
        slow.apply(CITY.replace("Clévanne Immobilier", "Clévanne"), actor="slow")
    names = {row["name"] for row in database.all("SELECT name FROM partner")}
    assert "Volt" in names
    assert "Clévanne Immobilier" in names


def test_a_partner_has_two_live_keys_at_most(configuration):
    keys = "keys: [{id: k1, scheme: v1, secret: {secret: clevanne_k1}}"
    more = keys + "".join(
        f", {{id: k{n}, scheme: v1, secret: {{secret: clevanne_k1}}}}" for n in (2, 3)
    )
    (fault,) = faults_of(configuration, CITY.replace(keys, more))
    assert "deux au plus" in fault


def test_a_city_without_data_says_how_to_load_them(database, secrets, requirements):
    empty = Configuration(
        store=ConfigurationRows(database), secrets=secrets, requirements=requirements
    )
    assert any("parvis data import" in fault for fault in faults_of(empty, CITY))


def test_a_system_paused_by_hand_stays_paused(configuration, database):
    configuration.apply(CITY, actor="test")
    database.run("UPDATE profile SET state = 'paused' WHERE id = 'koha_aix'")
    configuration.apply(CITY.replace(":9102", ":9999"), actor="test")
    assert database.one("SELECT state FROM profile WHERE id = 'koha_aix'")["state"] == "paused"


def test_a_secret_that_changes_gives_its_profile_a_new_version(configuration, database, secrets):
    configuration.apply(CITY, actor="test")
    reader = OfferRowsReader(database)
    before = {row.id: row.version for row in reader.load().profiles}
    revision = reader.revision()
    secrets.put("koha_aix", "another value", actor="test")
    after = {row.id: row.version for row in reader.load().profiles}
    assert reader.revision() > revision
    assert {name for name in after if after[name] != before[name]} == {"koha_aix"}


def test_a_partner_is_created_with_a_secret_told_once(configuration, database, secrets):
    configuration.apply(CITY, actor="test")
    partners = Partners(configuration=configuration)
    key = partners.create(
        Announced(
            id="new_agency",
            name="Agence neuve",
            allowed_events=("lease.signed.v1",),
            territories=("aix",),
        ),
        actor="test",
    )
    assert key.name == "new_agency/k1"
    assert parse_secret(key.secret).scheme == "v1"
    assert secrets.values(["new_agency_k1"]) == {"new_agency_k1": key.secret}
    told = database.all("SELECT document::text || changes::text AS said FROM config_revision")
    assert not any(key.secret in row["said"] for row in told)
    assert configuration.plan(CITY).is_empty
    with pytest.raises(ConfigurationError, match="existe déjà"):
        partners.create(
            Announced(id="new_agency", name="X", allowed_events=(), territories=()), actor="test"
        )


def test_a_partner_that_names_what_does_not_exist_is_not_created(configuration):
    configuration.apply(CITY, actor="test")
    wanted = Announced(
        id="other", name="X", allowed_events=("lease.sined.v1",), territories=("nowhere",)
    )
    with pytest.raises(ConfigurationError) as caught:
        Partners(configuration=configuration).create(wanted, actor="test")
    assert len(caught.value.faults) == 2
    assert ("partner", "other") not in configuration.entries()


def test_keys_turn_with_two_live_at_a_time(configuration):
    configuration.apply(CITY, actor="test")
    partners = Partners(configuration=configuration)
    second = partners.rotate_key("clevanne", actor="test")
    assert (second.name, second.retired) == ("clevanne/k2", ())
    third = partners.rotate_key("clevanne", actor="test")
    assert (third.name, third.retired) == ("clevanne/k3", ("clevanne/k1",))
    assert partners.keys()["clevanne"] == ("clevanne/k2", "clevanne/k3")
    pair = partners.rotate_key("valcigale", actor="test")
    assert pair.scheme == "v1a"
    signing = parse_secret(pair.secret)
    public = configuration.entries()["partner_key", "valcigale/k2"]["public_key"]
    assert parse_secret(public).material == signing.material
    with pytest.raises(ConfigurationError, match="clevanne"):
        partners.rotate_key("clevane", actor="test")


def with_policies(**policies):
    document = yaml.safe_load(CITY)
    for row in document["placements"]:
        row["valid_until"] = str(row["valid_until"])
    return {**document, "policies": policies}


def test_policies_of_systems_and_operations_are_applied_and_exported_as_written(configuration):
    own = {
        "retry": "5min x3; then dead-letter",
        "max_rps": 20,
        "operations": {"activate": "1h x2; then wait-for-a-person"},
    }
    wanted = with_policies(retry="1s x2; then dead-letter", profiles={"koha_aix": own})
    configuration.apply(wanted, actor="test")
    exported = configuration.export()
    assert configuration.plan(exported).is_empty
    assert yaml.safe_load(exported)["policies"]["profiles"] == {"koha_aix": own}
    wanted["policies"]["profiles"]["koha_aix"] = {"max_rps": 5}
    (line,) = configuration.plan(wanted).sentences()
    assert line == "~ modifier politiques (profiles)"


@pytest.mark.parametrize(
    ("policies", "said"),
    [
        ({"retry": "0s x2; then dead-letter"}, "Politique de reprise"),
        ({"profiles": {"koha_aixe": {"max_rps": 2}}}, "Vouliez-vous dire « koha_aix »"),
        ({"profiles": {"koha_aix": {"retry": "1s x2"}}}, "Politique de reprise"),
        (
            {"profiles": {"koha_aix": {"operations": {"activte": "1s x2; then dead-letter"}}}},
            "Vouliez-vous dire « activate »",
        ),
        (
            {"profiles": {"koha_aix": {"operations": {"activate": "1d x40; then dead-letter"}}}},
            "30 jours",
        ),
        ({"profiles": {"koha_aix": {"max_rps": 0}}}, "un nombre entier de 1 à 1000"),
        ({"profiles": {"koha_aix": {"rps": 3}}}, "clé inconnue « rps »"),
    ],
)
def test_policies_that_cannot_be_kept_are_refused_and_change_nothing(
    configuration, database, policies, said
):
    before = revisions(database)
    faults = faults_of(configuration, with_policies(**policies))
    assert any(said in fault for fault in faults)
    assert revisions(database) == before

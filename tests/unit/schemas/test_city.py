import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from schemas import located_yaml
from schemas.city import SecretRef, city_of, read_city
from schemas.errors import ConfigurationError

CITY = """\
version: 1
city: {name: "Ville de démonstration", domain: parvis.example.org, languages: [fr, fr-x-falc]}
territories:
  - {id: marseille, communes: ["13055"]}
profiles:
  koha_marseille:
    connector: koha
    base_url: "http://127.0.0.1:9101"
    allow_private: true
    client_secret: {secret: koha_marseille}
services:
  - {id: lib_alcazar, kind: library, name: "L'Alcazar", territory: marseille, place: "159",
     profile: koha_marseille, binding: {library_id: ALC, category: ADULTE}}
partners:
  - id: volt_provence
    name: Volt Provence
    allowed_events: [utility.contract_opened.v1]
    territories: [marseille]
    keys:
      - {id: k1, scheme: v1, secret: {secret: volt_k1}}
      - {id: k2, scheme: v1a, public_key: "whpk_A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="}
placements:
  - {token: AB12CD34, poster: a3, place_name: Le Bistro, commune: "83050", campaign: rentree,
     status: live, valid_until: 2027-06-30}
policies: {retry: "1s x2; then dead-letter", quiet_hours: {marketing: "Mon-Sat 08:00-22:00"}}
"""


def faults(text):
    with pytest.raises(ConfigurationError) as caught:
        read_city(text)
    return caught.value.faults


def test_a_city_is_read_with_its_defaults():
    document = read_city(CITY)
    assert document.city.timezone == "Europe/Paris"
    assert document.profiles["koha_marseille"].secrets == {"client_secret": "koha_marseille"}
    assert document.profiles["koha_marseille"].settings["allow_private"] is True
    assert document.services[0].min_level == 0
    assert [key.secret for key in document.partners[0].keys] == ["volt_k1", None]
    assert document.placements[0].valid_until.isoformat() == "2027-06-30"


def test_the_same_city_is_read_from_a_parsed_document():
    parsed = yaml.safe_load(CITY.replace("2027-06-30", '"2027-06-30"'))
    assert city_of(parsed) == read_city(CITY)


def test_an_unknown_key_is_refused_with_its_line_column_and_the_nearest_name():
    (fault,) = faults(
        CITY.replace("     profile: koha", "     profil: koha").replace(
            "kind: library", "profile: x1, kind: library"
        )
    )
    assert fault.startswith("ligne 13, colonne 6 : clé inconnue « profil ».")
    assert "« profile »" in fault


@pytest.mark.parametrize(
    ("was", "now"),
    [
        ("{secret: koha_marseille}", "{secrets: koha_marseille}"),
        ("secret: {secret: volt_k1}", "secret: whsec_dGhpcyBpcyBhIHNlY3JldCBvZiBvdXJzIQ=="),
        ("{secret: koha_marseille}", "{secret: [a, b]}"),
    ],
)
def test_a_secret_is_a_reference_or_refused_without_repeating_it(was, now):
    found = faults(CITY.replace(was, now))
    assert len(found) == 1
    assert "secret" in found[0] or "identifiant" in found[0]
    assert "whsec_" not in found[0]


def test_every_fault_is_listed_at_once_with_its_own_line():
    broken = (
        CITY.replace('"13055"', "13055")
        .replace("id: lib_alcazar", "id: Lib-Alcazar")
        .replace("status: live", "status: lively")
        .replace("scheme: v1,", "scheme: v2,")
        .replace("Mon-Sat 08:00-22:00", "always")
    )
    found = faults(broken)
    assert [fault.partition(",")[0] for fault in found] == [
        "ligne 4",
        "ligne 12",
        "ligne 20",
        "ligne 24",
        "ligne 25",
    ]
    assert "guillemets" in found[0]


def test_an_identifier_used_twice_is_refused():
    twice = '\n  - {id: marseille, communes: ["13001"]}\nprofiles:'
    (fault,) = faults(CITY.replace("\nprofiles:", twice))
    assert fault.startswith("ligne 5")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "YAML illisible"),
        ("a: 1\na: 2", "deux fois"),
        ("a: &x [1]\nb: *x", "alias"),
        ("a: !!python/name:os.system ''", "étiquettes"),
        ("? [a]\n: 1", "pas un mot"),
        ("a: 1\n---\nb: 2", "YAML illisible"),
        ("a: \x01", "YAML"),
        ("[" * 20_000, "YAML"),
        ("x" * 1_000_001, "trop long"),
        ("", "« clé: valeur »"),
        ("- a", "« clé: valeur »"),
        ("version: 2\ncity: {name: X}", "version"),
    ],
)
def test_a_document_that_is_no_city_is_refused_in_french(text, said):
    assert any(said in fault for fault in faults(text))


def test_codes_hours_and_words_stay_text():
    read = located_yaml.read(
        "a: 04112\nb: 12:30\nc: no\nd: 13\ne: true\nf: 2027-01-01\ng: '13'\nh: ~"
    )
    assert read.value == {
        "a": "04112",
        "b": "12:30",
        "c": "no",
        "d": 13,
        "e": True,
        "f": "2027-01-01",
        "g": "13",
        "h": None,
    }


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-99, 99)
    | st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "version", "city", "services", "partners", "keys", "name"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_what_yaml_writes_is_read_back_and_never_breaks_the_reader(value):
    text = yaml.safe_dump(value, allow_unicode=True, sort_keys=False, default_flow_style=None)
    assert located_yaml.read(text).value == value
    with pytest.raises(ConfigurationError):
        city_of(located_yaml.read(text))


def test_a_secret_reference_is_told_from_text():
    settings = read_city(CITY).profiles["koha_marseille"].settings
    assert settings["client_secret"] == SecretRef(secret="koha_marseille")

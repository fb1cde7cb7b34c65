"""Each connector's page says what its code declares, and its quality is checked, not claimed."""

import re
from pathlib import Path

import pytest
import yaml

from connectors.kit import Transport, catalogue, operations

PAGES = Path(__file__).parents[3] / "docs" / "partners"
HOME = Path(__file__).parents[2] / "connectors"
NAMES = sorted(catalogue())
TIERS = {
    "bronze": {
        "recorded-events",
        "contract-tests",
        "settings-declared",
        "secrets-declared",
        "check",
        "page",
    },
    "silver": {
        "idempotent-redelivery",
        "throttling-honoured",
        "credentials-refused-pauses",
        "personal-data-listed-with-eraser",
    },
    "gold": {"mock-with-faults", "journey-test"},
}
SECTIONS = (
    "## Informations à demander au prestataire",
    "## Réponses attendues",
    "## Données personnelles",
    "## Essais de disponibilité",
)
per_connector = pytest.mark.parametrize("name", NAMES)


def page(name):
    return (PAGES / f"{name}.md").read_text()


def front_matter(name):
    return yaml.safe_load(page(name).split("---")[1])


@per_connector
def test_the_page_names_its_connector(name):
    assert front_matter(name)["connector"] == name


def test_no_page_is_without_its_connector():
    assert {path.stem for path in PAGES.glob("*.md")} == set(NAMES)


@per_connector
def test_the_page_has_the_sections_an_administrator_looks_for(name):
    for section in SECTIONS:
        assert section in page(name)


@per_connector
def test_the_page_names_every_setting_and_binding(name):
    manifest = catalogue()[name].manifest
    for item in (*manifest.settings, *manifest.binding):
        assert f"`{item.name}`" in page(name), item.name


@per_connector
def test_the_page_names_every_operation_and_how_it_is_undone(name):
    for each in operations(name).values():
        assert f"`{each.name}`" in page(name), each.name


@per_connector
def test_the_page_names_every_personal_field_with_its_eraser(name):
    personal = page(name).partition("## Données personnelles")[2]
    for each in catalogue()[name].manifest.personal_fields:
        assert f"`{each.name}`" in personal
        assert f"`{each.purpose}`" in personal
        assert each.eraser == "operator" or f"`{each.eraser}`" in personal


@per_connector
def test_the_page_tells_the_limits_on_time(name):
    assert re.search(r"Délais? : .*\d", page(name))


@per_connector
def test_every_quality_rule_is_done_missing_or_exempt_with_a_reason(name):
    rules = front_matter(name)["quality"]["rules"]
    assert set(rules) == set().union(*TIERS.values())
    for rule, state in rules.items():
        exempt = isinstance(state, dict) and set(state) == {"exempt"} and len(state["exempt"]) > 20
        assert exempt or state in {"done", "missing"}, rule


@per_connector
def test_the_tier_is_the_one_its_rules_reach(name):
    quality = front_matter(name)["quality"]
    reached = "none"
    for tier, rules in TIERS.items():
        if any(quality["rules"][rule] == "missing" for rule in rules):
            break
        reached = tier
    assert quality["tier"] == reached
    assert reached != "none"


@per_connector
def test_events_are_recorded_with_what_is_expected_of_them_unless_none_are_emitted(name):
    fixtures = HOME / name / "fixtures"
    recorded = [path for path in fixtures.glob("*") if "__expected" not in path.name]
    if catalogue()[name].manifest.emits:
        assert len(recorded) >= 3
        for path in recorded:
            assert path.with_name(f"{path.stem}__expected.json").exists()
    else:
        assert recorded == []
        assert "exempt" in front_matter(name)["quality"]["rules"]["recorded-events"]


@per_connector
def test_a_done_mock_exists(name):
    is_done = front_matter(name)["quality"]["rules"]["mock-with-faults"] == "done"
    transport = catalogue()[name].manifest.transport
    if is_done and transport is Transport.HTTP:
        import json

        kind = json.loads((HOME / name / "contract.json").read_text())["mock"]["kind"]
        mocks = Path(__file__).parents[3] / "mock_partners"
        assert (mocks / kind).is_dir() or (mocks / f"{kind}.py").is_file()

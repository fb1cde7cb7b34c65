"""What every connector declares, before any system is called."""

import inspect
import re

import pytest

from connectors.kit import Transport, catalogue, open_profile, operations
from schemas.errors import ConfigurationError
from schemas.events import catalogue as event_types
from schemas.pii import CLASSES
from tests.contract.connectors.rigs import Rig, contract

NAMES = sorted(catalogue())
KINDS = {"library", "museum", "sports_club", "parking", "agenda", "payment", "message"}
LIBRARY = {"lookup", "authenticate", "create", "update", "password", "hold", "renew"}
CANONICAL = {
    "library": {
        "preregister",
        "cancel_preregistration",
        "activate",
        "lookup",
        "authenticate",
        "hold",
        "cancel_hold",
        "renew",
    },
    "message": {"send"},
}
ANY_KIND = {"erase", "export"}
FRENCH = re.compile(r"[A-ZÀÉÈÊÎÔÛ«].*[.)»]$", re.DOTALL)
per_connector = pytest.mark.parametrize("name", NAMES)


def manifest(name):
    return catalogue()[name].manifest


def good_values(name):
    given = {item.name: item.example for item in manifest(name).settings if not item.is_secret}
    secrets = {item.name: "un secret bien long" for item in manifest(name).secrets}
    return {key: value for key, value in given.items() if value is not None} | secrets


@per_connector
def test_its_name_is_its_modules_and_a_configuration_id(name):
    assert catalogue()[name].__module__ == f"connectors.{name}"
    assert re.fullmatch(r"[a-z][a-z0-9_]{1,39}", name)


@per_connector
def test_its_title_and_kinds_are_known(name):
    assert manifest(name).title.strip()
    assert manifest(name).kinds
    assert manifest(name).kinds <= KINDS


@per_connector
def test_a_library_declares_only_capabilities_a_journey_may_ask_for(name):
    if "library" in manifest(name).kinds:
        assert manifest(name).capabilities <= LIBRARY


@per_connector
def test_the_events_it_emits_are_published_types(name):
    assert manifest(name).emits <= set(event_types())


@per_connector
def test_every_setting_has_a_french_title_and_help(name):
    for item in (*manifest(name).settings, *manifest(name).binding):
        assert item.title, item.name
        assert FRENCH.match(item.help), item.name


@per_connector
def test_every_setting_has_a_name_of_its_own_in_lower_snake(name):
    names = [item.name for item in manifest(name).settings]
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[a-z][a-z0-9_]{1,39}", each) for each in names)


@per_connector
def test_every_setting_but_a_secret_shows_an_example_that_passes_its_own_check(name):
    for item in manifest(name).settings:
        if item.is_secret:
            assert item.example is None
            assert item.default is None
        else:
            assert item.example is not None, item.name
    assert manifest(name).check_settings(good_values(name)) == ()


@per_connector
def test_every_missing_required_setting_is_named_in_french(name):
    required = [item for item in manifest(name).settings if item.required and item.default is None]
    assert required
    for item in required:
        values = {key: value for key, value in good_values(name).items() if key != item.name}
        (fault,) = manifest(name).check_settings(values)
        assert item.name in fault
        assert item.title in fault


@per_connector
def test_an_unknown_setting_is_refused_by_name(name):
    (fault,) = manifest(name).check_settings({**good_values(name), "inconnu": "x"})
    assert "inconnu" in fault


@per_connector
def test_a_wrong_value_is_refused_and_never_repeated(name):
    wrong = {"canari": "valeur\nfausse"}
    for item in manifest(name).settings:
        faults = manifest(name).check_settings({**good_values(name), item.name: wrong})
        assert len(faults) == 1, item.name
        assert "valeur" not in faults[0]


@per_connector
def test_a_binding_names_what_it_lacks(name):
    examples = {item.name: item.example for item in manifest(name).binding}
    assert manifest(name).check_binding(examples) == ()
    required = [item for item in manifest(name).binding if item.required and item.default is None]
    assert len(manifest(name).check_binding({})) == len(required)


@per_connector
def test_plain_http_is_refused_outside_an_internal_network(name):
    for item in manifest(name).settings:
        if item.kind == "url":
            values = {**good_values(name), item.name: "http://exemple.example.org"}
            assert len(manifest(name).check_settings(values)) == 1
            assert manifest(name).check_settings({**values, "allow_private": True}) == ()


@per_connector
def test_every_operation_has_a_canonical_name(name):
    allowed = ANY_KIND.union(*(CANONICAL.get(kind, set()) for kind in manifest(name).kinds))
    periodic = {operation for operation, _ in manifest(name).periodic}
    assert set(operations(name)) <= allowed | periodic


@per_connector
def test_every_operation_says_how_it_is_undone_or_that_it_cannot_be(name):
    for each in operations(name).values():
        ways = [each.undo is not None, each.is_pivot, each.is_read]
        assert sum(ways) == 1, each.name
        assert each.undo is None or each.undo in operations(name)


@per_connector
def test_it_has_the_operations_that_its_kind_cannot_do_without(name):
    needed = {"library": {"preregister", "activate", "erase"}, "message": {"send"}}
    for kind in manifest(name).kinds & set(needed):
        assert needed[kind] <= set(operations(name))


@per_connector
def test_every_operation_takes_the_command_and_the_transport(name):
    for each in operations(name).values():
        signature = inspect.signature(getattr(catalogue()[name], each.method))
        assert len(signature.parameters) == 3


@per_connector
def test_a_periodic_operation_is_paced_by_a_duration(name):
    durations = {item.name for item in manifest(name).settings if item.kind == "duration"}
    for operation, pace in manifest(name).periodic:
        assert operation in operations(name)
        assert pace in durations


@per_connector
def test_every_personal_field_has_a_class_a_purpose_and_an_eraser(name):
    assert manifest(name).personal_fields
    for each in manifest(name).personal_fields:
        assert each.pii in CLASSES - {"none", "secret"}
        assert each.purpose
        assert each.eraser == "operator" or each.eraser in operations(name)


@per_connector
def test_a_system_behind_a_network_has_limits_on_time_and_a_guarded_address(name):
    if manifest(name).transport is not Transport.FOLDER:
        filled = manifest(name).with_defaults({})
        assert filled["connect_timeout"] == "3050ms"
        assert filled["read_timeout"] == "10s"
        assert filled["allow_private"] is False


@per_connector
def test_a_profile_with_faults_is_not_opened_and_lists_them_all(name):
    with pytest.raises(ConfigurationError) as refused:
        open_profile(name, "profil_essai", {"inconnu": 1}, {})
    assert len(refused.value.faults) >= 2
    assert all(fault.startswith("profil_essai : ") for fault in refused.value.faults)


@per_connector
def test_opening_a_profile_calls_nobody(name):
    values = good_values(name)
    hidden = {item.name for item in manifest(name).secrets}
    settings = {
        key: value for key, value in values.items() if key not in hidden and key != "ca_file"
    }
    opened = open_profile(name, "profil_essai", settings, {key: values[key] for key in hidden})
    opened.close()


@per_connector
def test_an_operation_it_does_not_have_is_a_configuration_fault(name, tmp_path):
    values = good_values(name)
    hidden = {item.name for item in manifest(name).secrets}
    settings = {
        key: value for key, value in values.items() if key not in hidden and key != "ca_file"
    }
    opened = open_profile(name, "profil_essai", settings, {key: values[key] for key in hidden})
    with pytest.raises(ConfigurationError):
        opened.call("fly", Rig(name).command(_any_case(name)), [])
    opened.close()


def _any_case(name):
    from tests.contract.connectors.rigs import Case

    return Case(operation="fly", data=contract(name)["calls"][0].get("data", {}))

import json
from pathlib import Path

import pytest

from orchestrator import journeys
from orchestrator.engine.fingerprint import fingerprint
from orchestrator.engine.journey import Call
from parvis.cli import main
from schemas import events

PUBLISHED = Path(journeys.__file__).parent / "published.json"
OWN_TYPES = {"contact.verification_requested.v1"}


def known():
    return {
        f"{name} v{version}": fingerprint(journey)
        for (name, version), journey in journeys.all_journeys().items()
    }


def test_a_published_journey_is_never_changed_under_its_version():
    published = json.loads(PUBLISHED.read_text())
    changed = {name for name, digest in published.items() if known().get(name) != digest}
    assert not changed, f"publish a new version of {sorted(changed)} instead of changing it"


def test_every_journey_is_published():
    assert set(known()) == set(json.loads(PUBLISHED.read_text()))


@pytest.mark.parametrize("journey", journeys.all_journeys().values(), ids=lambda one: one.name)
def test_a_journey_starts_on_types_that_exist(journey):
    assert set(journey.starts_on) <= set(events.catalogue()) | OWN_TYPES


@pytest.mark.parametrize("journey", journeys.all_journeys().values(), ids=lambda one: one.name)
def test_every_call_says_how_it_is_undone_or_that_it_cannot_be(journey):
    calls = [step for step in journey.steps if isinstance(step, Call)]
    assert all(step.undo for step in calls)


def test_every_type_that_starts_a_run_has_its_journey():
    starting = {name for name, kind in events.catalogue().items() if kind.starts_run}
    assert {name for name in starting if journeys.route(name) is None} == set()


def test_the_logs_of_a_city_fit_this_code(capfd):
    """What `parvis journeys check` kept of a demonstration: every kind of run, ended or waiting."""
    logs = Path(__file__).with_name("logs.jsonl")

    assert main(["journeys", "check", "--from", str(logs)]) == 0, capfd.readouterr().out
    assert capfd.readouterr().out == "6 journaux rejoués, 0 divergences.\n"

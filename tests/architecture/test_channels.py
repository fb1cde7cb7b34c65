"""C4: every event type starts something or is read by somebody, every step has an operation."""

import inspect

import pytest

from connectors.kit import registry
from orchestrator.engine.journey import PIVOT, Call, Notify, Wait
from orchestrator.journeys import all_journeys, route
from schemas import events

# kind of a service -> what its connectors must be able to do (operation, its undo)
OPERATIONS = {
    "library": {"lookup", "preregister", "cancel_preregistration", "activate"},
    "message": {"send"},
}
SIGNALS = {
    "access_code.redeemed",
    "consent.given",
    "consent.withdrawn",
    "identity.linked",
    "desk.confirmed",
    "desk.rejected",
    "payment.settled",
    "booking.confirmed",
    "booking.cancelled",
    "deadline",
}
# counted or kept at intake itself, so they start no journey
COUNTED = {"poster.scanned.v1", "sdk.reported.v1"}
# sent by our own pages only, so in no partner's catalogue
OWN = {"contact.verification_requested.v1"}
CALLS = [
    (journey, step)
    for journey in all_journeys().values()
    for step in journey.steps
    if isinstance(step, Call)
]


@pytest.mark.parametrize("name", sorted(events.catalogue()))
def test_an_event_a_partner_may_send_has_a_schema_and_somebody_who_reads_it(name):
    assert events.catalogue()[name].name == name
    assert (route(name) is not None) != (name in COUNTED)


@pytest.mark.parametrize("journey", all_journeys().values(), ids=lambda known: known.name)
def test_a_journey_starts_on_known_events_only(journey):
    assert set(journey.starts_on) <= set(events.catalogue()) | OWN


@pytest.mark.parametrize("journey", all_journeys().values(), ids=lambda known: known.name)
def test_a_journey_waits_for_known_signals_only(journey):
    waited = {step.signal for step in journey.steps if isinstance(step, Wait)}

    assert waited <= SIGNALS


@pytest.mark.parametrize(("journey", "step"), CALLS, ids=lambda known: getattr(known, "name", None))
def test_a_call_names_a_canonical_operation_and_how_it_is_undone(journey, step):
    known = OPERATIONS[step.service]

    assert step.operation in known
    assert step.undo == PIVOT or step.undo in known


@pytest.mark.parametrize("name", sorted(registry.catalogue()))
def test_a_connector_has_every_operation_that_journeys_ask_of_its_kind(name):
    manifest = registry.catalogue()[name].manifest

    assert manifest.kinds & OPERATIONS.keys()
    assert _asked_of(manifest.kinds) <= set(registry.operations(name))


@pytest.mark.parametrize("kind", sorted(OPERATIONS))
def test_a_kind_that_journeys_use_has_a_connector(kind):
    assert _asked_of({kind})
    assert [c for c in registry.catalogue().values() if kind in c.manifest.kinds]


def test_connectors_are_found_by_looking_not_by_registering_themselves():
    """The registry holds no name of a connector, and importing the package imports none."""
    source = inspect.getsource(registry)

    assert not [name for name in registry.catalogue() if f'"{name}"' in source]


def _asked_of(kinds):
    """Calls with their undo, and `send` for what tells somebody something."""
    steps = [step for journey in all_journeys().values() for step in journey.steps]
    calls = [step for step in steps if isinstance(step, Call) and step.service in kinds]
    asked = {step.operation for step in calls} | {step.undo for step in calls} - {PIVOT}
    if "message" in kinds and any(isinstance(step, Notify) for step in steps):
        asked.add("send")
    return asked

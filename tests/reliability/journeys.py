"""Journeys of the campaign's own: everything the language has, on the city's real services.

The product's journeys ride along; these add what none of them has yet: people who decide, pauses,
children that may fail alone or together, and the way back from any of it.
"""

from collections.abc import Mapping
from datetime import timedelta

from orchestrator import journeys as product
from orchestrator.engine.journey import (
    PIVOT,
    AskPerson,
    Call,
    Choose,
    Decision,
    Done,
    End,
    ForEach,
    Journey,
    Local,
    Pause,
    StartJourney,
    StepContext,
    Wait,
)
from orchestrator.journeys.library_arrival import (
    announce_person,
    lapsed,
    nearest_open_library,
    preregistered,
    record_data,
)
from schemas import ids

PURPOSE = "library.preregistration"
SIGNED = "card.signed"
SERVICES = ("lib_alcazar", "lib_deux_ormes", "lib_draguignan", "lib_sorgues")
ASKED = {
    "campaign.trip_asked.v1": "campaign.trip",
    "campaign.tour_asked.v1": "campaign.tour",
}


def by_sender_and_subject(source: str, subject: str) -> str:
    return f"{source} {subject}"


def cards(context: StepContext) -> Mapping[str, Mapping[str, str]]:
    """One card for each service the event asks for."""
    return {name: {"service": name} for name in context.start.data["services"]}


def one_card(context: StepContext) -> Mapping[str, str]:
    return {"service": context.start.data["services"][0]}


def pick(context: StepContext) -> Done:
    """The service a child is about, under a name of its own there."""
    return Done(
        output={"service_id": context.start.data["service"], "pseudonym": ids.new_pseudonym()}
    )


def card_data(context: StepContext) -> Mapping[str, str]:
    return {"our_ref": f"C-{context.run_id}", "family_name": "Canarine-card"}


CARD = Journey(
    name="campaign.card",
    version=1,
    starts_on=(),
    key=by_sender_and_subject,
    steps=(
        Choose("pick", pick),
        Call("pick", "preregister", PURPOSE, undo="cancel_preregistration", data=card_data),
        Wait(SIGNED, timeout=timedelta(days=3), otherwise=End("unsigned")),
    ),
    on_failure="undo",
)
TRIP = Journey(
    name="campaign.trip",
    version=1,
    starts_on=("campaign.trip_asked.v1",),
    key=by_sender_and_subject,
    steps=(
        Local("announce", announce_person),
        Choose("library", nearest_open_library),
        Call(
            "library",
            "preregister",
            PURPOSE,
            undo="cancel_preregistration",
            data=record_data,
            then=preregistered,
        ),
        AskPerson(
            name="desk",
            question="campaign.desk",
            decisions=(Decision("go"), Decision("no", End("refused"))),
            timeout=timedelta(days=2),
            otherwise=End("nobody"),
        ),
        Pause("rest", timedelta(hours=1)),
        ForEach("cards", cards, "campaign.card"),
        Call("library", "activate", PURPOSE, undo=PIVOT, data=record_data),
    ),
    on_end=lapsed,
)
TOUR = Journey(
    name="campaign.tour",
    version=1,
    starts_on=("campaign.tour_asked.v1",),
    key=by_sender_and_subject,
    steps=(
        Local("announce", announce_person),
        Choose("library", nearest_open_library),
        Call(
            "library",
            "preregister",
            PURPOSE,
            undo="cancel_preregistration",
            data=record_data,
            then=preregistered,
        ),
        ForEach("cards", cards, "campaign.card", all_or_nothing=True),
        StartJourney("last", "campaign.card", one_card),
    ),
    on_end=lapsed,
    on_failure="undo",
)
OURS = {(journey.name, journey.version): journey for journey in (CARD, TRIP, TOUR)}


def journey_for(name: str, version: int) -> Journey | None:
    return OURS.get((name, version)) or product.journey_for(name, version)


def newest(name: str) -> Journey | None:
    return OURS.get((name, 1)) or product.newest(name)


def route(message_type: str) -> Journey | None:
    name = ASKED.get(message_type)
    return OURS[name, 1] if name else product.route(message_type)


def versions() -> Mapping[tuple[str, int], Journey]:
    return {**product.all_journeys(), **OURS}
